"""What all optimizers share: torch's rule for one tensor, lifted to trees.

An optimizer is written as torch writes it, in two halves. The *host* half is what torch computes in Python's doubles
before it touches a tensor: from the counters and hyper-parameters to the constants of this step. The *rule* is what
happens to one tensor, its gradient and its state with these constants. ``lift`` makes of the two a pure
``optax.GradientTransformation`` over a tree of parameters:

- a gradient that is None leaves the parameter and its state alone, its step count included;
- hyper-parameters are arrays in the state, so that they may change between steps without recompilation;
- groups of parameters have their own hyper-parameters;
- complex parameters are stepped as pairs of reals, as torch does (``view_as_real``).

The state mirrors torch's ``state_dict()``: ``state.state`` has one record of tensors a parameter, with torch's field
names, and ``state.param_groups`` the hyper-parameters. Torch's 0-dim tensors of one parameter (``step``,
``mu_product`` ...) stand together, one vector a group: entry i belongs to the group's i-th parameter, and the host
half is one vectorised computation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgrad._core.errors import check_matching_grads, explain
from jaxgrad._core.flat import Flat
from jaxgrad._core.trees import is_none, path_name
from jaxgrad._core.types import Array, Grads, PyTree
from jaxgrad.optim.arithmetic import arithmetic_dtype
from jaxgrad.optim.groups import members_of_groups, selection_of
from jaxgrad.optim.packed import Packed
from jaxgrad.optim.precision import double_precision

Constants = dict[str, Array]
"""The numbers of one step: float64 scalars, or vectors with an entry for each parameter of the group."""

Scalars = dict[str, Array]
"""Torch's 0-dim state tensors, a vector each with an entry for each parameter of the group; always ``step``."""


class ParamGroup(NamedTuple):
    """What changes of one of torch's ``param_groups``."""

    hyperparams: Packed
    """``{"lr": ..., "betas": (..., ...)}`` in one array; see ``get_hyperparams`` and ``set_hyperparams``."""

    scalars: Scalars
    """``{"step": int32 (n,)}`` and what else torch keeps as one number a parameter."""


class OptimizerState(Flat):
    """The state of an optimizer, after torch's ``state_dict()``; as a pytree it is one node.

    Attributes:
        state: the tree of the parameters with one record a parameter: ``state["0.weight"].exp_avg``.
        param_groups: one :class:`ParamGroup` a group.
    """

    __slots__ = ()
    _fields = ("state", "param_groups")

    def __init__(self, state: PyTree, param_groups: tuple[ParamGroup, ...]) -> None:
        super().__init__(state, param_groups)

    @property
    def state(self) -> PyTree:
        """The tree of the parameters with one record a parameter."""
        return self._parts()[0]

    @property
    def param_groups(self) -> tuple[ParamGroup, ...]:
        """What torch keeps in ``optimizer.param_groups``."""
        return self._parts()[1]


class Optimizer(optax.GradientTransformationExtraArgs):
    """An ``optax.GradientTransformation`` that also knows the new parameters exactly.

    ``update`` returns ``new - old``, as optax wants it; adding that to the old value may round once more than torch
    does. ``step`` therefore takes the new parameters from ``advance`` where the transformation is ours.
    """

    advance: Callable[..., tuple[PyTree, OptimizerState]]
    """``(params, grads, state, *, lr) -> (params, state)``."""
    members: Callable[[PyTree], list[list[str]]]
    """The names that each group holds, in the order of the group's vectors."""
    regroup: Callable[[Sequence[dict[str, Any]]], "Optimizer"]
    """The same optimizer with other groups."""
    groups: Sequence[dict[str, Any]] | None
    counts_steps: bool
    """Whether torch keeps a ``step`` for each parameter (not in SGD and Muon)."""


@dataclass(frozen=True)
class _Group:
    """The static side of a group: its parameters, the starting hyper-parameters, the options that shape the code."""

    selection: Any
    hyperparams: dict[str, Any]
    options: dict[str, Any]
    maximize: bool


def step(
    tx: optax.GradientTransformation, params: PyTree, grads: Grads, state: PyTree, lr: Any = None
) -> tuple[PyTree, PyTree]:
    """``optimizer.step()`` of torch as a pure function: the new parameters and the new state.

    Differs from optax: a gradient that is None leaves its parameter and that parameter's state as they are, and the
    new parameters are rounded as torch rounds them.

    Args:
        tx: an optimizer of this package, or any ``optax.GradientTransformation`` (a chain of them).
        params: the parameters.
        grads: gradients with the keys of ``params``; None where there is none, known when the function is traced.
        state: what ``tx.init(params)`` or the last step returned.
        lr: the learning rate of this step instead of the state's: a number, an array, or one for each group. Inside
            ``jit`` an array is float32; for a double's accuracy put it into the state with ``set_hyperparams``.

    Raises:
        RuntimeError: keys, shapes or dtypes of ``grads`` do not fit ``params``.
        TypeError: ``lr`` was given and ``tx`` cannot take it.

    >>> from jaxgrad import optim
    >>> tx = optim.SGD(lr=0.5)
    >>> params = {"w": jnp.ones(2), "frozen": jnp.ones(2)}
    >>> params, state = optim.step(tx, params, {"w": jnp.ones(2), "frozen": None}, tx.init(params))
    >>> [params["w"].tolist(), params["frozen"].tolist()]
    [[0.5, 0.5], [1.0, 1.0]]
    """
    advance = getattr(tx, "advance", None)
    if advance is not None:
        return advance(params, grads, state, lr=lr)
    check_matching_grads(params, grads)
    if lr is None:
        updates, state = tx.update(grads, state, params)
    elif isinstance(tx, optax.GradientTransformationExtraArgs):
        updates, state = tx.update(grads, state, params, lr=lr)
    else:
        raise TypeError(
            explain(
                "step() got an lr, but this transformation takes no extra arguments",
                remedy="leave lr out, or use an optimizer of jaxgrad.optim (also inside optax.chain)",
            )
        )
    return apply_updates(params, updates), state


def apply_updates(params: PyTree, updates: PyTree) -> PyTree:
    """``optax.apply_updates`` where an update may be None: the parameter stays.

    >>> apply_updates({"a": jnp.ones(()), "b": jnp.ones(())}, {"a": jnp.ones(()), "b": None})["a"].item()
    2.0
    """
    return jax.tree.map(
        lambda p, u: p if p is None or u is None else jnp.asarray(p + u, dtype=jnp.result_type(p)),
        params,
        updates,
        is_leaf=is_none,
    )


def lift(
    *,
    init: Callable[..., Any],
    host: Callable[..., tuple[Constants, Scalars]],
    scalars: Callable[..., dict[str, Any]] = lambda **hyperparams: {},
    check_grads: Callable[[PyTree, PyTree], None] = check_matching_grads,
    counts_steps: bool = True,
) -> Callable[[Callable[..., tuple[Array, Any]]], Callable[..., Optimizer]]:
    """Lift a rule ``(param, grad, state, c, **options) -> (param, state)`` for one tensor to trees and groups.

    Args:
        init: ``(param, hyperparams, **options) -> state``, one parameter's record of tensors before the first step.
        host: ``(scalars, hyperparams) -> (constants, new_scalars)`` in float64; ``scalars["step"]`` is counted up
            already. It sees one vector for all parameters of a group.
        scalars: ``(**hyperparams) -> {name: start}``, what torch keeps as 0-dim tensors beside ``step``.
        check_grads: ``(params, grads)`` raises where they do not fit.
        counts_steps: whether torch's optimizer keeps a ``step``; here it is always counted.

    Returns:
        a decorator; the lifted rule is called as ``rule(validate, hyperparams, options, groups)`` and gives the
        optimizer. ``validate(**hyperparams, **options)`` raises on values that torch refuses.
    """

    def decorate(rule: Callable[..., tuple[Array, Any]]) -> Callable[..., Optimizer]:
        def build(
            validate: Callable[..., None],
            hyperparams: dict[str, Any],
            options: dict[str, Any],
            groups: Sequence[dict[str, Any]] | None = None,
            check_params: Callable[[PyTree], None] = lambda params: None,
        ) -> Optimizer:
            validate(**hyperparams, **options)
            specs = _specs(validate, hyperparams, options, groups)

            def members(params: PyTree) -> list[list[str]]:
                return members_of_groups([spec.selection for spec in specs], named_leaves_in_order(params))

            def init_fn(params: PyTree) -> OptimizerState:
                check_params(params)
                leaves = named_leaves_in_order(params)
                records, states = {}, []
                for spec, names in zip(specs, members(params), strict=True):
                    for name in names:
                        records[name] = init(leaves[name], spec.hyperparams, **spec.options)
                    states.append(_start(spec, scalars(**spec.hyperparams), len(names)))
                treedef = jax.tree.structure(params)
                return OptimizerState(jax.tree.unflatten(treedef, [records[n] for n in leaves]), tuple(states))

            def advance(
                params: PyTree, grads: Grads, state: OptimizerState, *, lr: Any = None
            ) -> tuple[PyTree, OptimizerState]:
                check_grads(params, grads)
                leaves = named_leaves_in_order(params)
                treedef: Any = jax.tree.structure(params)
                gradients = dict(zip(leaves, treedef.flatten_up_to(grads), strict=True))
                records = dict(zip(leaves, treedef.flatten_up_to(state.state), strict=True))
                lrs = _lr_per_group(lr, len(specs))
                states = []
                for spec, names, group, lr_now in zip(specs, members(params), state.param_groups, lrs, strict=True):
                    present = np.array([gradients[name] is not None for name in names])
                    dtypes = {arithmetic_dtype(leaves[name].dtype).name for name in names}
                    constants, counted = _host_half(host, group, lr_now, present, dtypes)
                    for index, name in enumerate(names):
                        if present[index]:
                            leaves[name], records[name] = _one_tensor(
                                rule, spec, leaves[name], gradients[name], records[name], constants, index
                            )
                    states.append(group._replace(scalars=counted))
                return (
                    jax.tree.unflatten(treedef, list(leaves.values())),
                    OptimizerState(jax.tree.unflatten(treedef, list(records.values())), tuple(states)),
                )

            def update_fn(
                updates: Grads, state: OptimizerState, params: PyTree | None = None, *, lr: Any = None, **extra: Any
            ) -> tuple[PyTree, OptimizerState]:
                del extra
                if params is None:
                    raise ValueError("update() needs the parameters: tx.update(grads, state, params)")
                moved, new_state = advance(params, updates, state, lr=lr)
                treedef: Any = jax.tree.structure(params)
                rows = zip(treedef.flatten_up_to(updates), jax.tree.leaves(moved), jax.tree.leaves(params), strict=True)
                return treedef.unflatten([None if g is None else new - old for g, new, old in rows]), new_state

            tx = Optimizer(init_fn, update_fn)
            tx.advance, tx.members, tx.groups, tx.counts_steps = advance, members, groups, counts_steps
            tx.regroup = lambda new_groups: build(validate, hyperparams, options, new_groups, check_params)
            return tx

        return build

    return decorate


def named_leaves_in_order(params: PyTree) -> dict[str, Any]:
    """The parameters by dotted name in JAX's order, the order of the groups' vectors."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(params)}


def _specs(
    validate: Callable[..., None],
    hyperparams: dict[str, Any],
    options: dict[str, Any],
    groups: Sequence[dict[str, Any]] | None,
) -> list[_Group]:
    if groups is None:
        return [_group(..., hyperparams, options)]
    specs = []
    for group in groups:
        selection = selection_of(group)
        unknown = group.keys() - hyperparams.keys() - options.keys() - {"params"}
        if unknown:
            raise TypeError(
                explain(
                    f"parameter group got an unexpected option {sorted(unknown)[0]!r}",
                    expected=", ".join([*hyperparams, *options]),
                )
            )
        own_hyperparams = {key: group.get(key, value) for key, value in hyperparams.items()}
        own_options = {key: group.get(key, value) for key, value in options.items()}
        validate(**own_hyperparams, **own_options)
        specs.append(_group(selection, own_hyperparams, own_options))
    return specs


def _group(selection: Any, hyperparams: dict[str, Any], options: dict[str, Any]) -> _Group:
    shaping = {key: value for key, value in options.items() if key != "maximize"}
    return _Group(selection, hyperparams, shaping, maximize=options.get("maximize", False))


def _start(spec: _Group, scalars: dict[str, Any], count: int) -> ParamGroup:
    dtype = jnp.result_type(float)
    return ParamGroup(
        hyperparams=Packed.of(spec.hyperparams),
        scalars={"step": jnp.zeros(count, jnp.int32)}
        | {name: jnp.full(count, jnp.asarray(value).reshape(()), dtype) for name, value in scalars.items()},
    )


def _lr_per_group(lr: Any, count: int) -> list[Any]:
    if lr is None or not (isinstance(lr, (list, tuple)) or np.ndim(lr) == 1):
        return [lr] * count
    if len(lr) != count:
        raise ValueError(explain(f"expected one lr for each of {count} parameter groups", got=f"{len(lr)} of them"))
    return list(lr)


def _host_half(
    host: Callable, group: ParamGroup, lr: Any, present: np.ndarray, dtypes: set[str]
) -> tuple[dict[str, Any], Scalars]:
    """The constants of this step in the dtypes of the arithmetic, and the scalars of the parameters with a gradient."""
    if not present.any():
        return {}, group.scalars
    counted = group.scalars | {"step": _next(group.scalars["step"])}
    with double_precision():
        hyperparams = group.hyperparams.widened()
        if lr is not None:
            hyperparams["lr"] = jnp.asarray(lr).reshape(()).astype(jnp.float64)
        wide = {name: vector.astype(jnp.float64) for name, vector in counted.items()}
        constants, changed = host(wide, hyperparams)
        narrowed = {
            dtype: {name: jnp.asarray(value).astype(dtype) for name, value in constants.items()}
            for dtype in sorted(dtypes)
        }
        narrowed = jax.lax.optimization_barrier(narrowed)  # once a group; XLA's CPU compiler drops it, and hoists them
        counted |= {name: value.astype(counted[name].dtype) for name, value in changed.items()}
    if not present.all():
        counted = {name: jnp.where(present, vector, group.scalars[name]) for name, vector in counted.items()}
    return narrowed, counted


def _next(count: Array) -> Array:
    """``count + 1``, computed once: a bare sum XLA would repeat in each loop that reads it, from a copy of the old."""
    return jax.lax.rem(count + 1, np.int32(2**31 - 1))


def _one_tensor(
    rule: Callable, spec: _Group, param: Array, grad: Array, record: Any, constants: dict[str, Any], index: int
) -> tuple[Array, Any]:
    real = arithmetic_dtype(param.dtype)
    c = {
        name: value if value.ndim == 0 else jax.lax.index_in_dim(value, index, keepdims=False)
        for name, value in constants[real.name].items()
    }
    if spec.maximize:
        grad = -grad
    if not jnp.iscomplexobj(param):
        return rule(param, grad, record, c, **spec.options)
    real_parts = jax.tree.map(_view_as_real, (param, grad, record))
    return jax.tree.map(_view_as_complex, rule(*real_parts, c, **spec.options))


def _view_as_real(array: Array) -> Array:
    return jnp.stack([array.real, array.imag], axis=-1)


def _view_as_complex(array: Array) -> Array:
    return jax.lax.complex(array[..., 0], array[..., 1])
