"""The iterations of L-BFGS over one vector, as one compiled loop that follows torch's decisions one by one."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.optim._rule.strong_wolfe import strong_wolfe


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


class Options(NamedTuple):
    max_iter: int
    max_eval: int
    history_size: int
    line_search_fn: str | None


def descent(
    evaluate: Callable[[Array], tuple[Array, Array]],
    x: Array,
    memory: LBFGSState,
    h: dict[str, Array],
    options: Options,
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
    inverse = 1 / jnp.sum(jnp.abs(grad))
    t = jnp.where(first & (inverse < 1), inverse * lr, lr)  # nan is not below 1, in Python's min
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


def empty(x: Array, history_size: int) -> LBFGSState:
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
