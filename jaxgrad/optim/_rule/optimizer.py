"""The optimizer as optax knows one, and what it knows beyond."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import optax

from jaxgrad._core.types import InexactTree


class Method(Protocol):
    """What an optimizer does, as an object: ``init`` and ``update`` are optax's, ``advance`` is torch's step."""

    def init(self, params: InexactTree) -> Any:
        """The state before the first step."""

    def update(
        self, updates: InexactTree, state: Any, params: InexactTree | None = None, **extra: Any
    ) -> tuple[InexactTree, Any]:
        """The changes of the parameters and the new state."""

    def advance(
        self, params: InexactTree, grads: InexactTree, state: Any, *, lr: Any = None
    ) -> tuple[InexactTree, Any]:
        """The new parameters and the new state."""


class Optimizer(optax.GradientTransformationExtraArgs):
    """An ``optax.GradientTransformation`` that also knows the new parameters exactly.

    ``update`` returns ``new - old``, as optax wants it; adding that to the old value may round once more than torch
    does. ``step`` therefore takes the new parameters from ``method.advance`` where the transformation is ours.

    >>> import pickle
    >>> from jaxgrad import optim
    >>> tx = pickle.loads(pickle.dumps(optim.Adam(lr=0.5)))
    >>> tx.method.hyperparams["lr"], type(tx._replace(update=lambda *a: a)).__name__
    (0.5, 'GradientTransformationExtraArgs')
    """

    method: Any
    """What it does: ``Lifted``, or LBFGS's own."""

    @classmethod
    def of(cls, method: Method) -> "Optimizer":
        """The optimizer that does what ``method`` does."""
        tx = cls(method.init, method.update)
        tx.method = method
        return tx

    def _replace(self, **changes: Callable[..., Any]) -> optax.GradientTransformationExtraArgs:
        """With another ``init`` or ``update``; with another update it is one of optax's, which ``step`` obeys."""
        replaced = {**self._asdict(), **changes}
        if "update" in changes:
            return optax.GradientTransformationExtraArgs(**replaced)
        tx = Optimizer(**replaced)
        tx.method = self.method
        return tx

    @property
    def groups(self) -> Sequence[dict[str, Any]] | None:
        """What was given as ``param_groups``."""
        return getattr(self.method, "groups", None)
