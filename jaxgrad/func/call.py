"""What a call hands back beside its result, and the errors of a caller who does not take it."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx

from jaxgrad._core.call import Call
from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.types import Buffers, Metrics, Params
from jaxgrad.random import Generator


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Aux:
    """What became of the state in a call: ``out, aux = func.functional_call(..., has_aux=True)``.

    A loss function returns it beside the loss: ``return loss, aux``, or one of its own making.

    Attributes:
        buffers: all buffers after the forward pass; None leaves those that were there.
        generator: the stream after the forward pass; None leaves the one that was there.
        metrics: further numbers to report.
        params: the parameters that the forward pass itself changed (``nn.Embedding`` with ``max_norm``), or None.

    >>> Aux(metrics={"accuracy": 0.5}).buffers is None
    True
    """

    buffers: Buffers | None = None
    generator: Any = None
    metrics: Metrics | None = None
    params: Params | None = None


def check_stream(generator: Any) -> None:
    """Raise unless this can be drawn from.

    Raises:
        TypeError: a seed, an ``nn.Rngs``, or something else.
    """
    if generator is None or isinstance(generator, Generator | jax.Array | np.ndarray):
        return
    remedy = "random.manual_seed(seed)" if isinstance(generator, int) else "generator=rngs.generator"
    raise TypeError(
        explain(
            "a call draws from a generator or a JAX key",
            got=type(generator).__name__,
            expected="jaxgrad.random.Generator, or jax.random.key(seed)",
            remedy=remedy if isinstance(generator, int) or hasattr(generator, "generator") else None,
        )
    )


class Watch:
    """Which variables of a module a call has changed.

    Args:
        variables: the variables of the bound copy under their dotted names.
        module: the bound copy.
    """

    def __init__(self, variables: dict[str, nnx.Variable[Any]], module: Any):
        once = {id(variable): (name, variable) for name, variable in reversed(variables.items())}
        self._named = {name: variable for name, variable in reversed(once.values())}
        self._before = {name: variable.get_raw_value() for name, variable in self._named.items()}
        self._streams = {
            ".".join(map(str, path)): (variable, variable.get_raw_value())
            for path, variable in nnx.iter_graph(module)
            if isinstance(variable, nnx.RngState)
        }

    def changed(self, *, parameters: bool) -> dict[str, Any]:
        """The new values of the parameters, or of the buffers, that are not what they were."""
        return {
            name: variable.get_value()
            for name, variable in self._named.items()
            if isinstance(variable, nnx.Param) is parameters and variable.get_raw_value() is not self._before[name]
        }

    def buffers(self) -> Buffers:
        """All buffers as they are now."""
        return {name: v.get_value() for name, v in self._named.items() if not isinstance(v, nnx.Param)}

    def aux(self, call: Call) -> Aux:
        """All that a caller with ``has_aux`` takes."""
        return Aux(self.buffers(), call.generator, params=self.changed(parameters=True) or None)

    def check_nothing_is_lost(self, call: Call, has_aux: bool) -> None:
        """Raise where the call changed what nobody takes.

        Raises:
            RuntimeError: it did.
        """
        drawn = [name for name, (stream, before) in self._streams.items() if stream.get_raw_value() is not before]
        if drawn:
            raise RuntimeError(
                explain(
                    "flax's own random stream in the model was drawn from, and its new state would be lost",
                    got=quoted(drawn),
                    remedy="use jaxgrad's layers, which draw from generator=; or hand flax's layer its rngs",
                )
            )
        if has_aux:
            return
        updated = [*self.changed(parameters=False), *self.changed(parameters=True)]
        if updated:
            raise RuntimeError(
                explain(
                    "the call updated buffers of the model, and nothing takes the new values",
                    got=quoted(updated),
                    remedy="out, aux = func.functional_call(..., has_aux=True), then aux.buffers (and aux.params); "
                    "or training=False where nothing is to be updated",
                )
            )
        if call.drawn:
            raise RuntimeError(
                explain(
                    "the call drew from the generator, and nothing takes the generator that comes after: "
                    "the next call would draw the same numbers",
                    remedy="out, aux = func.functional_call(..., has_aux=True), then aux.generator",
                )
            )
