"""A rule for one tensor, lifted to a tree of parameters.

- a gradient that is None leaves the parameter and its state alone, its step count included;
- hyper-parameters are arrays in the state, so that they may change between steps without recompilation;
- groups of parameters have their own hyper-parameters;
- complex parameters are stepped as pairs of reals, as torch does (``view_as_real``).

The state mirrors torch's ``state_dict()``: ``state.state`` has one record of tensors a parameter, with torch's field
names, and ``state.param_groups`` the hyper-parameters. Torch's 0-dim tensors of one parameter (``step``,
``mu_product`` ...) stand together, one vector a group: entry i belongs to the group's i-th parameter, and the host
half is one vectorised computation.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.dtypes import DEFAULT_DTYPE
from jaxgrad._core.errors import check_arrays
from jaxgrad._core.types import Array, ArrayTree, InexactTree
from jaxgrad.optim._rule.arithmetic import arithmetic_dtype
from jaxgrad.optim._rule.group import Group, groups_of
from jaxgrad.optim._rule.host import host_half
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.packed import injected, packed, renewed
from jaxgrad.optim._rule.parameters import (
    check_not_empty,
    in_jax_order,
    lr_per_group,
    members,
    plain,
    torch_numbers,
)
from jaxgrad.optim._rule.rule import Rule
from jaxgrad.optim._rule.state import OptimizerState, ParamGroup
from jaxgrad.optim.groups import Selection


@dataclass(frozen=True, eq=False)
class Lifted:
    """What an optimizer with these numbers, options and groups does."""

    rule: Rule
    hyperparams: dict[str, Any]
    options: dict[str, Any]
    groups: Sequence[dict[str, Any]] | None = None
    flags: dict[str, Any] = field(default_factory=dict)
    specs: list[Group] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        specs = groups_of(self.rule, self.hyperparams, self.options, self.flags, self.groups)
        object.__setattr__(self, "specs", specs)

    def members(self, params: ArrayTree) -> list[list[str]]:
        """The names that each group holds, in the order of the group's vectors."""
        return members(self._selections, params)

    @property
    def _selections(self) -> list[Selection]:
        return [spec.selection for spec in self.specs]

    def regroup(self, groups: Sequence[dict[str, Any]]) -> Optimizer:
        """The same optimizer with other groups."""
        return Optimizer.of(Lifted(self.rule, self.hyperparams, self.options, groups, self.flags))

    def with_hyperparams(self, hyperparams: Sequence[dict[str, Any]]) -> "Lifted":
        """The same with other numbers for each group, unchecked."""
        other = copy.copy(self)
        specs = [replace(spec, hyperparams=own) for spec, own in zip(self.specs, hyperparams, strict=True)]
        object.__setattr__(other, "specs", specs)
        return other

    def init(self, params: InexactTree) -> OptimizerState:
        """The state before the first step."""
        params = plain(params)
        check_not_empty(params)
        check_arrays(params)
        self.rule.check_params(params)
        leaves = in_jax_order(params)
        records, groups = {}, []
        numbers = torch_numbers(self._selections, params)
        for spec, names, order in zip(self.specs, self.members(params), numbers, strict=True):
            for name in names:
                records[name] = self.rule.init(leaves[name], spec.hyperparams, **spec.options)
            groups.append(_start(spec, self.rule.scalars(**spec.hyperparams), order))
        treedef = jax.tree.structure(params)
        return OptimizerState(jax.tree.unflatten(treedef, [records[name] for name in leaves]), tuple(groups))

    def advance(
        self, params: InexactTree, grads: InexactTree, state: OptimizerState, *, lr: Any = None
    ) -> tuple[InexactTree, OptimizerState]:
        """The new parameters, rounded as torch rounds them, and the new state."""
        self.rule.check_grads(params, grads)
        leaves = in_jax_order(params)
        treedef: Any = jax.tree.structure(params)
        gradients = dict(zip(leaves, treedef.flatten_up_to(grads), strict=True))
        records = dict(zip(leaves, treedef.flatten_up_to(state.state), strict=True))
        lrs = lr_per_group(lr, len(self.specs))
        groups = []
        for spec, names, group, lr_now in zip(self.specs, self.members(params), state.param_groups, lrs, strict=True):
            present = np.array([gradients[name] is not None for name in names])
            dtypes = {arithmetic_dtype(leaves[name].dtype).name for name in names}
            hyperparams, seen = renewed(group.hyperparams, group.injected, spec.hyperparams)
            group = group._replace(hyperparams=hyperparams, injected=seen)
            constants, counted = host_half(self.rule.host, group, lr_now, present, dtypes)
            for index, name in enumerate(names):
                if present[index]:
                    leaves[name], records[name] = _one_tensor(
                        self.rule.tensor, spec, leaves[name], gradients[name], records[name], constants, index
                    )
            groups.append(group._replace(scalars=counted))
        return (
            jax.tree.unflatten(treedef, list(leaves.values())),
            OptimizerState(jax.tree.unflatten(treedef, list(records.values())), tuple(groups)),
        )

    def update(
        self,
        updates: InexactTree,
        state: OptimizerState,
        params: InexactTree | None = None,
        *,
        lr: Any = None,
        **extra: Any,
    ) -> tuple[InexactTree, OptimizerState]:
        """optax's form of ``advance``: the changes of the parameters, None where there is no gradient."""
        del extra
        if params is None:
            raise ValueError("update() needs the parameters: tx.update(grads, state, params)")
        moved, new_state = self.advance(params, updates, state, lr=lr)
        treedef: Any = jax.tree.structure(params)
        rows = zip(treedef.flatten_up_to(updates), jax.tree.leaves(moved), jax.tree.leaves(params), strict=True)
        return treedef.unflatten([None if g is None else new - old for g, new, old in rows]), new_state


def _start(spec: Group, scalars: dict[str, Any], numbers: Array) -> ParamGroup:
    return ParamGroup(
        hyperparams=packed(spec.hyperparams),
        scalars={"step": jnp.zeros(numbers.shape, jnp.int32)}
        | {name: jnp.full(numbers.shape, jnp.asarray(v).reshape(()), DEFAULT_DTYPE) for name, v in scalars.items()},
        params=numbers,
        injected=injected(spec.hyperparams),
    )


def _one_tensor(
    rule: Callable[..., Any],
    spec: Group,
    param: Array,
    grad: Array,
    record: Any,
    constants: dict[str, dict[str, Array]],
    index: int,
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
