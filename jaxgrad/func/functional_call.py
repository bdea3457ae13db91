"""A module as a pure function of its parameters."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Shaped

from jaxgrad._core.call import Call, call_of, enter
from jaxgrad._core.listing import named_variables
from jaxgrad._core.tap import show
from jaxgrad._core.types import Array
from jaxgrad.func.bind import bound_copy, merged
from jaxgrad.func.call import Aux, Watch, check_stream
from jaxgrad.func.leaves import in_mode, is_nnx, split_leaves, with_leaves


def functional_call(
    module: Any,
    parameter_and_buffer_dicts: Mapping[str, Shaped[Array, "..."]] | Sequence[Mapping[str, Shaped[Array, "..."]]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    training: bool | None = None,
    generator: Any = None,
    has_aux: bool = False,
    method: str | None = None,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Mirror of ``torch.func.functional_call``: ``module(*args, **kwargs)`` with these parameters and buffers.

    The module itself does not change: a copy runs, and what its ``forward`` writes into attributes, lists and dicts
    goes with it. Differs from torch in what belongs to the call instead of to the module: ``training`` is what
    ``model.train()`` and ``model.eval()`` set, ``generator`` is the global stream. Buffers that the call updates are
    not written into the dict that was passed but come out beside the result, and so does the stream.

    Args:
        module: any NNX module, or an equinox module (its layers' keys are arguments of the call).
        parameter_and_buffer_dicts: a dict of dotted names, or several with different names. Names that are left out
            keep the module's own values.
        args: one array, or a tuple of positional arguments.
        kwargs: keyword arguments.
        training: the mode of the call; may be left out where no layer asks for it. A call inside of a ``forward`` is
            in the mode of the call around it. Flax's own layers are told (``deterministic``,
            ``use_running_average``).
        generator: what layers draw from, a ``random.Generator`` (torch's numbers) or a JAX key.
        has_aux: return ``(output, aux)``; ``aux.buffers``, ``aux.generator`` and ``aux.params`` are what the call left.
        method: the name of another method to call.
        tie_weights: a value given under one name of a shared variable holds for all its names; with False only
            for the names given.
        strict: every name of the module must be given, and no other.

    Returns:
        What the module returns, or ``(output, func.Aux)``.

    Raises:
        ValueError: a name stands in two dicts, or shared names get two values.
        RuntimeError: ``strict`` and the names differ, or a value has not the shape of the module's; the result
            depends on the mode and ``training`` is not said; buffers were updated or numbers drawn without
            ``has_aux``.
        TypeError: a layer draws and there is no ``generator``.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import func, nn, random
    >>> model = nn.Linear(3, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> func.functional_call(model, {"weight": jnp.ones((1, 3)), "bias": jnp.zeros(1)}, jnp.ones(3)).tolist()
    [3.0]
    >>> out, aux = func.functional_call(
    ...     nn.Dropout(0.5), {}, jnp.ones(6), training=True, generator=random.manual_seed(0), has_aux=True
    ... )
    >>> sorted(set(out.tolist())), aux.generator
    ([0.0, 2.0], Generator(initial_seed=0, position=12))

    Source: torch/_functorch/functional_call.py.
    """
    values = merged(parameter_and_buffer_dicts)
    check_stream(generator)
    positional = () if args is None else args if isinstance(args, tuple) else (args,)
    if not is_nnx(module):
        bound = in_mode(with_leaves(module, values, ignore_unknown=not strict), training, generator)
        out = (bound if method is None else getattr(bound, method))(*positional, **(kwargs or {}))
        return (out, Aux(split_leaves(bound)[1])) if has_aux else out
    bound = bound_copy(module, values, tie_weights=tie_weights, strict=strict)
    call = Call(None if training is None else bool(training), generator, around=call_of(module))
    enter(bound, call)
    show(bound)
    watch = Watch(dict(named_variables(bound)), bound)
    out = (bound if method is None else getattr(bound, method))(*positional, **(kwargs or {}))
    watch.check_nothing_is_lost(call, has_aux)
    return (out, watch.aux(call)) if has_aux else out
