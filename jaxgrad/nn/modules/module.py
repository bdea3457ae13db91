"""The base of all modules: a flax NNX module with torch's ``forward``, torch's lists of itself and torch's ``repr``."""

import inspect
import textwrap
from collections import deque
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import TraceContextError

from jaxgrad._core.arguments import wrong_kind
from jaxgrad._core.call import Call, changed_from_inside, no_stream, unknown_mode
from jaxgrad._core.diagnosis import FAILURES, is_explained, wrong_argument
from jaxgrad._core.errors import explain
from jaxgrad._core.listing import named_children
from jaxgrad.nn.modules.absent import REMEDIES
from jaxgrad.nn.modules.listing import Listing


class Module(Listing):
    """Mirror of ``torch.nn.Module``: write ``__init__`` and ``forward``, call the module.

    Attributes that are modules become children under their attribute's name; ``nn.Parameter`` and ``nn.Buffer``
    become what ``func.extract`` lists. A module is for building a model and for naming its parameters; what is
    trained are the dicts that ``func.extract`` returns. Differs from torch: the mode and the random stream belong to
    the call (``func.functional_call``), a module has neither; a plain list of modules, whose parameters torch does not
    see, is refused.

    Raises:
        TypeError: an attribute is a list or dict with modules or parameters in it.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = nn.Parameter(jnp.array(2.0))
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(jnp.array(3.0)).item()
    6.0

    Source: torch/nn/modules/module.py.
    """

    _call: Call | None = None

    @classmethod
    def _pytree_meta_construct(cls, self: Any, *args: Any, **kwargs: Any) -> None:
        """Flax's call of the constructor; if it fails on account of an argument, torch's sentence for that one."""
        try:
            self.__init__(*args, **kwargs)
        except FAILURES as error:
            wrong = None if is_explained(error) else _wrong_argument(cls, args, kwargs)
            if wrong is None:
                raise
            raise wrong from error

    @property
    def training(self) -> bool:
        """The mode of the call that this module is part of.

        Raises:
            RuntimeError: it is not part of a call that says ``training=``.
        """
        if self._call is None:
            raise unknown_mode(type(self).__name__)
        return self._call.mode(type(self).__name__)

    @training.setter
    def training(self, mode: bool) -> None:
        raise _belongs_to_the_call("training", mode)

    def draw(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A random value: ``fn(*args, generator=the stream of the call, **kwargs)`` without the generator it returns.

        For layers that draw, inside ``forward``; the call keeps the generator.

        Args:
            fn: returns ``(value, generator)``.
            args: its arguments.
            kwargs: its keyword arguments.

        Raises:
            TypeError: the call has no generator.
            RuntimeError: inside a transformation that ``forward`` itself applies.
        """
        if self._call is None:
            raise no_stream(type(self).__name__)
        return self._call.draw(type(self).__name__, fn, *args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward``."""
        return self.forward(*args, **kwargs)

    def train(self, mode: Any = True, **attributes: Any) -> Any:
        """Raises: the mode belongs to the call."""
        raise _belongs_to_the_call("train()", mode)

    def eval(self, **attributes: Any) -> Any:
        """Raises: the mode belongs to the call."""
        raise _belongs_to_the_call("eval()", False)

    def __getattr__(self, name: str) -> Any:
        sentence = f"'{type(self).__name__}' object has no attribute '{name}'"
        raise AttributeError(explain(sentence, remedy=REMEDIES[name]) if name in REMEDIES else sentence)

    def __setattr__(self, name: str, value: Any) -> None:
        held = vars(self).get(name)
        if isinstance(held, nnx.Variable) and isinstance(value, jax.Array | np.ndarray):
            if isinstance(held, nnx.Param):
                raise TypeError(
                    explain(
                        f"cannot assign '{type(value).__name__}' as parameter '{name}' (torch.nn.Parameter or None "
                        "expected)",
                        remedy=f"self.{name} = nn.Parameter(value) while a model is built; what is trained are the "
                        "dicts of func.extract",
                    )
                )
            held.set_value(jnp.asarray(value))  # a buffer stays one, as in torch
            return
        if hasattr(inspect.getattr_static(type(self), name, None), "__set__"):
            object.__setattr__(self, name, value)  # a property keeps what it is given where it likes
            return
        # an attribute that began as None may become an array, and a list of arrays is a constant, as in torch
        super().__setattr__(name, nnx.data(value) if _kinds(value) else value)

    def _check_valid_context(self, error_msg: Callable[[], str]) -> None:
        try:
            super()._check_valid_context(error_msg)
        except TraceContextError:
            raise changed_from_inside(type(self).__name__) from None

    def _check_value(self, key: str, value: Any, new_status: Any) -> None:
        """Flax's check of an attribute, when it is set and when the constructor ends; in our words."""
        if isinstance(value, list | tuple | dict | set | deque) and (kinds := _kinds(value)):
            if kinds & {"module", "parameter"}:
                raise TypeError(
                    explain(
                        f"the attribute '{key}' is a plain {type(value).__name__} with a "
                        f"{' and a '.join(sorted(kinds))} in it, which torch too does not find among its children",
                        expected="nn.ModuleList, nn.ModuleDict, nn.ParameterList or nn.ParameterDict",
                        remedy=f"self.{key} = nn.ModuleList([...])",
                    )
                )
            if new_status is None:
                object.__setattr__(self, "_pytree__nodes", self._pytree__nodes.update({key: True}))
                return
        super()._check_value(key, value, new_status)

    def extra_repr(self) -> str:
        """The arguments to print between the brackets."""
        return ""

    def __repr__(self) -> str:
        """Torch's form: one line for a leaf, an indented tree otherwise."""
        children = list(named_children(self))
        extra = self.extra_repr()
        if not children and "\n" not in extra:
            return f"{type(self).__name__}({extra})"
        lines = extra.split("\n") if extra else []
        lines += [f"({name}): {child!r}" for name, child in children]
        return f"{type(self).__name__}(\n{textwrap.indent(chr(10).join(lines), '  ')}\n)"

    def __str__(self) -> str:
        return repr(self)


def _wrong_argument(cls: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> TypeError | None:
    constructor: Any = getattr(cls, "__init__")  # noqa: B009  # of the class that was called
    ours = cls.__module__.startswith("jaxgrad.")
    draws = "rngs" in inspect.signature(constructor).parameters and "rngs" not in kwargs
    if not ours and not draws:  # what a constructor of the user's takes is his affair
        return None
    device = kwargs.get("device")
    if not isinstance(device, jax.Device | jax.sharding.Sharding | None):
        return wrong_kind(device, "device", cls.__name__, "a JAX device or sharding", "jax.devices()[0]")
    remedy = f"rngs = nn.Rngs(random.manual_seed(seed)); nn.{cls.__name__}(..., rngs=rngs)" if draws else None
    return wrong_argument(constructor, args, kwargs, called=cls.__name__, remedy=remedy)


def _kinds(value: Any) -> set[str]:
    """What there is in a value that flax must be told of."""
    if isinstance(value, nnx.Variable):
        return {"parameter"}
    if isinstance(value, nnx.Pytree):
        return {"module"}
    if isinstance(value, jax.Array | np.ndarray):
        return {"array"}
    if isinstance(value, dict):
        return set().union(*map(_kinds, value.values()))
    if isinstance(value, list | tuple | set | deque):
        return set().union(*map(_kinds, value))
    return set()


def _belongs_to_the_call(what: str, mode: Any) -> RuntimeError:
    return RuntimeError(
        explain(
            f"{what}: the mode is not a property of a module here, it belongs to the call",
            remedy=f"func.functional_call(model, (params, buffers), x, training={bool(mode)}); "
            "train.make_train_step trains, train.make_eval_step evaluates",
        )
    )
