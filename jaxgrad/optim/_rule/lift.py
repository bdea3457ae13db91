"""The decorator that makes an optimizer of torch's rule for one tensor."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from jaxgrad._core.errors import check_matching_grads
from jaxgrad._core.types import Array, PyTree
from jaxgrad.optim._rule.lifted import Lifted
from jaxgrad.optim._rule.optimizer import Optimizer
from jaxgrad.optim._rule.rule import Constants, Rule, Scalars


class Lift(Rule):
    """A rule that can be called with numbers, options and groups for an optimizer."""

    def __call__(
        self,
        hyperparams: dict[str, Any],
        options: dict[str, Any],
        groups: Sequence[dict[str, Any]] | None = None,
        flags: Mapping[str, Any] = MappingProxyType({}),
    ) -> Optimizer:
        """The optimizer with these numbers, options and groups; refuses what ``validate`` refuses."""
        return Optimizer.of(Lifted(self, hyperparams, options, groups, dict(flags)))


def lift(
    *,
    called: str,
    init: Callable[..., Any],
    host: Callable[..., tuple[Constants, Scalars]],
    scalars: Callable[..., dict[str, Any]] = lambda **hyperparams: {},
    validate: Callable[..., None] = lambda **arguments: None,
    check_params: Callable[[PyTree], None] = lambda params: None,
    check_grads: Callable[[PyTree, PyTree], None] = check_matching_grads,
    counts_steps: bool = True,
    counts_in_python: bool = False,
    starts_at_once: bool = False,
) -> Callable[[Callable[..., tuple[Array, Any]]], Lift]:
    """Lift a rule ``(param, grad, state, c, **options) -> (param, state)`` for one tensor to trees and groups.

    Args:
        called: torch's name of the optimizer.
        init: ``(param, hyperparams, **options) -> state``, one parameter's record of tensors before the first step.
        host: ``(scalars, hyperparams) -> (constants, new_scalars)`` in float64; ``scalars["step"]`` is counted up
            already. It sees one vector for all parameters of a group. With ``scalars`` it takes a third argument, which
            rounds a number as the state keeps it.
        scalars: ``(**hyperparams) -> {name: start}``, what torch keeps as 0-dim tensors beside ``step``.
        validate: ``(**hyperparams, **options)`` raises on values that torch refuses.
        check_params: ``(params)`` raises on parameters that torch refuses.
        check_grads: ``(params, grads)`` raises where they do not fit.
        counts_steps: whether torch's optimizer keeps a ``step``; here it is always counted.
        counts_in_python: whether torch's ``step`` is a Python integer.
        starts_at_once: whether torch makes the state in its constructor, not at the first step.

    Returns:
        a decorator; the lifted rule is called as ``rule(hyperparams, options, groups)`` and gives the optimizer.
    """

    def decorate(tensor: Callable[..., tuple[Array, Any]]) -> Lift:
        return Lift(
            tensor=tensor,
            called=called,
            init=init,
            host=host,
            scalars=scalars,
            validate=validate,
            check_params=check_params,
            check_grads=check_grads,
            counts_steps=counts_steps,
            counts_in_python=counts_in_python,
            starts_at_once=starts_at_once,
        )

    return decorate
