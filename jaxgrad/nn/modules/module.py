"""The base of all modules: a flax NNX module with torch's ``forward`` and torch's ``repr``."""

import textwrap
from collections.abc import Callable
from typing import Any

from flax import nnx

from jaxgrad._core.call import Call, no_stream, unknown_mode
from jaxgrad._core.errors import explain


class Module(nnx.Module):
    """Mirror of ``torch.nn.Module``: write ``__init__`` and ``forward``, call the module.

    Attributes that are modules become children under their attribute's name; ``nn.Parameter`` and ``nn.Buffer``
    become what ``func.extract`` lists. A module is for building a model and for naming its parameters; what is
    trained are the dicts that ``func.extract`` returns.

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

    def train(self, mode: Any = True, **attributes: Any) -> Any:
        """Raises: the mode belongs to the call."""
        raise _belongs_to_the_call("train()", mode)

    def eval(self, **attributes: Any) -> Any:
        """Raises: the mode belongs to the call."""
        raise _belongs_to_the_call("eval()", False)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward``."""
        return self.forward(*args, **kwargs)

    def children(self) -> dict[str, nnx.Module]:
        """The modules that are attributes of this one, by name, in the order they were set."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nnx.Module)}

    def extra_repr(self) -> str:
        """The arguments to print between the brackets."""
        return ""

    def __repr__(self) -> str:
        """Torch's form: one line for a leaf, an indented tree otherwise."""
        children = self.children()
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [self.extra_repr()] if self.extra_repr() else []
        lines += [f"({name}): {child!r}" for name, child in children.items()]
        return f"{type(self).__name__}(\n{textwrap.indent(chr(10).join(lines), '  ')}\n)"


def _belongs_to_the_call(what: str, mode: Any) -> RuntimeError:
    return RuntimeError(
        explain(
            f"{what}: the mode is not a property of a module here, it belongs to the call",
            remedy=f"func.functional_call(model, (params, buffers), x, training={bool(mode)}); "
            "train.make_train_step trains, train.make_eval_step evaluates",
        )
    )
