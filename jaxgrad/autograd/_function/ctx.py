"""The context of a custom function: what the forward keeps for the backward, as a value.

In torch a context is an object that lives in the graph. Here it is a pytree: whatever arrays the forward stores in it
are its leaves, everything else is static, so it can be the residual of a ``jax.custom_vjp`` under any transformation.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax

from jaxgrad._core.errors import explain
from jaxgrad._core.trees import is_tensor


class Static:
    """A value that is no array, carried in the structure of a tree; equal to itself only."""

    def __init__(self, value: Any) -> None:
        self.value = value


@jax.tree_util.register_pytree_node_class
class FunctionCtx:
    """Mirror of ``torch.autograd.function.FunctionCtx``: the first argument of ``forward`` and ``backward``.

    Attributes may be set freely; arrays among them, also inside tuples, lists and dicts, travel with the trace.

    Attributes:
        needs_input_grad: for every argument of ``apply``, whether its gradient is asked for.
        saved_tensors: what ``save_for_backward`` was given (in ``jvp``: ``save_for_forward``).

    >>> import numpy as np
    >>> ctx = FunctionCtx()
    >>> ctx.save_for_backward(np.ones(2), None)
    >>> ctx.scale = 3
    >>> [type(leaf).__name__ for leaf in jax.tree.leaves(ctx)]
    ['ndarray']
    """

    needs_input_grad: tuple[bool, ...]

    def __init__(self, needs_input_grad: tuple[bool, ...] = ()) -> None:
        self.needs_input_grad = needs_input_grad
        self.to_save: tuple[Any, ...] = ()
        self.saved_for_forward: tuple[Any, ...] = ()
        self.materialize_grads = True
        self.non_differentiable: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep arrays (or None) for ``backward``; anything else is set as an attribute.

        Args:
            tensors: inputs or outputs where second derivatives are wanted; whatever the backward needs.

        Raises:
            TypeError: an argument is not an array.

        >>> import numpy as np
        >>> ctx = FunctionCtx()
        >>> ctx.save_for_backward(np.ones(2))
        >>> ctx.saved_tensors
        (array([1., 1.]),)
        """
        for i, tensor in enumerate(tensors):
            if tensor is not None and not is_tensor(tensor):
                raise TypeError(
                    explain(
                        f"save_for_backward can only save variables, but argument {i} is of type "
                        f"{type(tensor).__name__}",
                        remedy="set it as an attribute: ctx.name = value",
                    )
                )
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep arrays (or None) for ``jvp``, where they are ``saved_tensors``.

        Args:
            tensors: whatever the ``jvp`` needs.

        Raises:
            AssertionError: "save_for_forward expects all arguments to be tensors; ...".
        """
        if not all(tensor is None or is_tensor(tensor) for tensor in tensors):
            raise AssertionError(
                "save_for_forward expects all arguments to be tensors; you should "
                "save non-tensors as attributes on ctx."
            )
        self.saved_for_forward = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The arrays that were saved, in order."""
        return self.to_save

    def mark_non_differentiable(self, *args: Any) -> None:
        """Outputs through which no gradient flows; ``backward`` still gets a zero for each of them.

        Args:
            args: the very arrays that ``forward`` returns.

        Raises:
            TypeError: an argument is not an array.
        """
        for i, arg in enumerate(args):
            if not is_tensor(arg):
                raise TypeError(
                    f"mark_non_differentiable only accepts variable arguments, but got {type(arg).__name__} "
                    f"(argument {i})"
                )
        self.non_differentiable = args

    def mark_dirty(self, *args: Any) -> None:
        """Refused: an array cannot have been modified in place.

        Raises:
            RuntimeError: always.
        """
        del args
        raise RuntimeError(
            explain(
                "ctx.mark_dirty() cannot mean anything: arrays are values, no input was modified",
                remedy="return the new value as an output of forward, and leave mark_dirty out",
            )
        )

    def set_materialize_grads(self, value: bool) -> None:
        """Whether an output that nothing depends on hands zeros to ``backward``, or None.

        Args:
            value: True is the default; False hands None.
        """
        self.materialize_grads = value

    def for_forward(self) -> "FunctionCtx":
        """The context as ``jvp`` sees it."""
        other = FunctionCtx()
        vars(other).update(vars(self), to_save=self.saved_for_forward)
        return other

    def replaced(self, old: Sequence[Any], new: Sequence[Any]) -> "FunctionCtx":
        """The context with the very arrays ``old``, wherever they were stored, exchanged for ``new``."""
        exchange = {id(a): b for a, b in zip(old, new, strict=True)}
        other = FunctionCtx()
        vars(other).update(jax.tree.map(lambda leaf: exchange.get(id(leaf), leaf), vars(self), is_leaf=is_tensor))
        return other

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The stored arrays, and everything else as structure."""
        leaves, treedef = jax.tree.flatten(dict(vars(self), non_differentiable=()))
        arrays = tuple(leaf for leaf in leaves if is_tensor(leaf))
        return arrays, (treedef, tuple(None if is_tensor(leaf) else Static(leaf) for leaf in leaves))

    @classmethod
    def tree_unflatten(cls, structure: tuple[Any, ...], arrays: Sequence[Any]) -> "FunctionCtx":
        """The inverse of ``tree_flatten``."""
        treedef, statics = structure
        rest: Iterator[Any] = iter(arrays)
        ctx = cls()
        vars(ctx).update(treedef.unflatten([next(rest) if each is None else each.value for each in statics]))
        return ctx
