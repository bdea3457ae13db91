"""What one run of a model knows: its mode, its random stream, and what runs there are around it.

In torch the mode is an attribute of every module and the stream is global. Here both belong to the call, live as long
as it lives, and are handed to the modules of the copy that runs.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from flax import nnx
from jax.extend.core import get_opaque_trace_state

from jaxgrad._core.errors import explain

_SAY = "func.functional_call(model, (params, buffers), x, training=..., generator=..., has_aux=True)"

level: Callable[[], Any] = partial(get_opaque_trace_state, convention="nnx")
"""The trace that runs: what is made in one and met in another does not belong there."""

_FLAX_MODES = ("deterministic", "use_running_average")


class Call:
    """One run of a model.

    Args:
        training: the mode; None if the caller did not say.
        generator: what is drawn from, a ``random.Generator`` or a JAX key; None if there is none.
        around: the call that this one is made in, and draws from if it has no generator of its own.

    Attributes:
        generator: where the stream stands now.
        drawn: whether anything was drawn.

    >>> call = Call(training=True, generator=0)
    >>> call.draw("Noise", lambda generator: ("a number", generator + 1))
    'a number'
    >>> call.generator, call.drawn
    (1, True)
    """

    def __init__(self, training: bool | None = None, generator: Any = None, *, around: "Call | None" = None):
        mode = around.training if training is None and around is not None else training
        self.training: bool | None = mode
        self.generator, self.drawn = generator, False
        self._around = around
        self._level = level()
        self._arranged: dict[int, tuple[Any, tuple[int, ...]]] = {}

    def mode(self, asking: str) -> bool:
        """Whether the model is trained in this run.

        Raises:
            RuntimeError: the caller did not say.
        """
        if self.training is None:
            raise unknown_mode(asking)
        return self.training

    def draw(self, asking: str, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """``value`` of ``value, generator = fn(*args, generator=generator, **kwargs)``; the stream goes on.

        Raises:
            TypeError: there is no stream.
            RuntimeError: inside a transformation, whose draws the stream outside cannot know of.
        """
        if self.generator is None:
            if self._around is None:
                raise no_stream(asking)
            return self._around.draw(asking, fn, *args, **kwargs)
        if self._level != level():
            raise RuntimeError(
                explain(
                    f"{asking} draws random numbers inside a jax transformation (jit, vmap, scan, grad) that was "
                    "entered after the call began, so that the stream outside cannot go on from there",
                    remedy="apply the transformation around functional_call; or hand the generator through it by hand: "
                    "output, generator = F.dropout(input, p, generator=generator); utils.checkpoint does so by itself",
                )
            )
        value, generator = fn(*args, generator=self.generator, **kwargs)
        self.drawn = self.drawn or generator is not self.generator
        self.generator = generator
        return value

    def arrange(self, array: Any, order: tuple[int, ...]) -> Any:
        """Remember in which order of its axes torch would keep this very array in memory (outermost first).

        Torch fills a dropout mask in memory order, and some layers hand on a transposed view.
        """
        self._arranged[id(array)] = array, order  # the array is kept, so that its id stays its own
        return array

    def arrangement(self, array: Any) -> tuple[int, ...] | None:
        """The order remembered for an array; None for one that lies as its axes go."""
        found = self._arranged.get(id(array))
        if found is not None:
            return found[1]
        return None if self._around is None else self._around.arrangement(array)

    @property
    def stream(self) -> Any:
        """The generator that a draw would use, of this call or of one around it."""
        return self._around.stream if self.generator is None and self._around is not None else self.generator

    def fork(self, generator: Any = None) -> "Call":
        """Another run in the same mode, from this point of the stream or a given one, at the present trace level."""
        return Call(self.training, self.stream if generator is None else generator)

    def advance(self, generator: Any) -> None:
        """Go on from a later point of the stream, which a fork has reached."""
        if self.generator is None and self._around is not None:
            self._around.advance(generator)
        else:
            self.generator, self.drawn = generator, True


def unknown_mode(asking: str) -> RuntimeError:
    """The error of a layer that must know the mode where nobody said it."""
    return RuntimeError(
        explain(
            f"the result of {asking} depends on whether the model is training, and the call does not say",
            expected="training=True or training=False",
            remedy=_SAY,
        )
    )


def no_stream(asking: str) -> TypeError:
    """The error of a layer that must draw where there is no stream."""
    return TypeError(
        explain(
            f"{asking} in training mode draws random numbers, and the call has nothing to draw from",
            expected="generator=random.manual_seed(seed), or a JAX key",
            remedy=f"out, aux = {_SAY}; or training=False; in a train step: train.init_state(..., generator=generator)",
        )
    )


def changed_from_inside(what: str) -> RuntimeError:
    """The error of a module that is changed inside a transformation from outside: a tracer would stay on it."""
    return RuntimeError(
        explain(
            f"{what} is changed inside a jax transformation (jit, vmap, scan, grad), and the model is outside of it",
            remedy="call the model by func.functional_call(model, (params, buffers), x, has_aux=True) inside the "
            "transformation: a copy runs, and aux has what became of its buffers",
        )
    )


def call_of(module: Any) -> Call | None:
    """The run that a module is part of; None outside of any, and for modules that are not ours."""
    return getattr(module, "_call", None) if isinstance(module, nnx.Module) else None


def enter(module: Any, call: Call) -> None:
    """Tell every module below (and this one) of the call that it is part of.

    Flax's own layers know of no calls; those with a mode are set to that of this one.
    """
    for _, each in nnx.iter_modules(module):
        if hasattr(type(each), "_call"):
            object.__setattr__(each, "_call", call)
        elif call.training is not None:
            if hasattr(each, "training"):
                each.training = call.training
            for name in _FLAX_MODES:
                if hasattr(each, name):
                    setattr(each, name, not call.training)
