"""L-BFGS: several quasi-Newton iterations a step, each of which may evaluate the loss again.

Torch hands ``step`` a closure that clears the gradients, evaluates the loss and calls ``backward``. Here the closure
is a pure function of the parameters that returns both, ``closure(params) -> (loss, grads)``, which is what
``autograd.backward`` gives; the whole step, line search included, is one compiled loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgrad._core.errors import check_matching_grads, explain
from jaxgrad._core.trees import is_none
from jaxgrad._core.types import Array, Grads, PyTree
from jaxgrad.optim._rule.checks import check_lr
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.packed import injected, packed, widened
from jaxgrad.optim._rule.parameters import check_not_empty, plain, torch_numbers
from jaxgrad.optim._rule.precision import double_precision
from jaxgrad.optim._rule.state import OptimizerState, ParamGroup
from jaxgrad.optim._rule.strong_wolfe import strong_wolfe
from jaxgrad.optim.step import step

Closure = Callable[[PyTree], tuple[Array, Grads]]


class LBFGSState(NamedTuple):
    """The curvature seen so far, over all parameters as one vector of n numbers."""

    func_evals: Array
    n_iter: Array
    d: Array
    t: Array
    old_dirs: Array
    """Changes of the gradient, (history_size, n); the first ``num_old`` rows hold, the oldest first."""
    old_stps: Array
    """Changes of the parameters, (history_size, n)."""
    ro: Array
    num_old: Array
    H_diag: Array
    prev_flat_grad: Array
    prev_loss: Array


class _Loop(NamedTuple):
    x: Array
    loss: Array
    grad: Array
    memory: LBFGSState
    iterations: Array
    evaluations: Array
    stop: Array


class _Options(NamedTuple):
    max_iter: int
    max_eval: int
    history_size: int
    line_search_fn: str | None


def step_with_closure(
    tx: optax.GradientTransformation, closure: Closure, params: PyTree, state: PyTree, lr: Any = None
) -> tuple[Array, PyTree, PyTree]:
    """``loss = optimizer.step(closure)`` of torch as a pure function: loss, new parameters, new state.

    For LBFGS the closure is evaluated as often as the step needs; for every other optimizer once.

    Args:
        tx: an optimizer.
        closure: ``params -> (loss, grads)``, for example ``lambda p: autograd.backward(loss_fn, p, x, y)``.
        params: the parameters.
        state: what ``tx.init(params)`` or the last step returned.
        lr: the learning rate of this step instead of the state's.

    >>> from jaxgrad import optim
    >>> tx = optim.LBFGS(line_search_fn="strong_wolfe")
    >>> params = {"w": jnp.array([3.0, -2.0])}
    >>> bowl = jax.value_and_grad(lambda p: jnp.sum(jnp.array([1.0, 10.0]) * p["w"] ** 2))
    >>> loss, params, state = optim.step_with_closure(tx, bowl, params, tx.init(params))
    >>> loss.item(), bool(jnp.max(jnp.abs(params["w"])) < 1e-3)
    (49.0, True)
    """
    descend = getattr(getattr(tx, "method", None), "descend", None)
    if descend is not None:
        return descend(closure, params, state, lr=lr)
    loss, grads = closure(params)
    params, state = step(tx, params, grads, state, lr=lr)
    return loss, params, state


def LBFGS(
    lr: Any = 1,
    max_iter: int = 20,
    max_eval: int | None = None,
    tolerance_grad: Any = 1e-7,
    tolerance_change: Any = 1e-9,
    history_size: int = 100,
    line_search_fn: str | None = None,
    *,
    param_groups: Sequence[dict[str, Any]] | None = None,
) -> Optimizer:
    """Mirror of ``torch.optim.LBFGS``; step it with ``step_with_closure``.

        d <- -H g, H from the last ``history_size`` pairs of changes (two-loop recursion)
        p <- p + t * d, t = lr (at the very first iteration lr * min(1, 1 / |g|_1)), or found by the line search

    until ``max_iter`` iterations or ``max_eval`` evaluations are done, no |g| exceeds ``tolerance_grad``, or the step
    or the change of the loss is below ``tolerance_change``.

    Differs from ``optax.lbfgs``: torch's stopping rules, torch's line search, several iterations a step. All numbers
    are of the parameters' dtype (torch keeps the loss as a double). In ``optax.chain`` pass ``closure=`` to ``update``.

    Args:
        lr: learning rate, also the line search's first step.
        max_iter: iterations a step.
        max_eval: evaluations a step, 1.25 * max_iter if None.
        tolerance_grad: stop if no element of the gradient is larger.
        tolerance_change: stop if nothing changes by more.
        history_size: remembered pairs; memory is 2 * history_size times the parameters.
        line_search_fn: ``"strong_wolfe"`` or None.
        param_groups: must be None; torch takes no groups here.

    Raises:
        ValueError: "Invalid learning rate: -1", "LBFGS doesn't support per-parameter options (parameter groups)".
        RuntimeError: "only 'strong_wolfe' is supported".

    >>> tx = LBFGS(lr=0.5, max_iter=4)
    >>> tx.init({"w": jnp.ones(2)}).state.old_dirs.shape
    (100, 2)

    Source: Nocedal and Wright, Numerical optimization, 2006, chapters 3 and 7; Schmidt, minFunc, 2005.
    """
    check_lr(lr)
    if param_groups is not None:
        raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
    if line_search_fn not in (None, "strong_wolfe"):
        raise RuntimeError(explain("only 'strong_wolfe' is supported", got=repr(line_search_fn)))
    options = _Options(max_iter, max_iter * 5 // 4 if max_eval is None else max_eval, history_size, line_search_fn)
    start = {"lr": lr, "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
    return Optimizer.of(_LBFGS(start, options))


@dataclass(frozen=True, eq=False)
class _LBFGS:
    """What LBFGS with these numbers does."""

    hyperparams: dict[str, Any]
    options: _Options

    def init(self, params: PyTree) -> OptimizerState:
        params = plain(params)
        check_not_empty(params)
        (numbers,) = torch_numbers([...], params)
        group = ParamGroup(packed(self.hyperparams), {}, numbers, injected(self.hyperparams))
        return OptimizerState(_empty(_flat(params), self.options.history_size), (group,))

    def descend(
        self, closure: Closure, params: PyTree, state: OptimizerState, *, lr: Any = None
    ) -> tuple[Array, PyTree, OptimizerState]:
        """``step(closure)`` of torch: the loss before, the new parameters, the new state."""
        (group,) = state.param_groups
        x = _flat(params)
        with double_precision():
            h = widened(group.hyperparams) | ({} if lr is None else {"lr": jnp.asarray(lr).reshape(())})
            h = {name: value.astype(x.dtype) for name, value in h.items()}
        restore = _unflattener(params)

        def evaluate(x: Array) -> tuple[Array, Array]:
            at = restore(x)
            loss, grads = closure(at)
            check_matching_grads(at, grads)
            filled = jax.tree.map(lambda g, p: jnp.zeros_like(p) if g is None else g, grads, at, is_leaf=is_none)
            return loss.astype(x.dtype), _flat(filled)

        first_loss, x, memory = _descent(evaluate, x, state.state, h, self.options)
        return first_loss, restore(x), OptimizerState(memory, state.param_groups)

    def update(
        self,
        updates: Grads,
        state: OptimizerState,
        params: PyTree | None = None,
        *,
        closure: Closure | None = None,
        lr: Any = None,
        **extra: Any,
    ) -> tuple[PyTree, OptimizerState]:
        """optax's form of ``descend``: the changes of the parameters."""
        del updates, extra
        if params is None:
            raise ValueError("update() needs the parameters: tx.update(grads, state, params)")
        if closure is None:
            raise TypeError(_needs_closure())
        _, moved, state = self.descend(closure, params, state, lr=lr)
        return jax.tree.map(jnp.subtract, moved, params), state

    def advance(self, params: PyTree, grads: Grads, state: OptimizerState, *, lr: Any = None) -> Any:
        """Refused: a step evaluates the loss again."""
        raise TypeError(_needs_closure())


def _needs_closure() -> str:
    return explain(
        "LBFGS.step() missing 1 required positional argument: 'closure'",
        remedy="optim.step_with_closure(tx, closure, params, state) with closure(params) -> (loss, grads)",
    )


def _descent(
    evaluate: Callable[[Array], tuple[Array, Array]],
    x: Array,
    memory: LBFGSState,
    h: dict[str, Array],
    options: _Options,
) -> tuple[Array, Array, LBFGSState]:
    loss, grad = evaluate(x)
    memory = memory._replace(func_evals=memory.func_evals + 1)

    def move(s: _Loop) -> _Loop:
        """Along the direction by the step length, by search or as it is; then whether to stop."""
        d, t = s.memory.d, s.memory.t
        is_last = s.iterations == options.max_iter
        if options.line_search_fn is not None:
            point, evaluations = strong_wolfe(
                lambda t: evaluate(s.x + t * d),
                t,
                d,
                s.loss,
                s.grad,
                jnp.dot(s.grad, d),
                tolerance_change=h["tolerance_change"],
                max_evaluations=options.max_eval - s.evaluations,
            )
            t, x, loss, grad = point.t, s.x + point.t * d, point.f, point.g
        else:
            x = s.x + t * d
            loss, grad = jax.lax.cond(is_last, lambda: (s.loss, s.grad), lambda: evaluate(x))
            evaluations = jnp.where(is_last, 0, 1)
        spent = s.evaluations + evaluations
        stop = (
            is_last
            | (spent >= options.max_eval)
            | (jnp.max(jnp.abs(grad)) <= h["tolerance_grad"])
            | (jnp.max(jnp.abs(d * t)) <= h["tolerance_change"])
            | (jnp.abs(loss - s.memory.prev_loss) < h["tolerance_change"])
        )
        memory = s.memory._replace(t=t, func_evals=s.memory.func_evals + evaluations)
        return _Loop(x, loss, grad, memory, s.iterations, spent, stop)

    def iterate(s: _Loop) -> _Loop:
        memory = _new_direction(s.memory, s.loss, s.grad, h["lr"])
        s = s._replace(memory=memory, iterations=s.iterations + 1)
        uphill = jnp.dot(s.grad, memory.d) > -h["tolerance_change"]
        return jax.lax.cond(uphill, lambda: s._replace(stop=jnp.asarray(True)), lambda: move(s))

    optimal = jnp.max(jnp.abs(grad)) <= h["tolerance_grad"]
    s = _Loop(x, loss, grad, memory, jnp.int32(0), jnp.int32(1), optimal | (options.max_iter < 1))
    s = jax.lax.while_loop(lambda s: ~s.stop, iterate, s)
    return loss, s.x, s.memory


def _new_direction(m: LBFGSState, loss: Array, grad: Array, lr: Array) -> LBFGSState:
    """The memory after this iteration's pair of changes, with the new direction and the first step length."""
    first = m.n_iter == 0
    m = jax.lax.cond(
        first, lambda: m._replace(num_old=jnp.int32(0), H_diag=jnp.ones_like(m.H_diag)), lambda: _remember(m, grad)
    )
    d = jax.lax.cond(first, lambda: -grad, lambda: _two_loops(m, grad))
    t = jnp.where(first, jnp.minimum(1, 1 / jnp.sum(jnp.abs(grad))) * lr, lr)
    return m._replace(n_iter=m.n_iter + 1, d=d, t=t, prev_flat_grad=grad, prev_loss=loss)


def _remember(m: LBFGSState, grad: Array) -> LBFGSState:
    """Take in the last change of gradient and parameters, unless their curvature is not clearly positive."""
    y, s = grad - m.prev_flat_grad, m.d * m.t
    ys = jnp.dot(y, s)
    size = m.ro.shape[0]
    full = m.num_old == size

    def appended(rows: Array, row: Array) -> Array:
        shifted = jnp.where(full, jnp.roll(rows, -1, axis=0), rows)
        return shifted.at[jnp.where(full, size - 1, m.num_old)].set(row)

    def taken() -> LBFGSState:
        return m._replace(
            old_dirs=appended(m.old_dirs, y),
            old_stps=appended(m.old_stps, s),
            ro=appended(m.ro, 1 / ys),
            num_old=jnp.where(full, size, m.num_old + 1),
            H_diag=ys / jnp.dot(y, y),
        )

    return jax.lax.cond(ys > 1e-10, taken, lambda: m)


def _two_loops(m: LBFGSState, grad: Array) -> Array:
    """``-H grad`` from the remembered pairs."""

    def back(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        q, al = carry
        row = m.num_old - 1 - i
        al = al.at[row].set(jnp.dot(m.old_stps[row], q) * m.ro[row])
        return q - al[row] * m.old_dirs[row], al

    def forth(row: Array, r: Array) -> Array:
        return r + m.old_stps[row] * (al[row] - jnp.dot(m.old_dirs[row], r) * m.ro[row])

    q, al = jax.lax.fori_loop(0, m.num_old, back, (-grad, jnp.zeros_like(m.ro)))
    return jax.lax.fori_loop(0, m.num_old, forth, q * m.H_diag)


def _empty(x: Array, history_size: int) -> LBFGSState:
    count, number, rows = jnp.int32(0), jnp.zeros((), x.dtype), jnp.zeros((history_size, x.size), x.dtype)
    vector = jnp.zeros_like(x)
    return LBFGSState(
        func_evals=count,
        n_iter=count,
        d=vector,
        t=number,
        old_dirs=rows,
        old_stps=rows,
        ro=jnp.zeros(history_size, x.dtype),
        num_old=count,
        H_diag=jnp.ones_like(number),
        prev_flat_grad=vector,
        prev_loss=number,
    )


def _flat(tree: PyTree) -> Array:
    """All leaves as one vector, complex numbers as pairs of reals."""
    leaves = [jnp.stack([a.real, a.imag], -1) if jnp.iscomplexobj(a) else a for a in jax.tree.leaves(tree)]
    return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves]) if leaves else jnp.zeros(0)


def _unflattener(params: PyTree) -> Callable[[Array], PyTree]:
    leaves, treedef = jax.tree.flatten(params)

    def restore(x: Array) -> PyTree:
        parts, at = [], 0
        for leaf in leaves:
            pairs = jnp.iscomplexobj(leaf)
            size = leaf.size * (2 if pairs else 1)
            part = x[at : at + size].reshape(leaf.shape + ((2,) if pairs else ()))
            parts.append((jax.lax.complex(part[..., 0], part[..., 1]) if pairs else part).astype(leaf.dtype))
            at += size
        return jax.tree.unflatten(treedef, parts)

    return restore
