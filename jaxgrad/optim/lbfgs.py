"""L-BFGS: several quasi-Newton iterations a step, each of which may evaluate the loss again.

Torch hands ``step`` a closure that clears the gradients, evaluates the loss and calls ``backward``. Here the closure
is a pure function of the parameters that returns both, ``closure(params) -> (loss, grads)``, which is what
``autograd.backward`` gives; the whole step, line search included, is one compiled loop.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Float

from jaxgrad._core.arguments import as_integer
from jaxgrad._core.errors import check_matching_grads, explain
from jaxgrad._core.trees import is_none
from jaxgrad._core.types import Array, InexactTree, PyTree
from jaxgrad.optim._rule.checks import check_lr
from jaxgrad.optim._rule.compiled import compiled_descent
from jaxgrad.optim._rule.descent import Options, empty
from jaxgrad.optim._rule.entries import as_number, check_groups, check_options
from jaxgrad.optim._rule.flat_vector import flat, torch_places, unflattener
from jaxgrad.optim._rule.kinds import check_kinds, constructor
from jaxgrad.optim._rule.lbfgs_entry import from_torch_entry, torch_entry
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.packed import injected, packed, unpacked, widened
from jaxgrad.optim._rule.parameters import check_not_empty, in_jax_order, plain, torch_numbers
from jaxgrad.optim._rule.precision import double_precision
from jaxgrad.optim._rule.state import OptimizerState, ParamGroup
from jaxgrad.optim.step import step

Closure = Callable[[InexactTree], tuple[Array, InexactTree]]


def step_with_closure(
    tx: optax.GradientTransformation, closure: Closure, params: InexactTree, state: PyTree, lr: Any = None
) -> tuple[Float[Array, ""], InexactTree, PyTree]:
    """``loss = optimizer.step(closure)`` of torch as a pure function: loss, new parameters, new state.

    For LBFGS the closure is evaluated as often as the step needs; for every other optimizer once.

    Args:
        tx: an optimizer.
        closure: ``params -> (loss, grads)``, for example ``lambda p: autograd.backward(loss_fn, p, x, y)``.
        params: the parameters.
        state: what ``tx.init(params)`` or the last step returned.
        lr: the learning rate of this step instead of the state's.

    Returns:
        The loss before the step, the new parameters, the new state. Outside ``jit`` LBFGS compiles once for all
        closures that do the same on other arrays.

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


@constructor
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

    Returns:
        The optimizer.

    Raises:
        ValueError: "Invalid learning rate: -1", "LBFGS doesn't support per-parameter options (parameter groups)".
        RuntimeError: "only 'strong_wolfe' is supported".

    >>> tx = LBFGS(lr=0.5, max_iter=4)
    >>> tx.init({"w": jnp.ones(2)}).state.old_dirs.shape
    (100, 2)

    Source: Nocedal and Wright, Numerical optimization, 2006, chapters 3 and 7; Schmidt, minFunc, 2005.
    """
    start = {"lr": lr, "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change}
    check_kinds("LBFGS", start)
    check_lr(lr)
    max_iter, history_size = (
        as_integer(max_iter, "max_iter", "LBFGS"),
        as_integer(history_size, "history_size", "LBFGS"),
    )
    max_eval = None if max_eval is None else as_integer(max_eval, "max_eval", "LBFGS")
    if param_groups is not None:
        raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
    if line_search_fn not in (None, "strong_wolfe"):
        raise RuntimeError(explain("only 'strong_wolfe' is supported", got=repr(line_search_fn)))
    options = Options(max_iter, max_iter * 5 // 4 if max_eval is None else max_eval, history_size, line_search_fn)
    return Optimizer.of(_LBFGS(start, options))


@dataclass(frozen=True, eq=False)
class _LBFGS:
    """What LBFGS with these numbers does."""

    hyperparams: dict[str, Any]
    options: Options

    def init(self, params: InexactTree) -> OptimizerState:
        params = plain(params)
        check_not_empty(params)
        (numbers,) = torch_numbers([...], params)
        group = ParamGroup(packed(self.hyperparams), {}, numbers, injected(self.hyperparams))
        return OptimizerState(empty(flat(params), self.options.history_size), (group,))

    def descend(
        self, closure: Closure, params: InexactTree, state: OptimizerState, *, lr: Any = None
    ) -> tuple[Float[Array, ""], InexactTree, OptimizerState]:
        """``step(closure)`` of torch: the loss before, the new parameters, the new state."""
        (group,) = state.param_groups
        x = flat(params)
        with double_precision():
            h = widened(group.hyperparams) | ({} if lr is None else {"lr": jnp.asarray(lr).reshape(())})
            h = {name: value.astype(x.dtype) for name, value in h.items()}
        restore = unflattener(params)

        def evaluate(x: Array) -> tuple[Array, Array]:
            at = restore(x)
            loss, grads = closure(at)
            check_matching_grads(at, grads)
            filled = jax.tree.map(lambda g, p: jnp.zeros_like(p) if g is None else g, grads, at, is_leaf=is_none)
            return loss.astype(x.dtype), flat(filled)

        first_loss, x, memory = compiled_descent(evaluate, x, state.state, h, self.options)
        return first_loss, restore(x), OptimizerState(memory, state.param_groups)

    def state_dict(self, params: InexactTree, state: OptimizerState) -> dict[str, Any]:
        """torch's form: one entry, under the first parameter, over all parameters in torch's order."""
        (group,) = state.param_groups
        options = self.options._asdict() | unpacked(group.hyperparams)
        numbers = {"params": list(range(group.params.size))}
        entry = torch_entry(state.state, torch_places(params, group.params))
        return {"state": {0: entry} if entry else {}, "param_groups": [options | numbers]}

    def load_state_dict(
        self, params: InexactTree, state_dict: Mapping[str, Any], state: OptimizerState | None
    ) -> OptimizerState:
        """The state that goes on where a dictionary in torch's form stops."""
        fresh = self.init(params) if state is None else state
        (group,) = fresh.param_groups
        saved = state_dict["param_groups"]
        check_groups(saved, [list(in_jax_order(params))])
        check_options(self.options._asdict(), saved[0])
        numbers = {name: as_number(saved[0].get(name, start)) for name, start in self.hyperparams.items()}
        memory = empty(flat(params), self.options.history_size)
        for entry in state_dict["state"].values():
            memory = from_torch_entry(memory, entry, torch_places(params, group.params))
        return OptimizerState(memory, (group._replace(hyperparams=packed(numbers)),))

    def update(
        self,
        updates: InexactTree,
        state: OptimizerState,
        params: InexactTree | None = None,
        *,
        closure: Closure | None = None,
        lr: Any = None,
        **extra: Any,
    ) -> tuple[InexactTree, OptimizerState]:
        """optax's form of ``descend``: the changes of the parameters."""
        del updates, extra
        if params is None:
            raise ValueError("update() needs the parameters: tx.update(grads, state, params)")
        if closure is None:
            raise TypeError(_needs_closure())
        _, moved, state = self.descend(closure, params, state, lr=lr)
        return jax.tree.map(jnp.subtract, moved, params), state

    def advance(self, params: InexactTree, grads: InexactTree, state: OptimizerState, *, lr: Any = None) -> Any:
        """Refused: a step evaluates the loss again."""
        raise TypeError(_needs_closure())


def _needs_closure() -> str:
    return explain(
        "LBFGS.step() missing 1 required positional argument: 'closure'",
        remedy="optim.step_with_closure(tx, closure, params, state) with closure(params) -> (loss, grads)",
    )
