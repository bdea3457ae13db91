"""Activation checkpointing: keep the inputs of a piece of the model, compute its insides again in the backward.

Memory against time, the gradients stay the same. It is ``jax.checkpoint`` under torch's names. Random state needs no
preserving here: a generator is a value, the second run draws from the same one. Layers of a model draw from the stream
of their call and update their buffers inside a checkpoint as they do outside.
"""

from collections.abc import Callable, Iterable
from typing import Any

import jax
from flax import nnx

from jaxgrad._core.errors import explain
from jaxgrad._core.stand_in import Piece, reachable_modules


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Any] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Mirror of ``torch.utils.checkpoint.checkpoint``: ``function(*args, **kwargs)``, recomputed in the backward.

    ``jax.checkpoint(function)(*args, **kwargs)`` in which arguments that are not arrays are handed through. What the
    function closes over (parameters) is an input like the others and gets its gradient. What modules do to their
    buffers and to the stream of their call is kept, for modules that the function is, is bound to, closes over or is
    given. Differs from torch in one number: the second run does not update running statistics a second time. For a
    choice of what is saved beside the inputs
    (torch's selective checkpointing) use ``jax.checkpoint`` with a policy.

    What a graph holds shrinks everywhere. Where forward and backward are one compiled program, XLA's CPU compiler
    recognises the second run as a copy of the first and merges them, unless the pieces are the rounds of a ``scan``.

    Args:
        function: what to run.
        args: its arguments, any trees.
        use_reentrant: None or False; there is no reentrant variant, whose restrictions have no meaning here.
        context_fn: must be None.
        determinism_check: "default" or "none"; the second run is the same program, so that both hold.
        debug: must be False.
        early_stop: whether the second run stops at the last value needed; a compiler does so in any case.
        preserve_rng_state: must be True.
        kwargs: keyword arguments of the function.

    Raises:
        ValueError: an argument that cannot act as in torch.

    >>> import jax.numpy as jnp
    >>> jax.grad(lambda x: checkpoint(lambda x: jnp.sin(jnp.sin(x)), x))(0.0)
    Array(1., dtype=...)

    Source: Chen, Xu, Zhang and Guestrin, Training deep nets with sublinear memory cost, 2016.
    """
    del early_stop
    _check(use_reentrant, context_fn, determinism_check, debug, preserve_rng_state)
    piece = Piece(function, reachable_modules(function, args, kwargs))
    leaves, structure = jax.tree.flatten((args, kwargs), is_leaf=lambda each: isinstance(each, nnx.Module))
    is_array = [hasattr(leaf, "dtype") and not isinstance(leaf, nnx.Module) for leaf in leaves]

    @jax.checkpoint
    def recomputed(arrays: list[Any]) -> Any:
        values = iter(arrays)
        given = [next(values) if array else leaf for array, leaf in zip(is_array, leaves, strict=True)]
        positional, named = jax.tree.unflatten(structure, given)
        return piece.run(*positional, **named)

    out, written = recomputed([leaf for array, leaf in zip(is_array, leaves, strict=True) if array])
    piece.write(written)
    return out


def checkpoint_sequential(
    functions: Iterable[Callable[[Any], Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    *,
    preserve_rng_state: bool = True,
) -> Any:
    """Mirror of ``torch.utils.checkpoint.checkpoint_sequential``: the functions one after the other, in segments.

    Every segment but the last is a ``checkpoint``; between two segments one value is kept.

    Args:
        functions: an ``nn.Sequential``, or functions in order.
        segments: in how many pieces to cut.
        input: what the first function takes.
        use_reentrant: None or False.
        preserve_rng_state: must be True.

    Raises:
        ValueError: an argument that cannot act as in torch.

    >>> import jax.numpy as jnp
    >>> jax.grad(lambda x: checkpoint_sequential([jnp.sin, jnp.cos, jnp.exp, jnp.exp], 2, x))(1.0).round(4)
    Array(-5.4978, dtype=...)
    """
    layers = list(functions)
    size = len(layers) // segments
    kept = size * (segments - 1)
    for start in range(0, kept, size):
        segment = _in_order(layers[start : start + size])
        input = checkpoint(segment, input, use_reentrant=use_reentrant, preserve_rng_state=preserve_rng_state)
    return _in_order(layers[kept:])(input)


def _in_order(layers: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        for layer in layers:
            value = layer(value)
        return value

    return run


def _check(
    use_reentrant: bool | None, context_fn: Any, determinism_check: str, debug: bool, preserve_rng_state: bool
) -> None:
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'], but got {determinism_check}",
        )
    refused = {
        "use_reentrant=True": (use_reentrant is True, "there is no reentrant variant; leave it at None or False"),
        "context_fn": (context_fn is not None, "jax.checkpoint with a policy chooses what is saved"),
        "debug=True": (debug, "jax.ad_checkpoint.print_saved_residuals lists what is saved"),
        "preserve_rng_state=False": (not preserve_rng_state, "a generator is a value: both runs draw the same numbers"),
    }
    for argument, (given, remedy) in refused.items():
        if given:
            raise ValueError(explain(f"{argument} cannot act as in torch here", remedy=remedy))
