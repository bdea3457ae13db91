"""SparseAdam: Adam on the rows that a sparse gradient names, and on nothing else.

A sparse gradient is a ``jax.experimental.sparse.BCOO`` of the parameter's shape: ``indices`` (n, k) into the first k
dimensions and ``data`` (n, rest ...), torch's ``sparse_coo_tensor(indices.T, data)``. An index may occur several
times; its values add up. What is not named keeps its value and its moments, which is why this is not Adam on a mostly
zero gradient.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import check_matching_grads, describe, explain
from jaxgrad._core.trees import named_leaves, path_name
from jaxgrad._core.types import Array, PyTree
from jaxgrad._jaxpr.experimental import BCOO
from jaxgrad.optim._rule.arithmetic import div, mul, plus, sqrt, sub
from jaxgrad.optim._rule.checks import check, check_betas, check_one_element
from jaxgrad.optim._rule.kinds import as_tuple, constructor
from jaxgrad.optim._rule.lift import lift
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Scalars


class SparseAdamState(NamedTuple):
    """The running moments of one parameter's gradient, dense."""

    exp_avg: Array
    exp_avg_sq: Array


def _init(param: Array, hyperparams: dict[str, Any]) -> SparseAdamState:
    del hyperparams
    return SparseAdamState(jnp.zeros_like(param), jnp.zeros_like(param))


def _host(scalars: Scalars, h: dict[str, Any]) -> tuple[Constants, Scalars]:
    beta1, beta2 = h["betas"]
    t = scalars["step"]
    return {
        "one_minus_beta1": 1 - beta1,
        "one_minus_beta2": 1 - beta2,
        "minus_step_size": -h["lr"] * jnp.sqrt(1 - beta2**t) / (1 - beta1**t),
        "eps": h["eps"],
    }, {}


def _check_grads(params: PyTree, grads: PyTree) -> None:
    found = _leaves(grads)
    dense = [name for name, grad in found.items() if grad is not None and not isinstance(grad, BCOO)]
    if dense:
        raise RuntimeError(
            explain(
                "SparseAdam does not support dense gradients, please consider Adam instead",
                got=f'"{dense[0]}": {describe(found[dense[0]])}',
                expected="jax.experimental.sparse.BCOO",
            )
        )
    shapes = {n: None if g is None else jax.ShapeDtypeStruct(g.shape, g.dtype) for n, g in found.items()}
    check_matching_grads(named_leaves(params), shapes)


def _validate(*, lr: Any, betas: Any, eps: Any, maximize: bool) -> None:
    del maximize
    check_one_element("lr", lr)
    check(lambda: 0.0 < lr, f"Invalid learning rate: {lr}", lr, expected="a number > 0")
    check(lambda: 0.0 < eps, f"Invalid epsilon value: {eps}", eps, expected="a number > 0")
    check_betas(betas)


def _check_params(params: PyTree) -> None:
    for name, param in _leaves(params).items():
        if isinstance(param, BCOO):
            raise ValueError(explain("SparseAdam requires dense parameter tensors", got=f'"{name}": BCOO'))
        if jnp.iscomplexobj(param):
            raise ValueError(explain("SparseAdam does not support complex parameters", got=f'"{name}": {param.dtype}'))


@lift(
    called="SparseAdam",
    counts_in_python=True,
    init=_init,
    host=_host,
    check_grads=_check_grads,
    validate=_validate,
    check_params=_check_params,
)
def _sparse_adam(param: Array, grad: BCOO, state: SparseAdamState, c: Constants) -> tuple[Array, SparseAdamState]:
    if grad.nse == 0:
        return param, state
    once = grad.sum_duplicates(nse=grad.nse, remove_zeros=False)  # places left over point past the end
    rows = tuple(once.indices.T)
    g = once.data
    old_avg, old_avg_sq = (moment.at[rows].get(mode="fill", fill_value=0) for moment in state)
    avg_update = mul(sub(g, old_avg), c["one_minus_beta1"])
    avg_sq_update = mul(sub(mul(g, g), old_avg_sq), c["one_minus_beta2"])
    denom = plus(sqrt(plus(old_avg_sq, avg_sq_update)), c["eps"])
    delta = mul(div(plus(old_avg, avg_update), denom), c["minus_step_size"])
    return param.at[rows].add(delta, mode="drop"), SparseAdamState(
        state.exp_avg.at[rows].add(avg_update, mode="drop"),
        state.exp_avg_sq.at[rows].add(avg_sq_update, mode="drop"),
    )


def _leaves(tree: PyTree) -> dict[str, Any]:
    """The leaves by name, where a sparse array is one."""
    rows = jax.tree_util.tree_leaves_with_path(tree, is_leaf=lambda leaf: leaf is None or isinstance(leaf, BCOO))
    return {path_name(path): leaf for path, leaf in rows}


@constructor
def SparseAdam(
    lr: Any = 1e-3,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    maximize: bool = False,
    *,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.SparseAdam``; on the rows that the gradient names:

        m <- m + (1 - beta1) * (g - m),    v <- v + (1 - beta2) * (g**2 - v)
        p <- p - lr * sqrt(1 - beta2**t) / (1 - beta1**t) * m / (sqrt(v) + eps)

    optax has no counterpart. t counts the parameter's steps, whichever rows they name. A stored zero is a named row.

    Args:
        lr: learning rate.
        betas: decay of the running moments.
        eps: added outside the root, before the bias correction.
        maximize: go up instead of down.
        param_groups: groups with options of their own (see ``jaxgrad.optim.groups``).

    Raises:
        ValueError: "Invalid learning rate: 0", "Invalid epsilon value: 0", "Invalid beta parameter at index 0: 1.0";
            in ``init`` "SparseAdam requires dense parameter tensors", "SparseAdam does not support complex parameters".
        RuntimeError: "SparseAdam does not support dense gradients, please consider Adam instead", in a step.

    >>> from jaxgrad import optim
    >>> tx = SparseAdam(lr=0.1)
    >>> params = {"embedding.weight": jnp.ones((4, 2))}
    >>> grad = BCOO((jnp.full((1, 2), 0.5), jnp.array([[2]])), shape=(4, 2))
    >>> params, state = optim.step(tx, params, {"embedding.weight": grad}, tx.init(params))
    >>> params["embedding.weight"][:, 0].round(4).tolist()
    [1.0, 1.0, 0.8999999761581421, 1.0]

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015, as torch masks it.
    """
    return _sparse_adam(
        {"lr": lr, "betas": as_tuple(betas, "betas", "SparseAdam", 2), "eps": eps},
        {"maximize": maximize},
        param_groups,
    )
