"""The saved tensors of a graph: shared by its views, freed by the backward that ends it, thinned out on request."""

from collections.abc import Sequence
from typing import Any

import jax

from jaxgrad._core.errors import explain
from jaxgrad._jaxpr.bodies import inner_jaxprs
from jaxgrad._jaxpr.unstable import Jaxpr, linear_program
from jaxgrad.autograd._graph.tracing import operation_of

SECOND_TIME = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


class Saved:
    """The recipe of a backward, a pytree whose leaves are the saved tensors; one holder for every view of a graph."""

    def __init__(self, pullback: Any, freed: bool = False) -> None:
        self.pullback, self.freed = pullback, freed

    def __repr__(self) -> str:
        return "freed" if self.pullback is None else f"{len(jax.tree.leaves(self.pullback))} saved tensors"

    def take(self, retain: bool) -> Any:
        """The recipe; unless ``retain``, for the last time: no reference to the saved tensors stays here.

        Raises:
            RuntimeError: it was taken before and had saved tensors, or some of them were left out and are not back.
        """
        pullback = self.pullback
        if self.freed and (pullback is None or _saves_numbers(linear_program(pullback))):
            raise RuntimeError(SECOND_TIME)
        if isinstance(pullback, Thinned):
            raise RuntimeError(
                explain(
                    "the graph is without some of its saved tensors",
                    got=f"{len(pullback.holes)} left out by graph.without(...)",
                    remedy="graph.restore(...) with the same trees, then backward",
                )
            )
        if not retain:
            self.freed = True
            if jax.tree.leaves(pullback):  # a graph that saved nothing has nothing to free, as in torch
                self.pullback = None
        return pullback

    def without(self, arrays: Sequence[Any]) -> "Saved":
        """The same less the saved tensors that are, as objects, among ``arrays``."""
        leaves, tree = jax.tree.flatten(self.take(retain=False))
        places = {id(array): k for k, array in enumerate(arrays)}
        holes = tuple((i, places[id(leaf)]) for i, leaf in enumerate(leaves) if id(leaf) in places)
        left_out = {i for i, _ in holes}
        return Saved(Thinned([leaf for i, leaf in enumerate(leaves) if i not in left_out], tree, holes))

    def restore(self, arrays: Sequence[Any]) -> "Saved":
        """The whole again; ``arrays`` in the order that ``without`` was given."""
        if self.freed and self.pullback is None:
            raise RuntimeError(SECOND_TIME)
        thinned, self.pullback, self.freed = self.pullback, None, True
        if not isinstance(thinned, Thinned):
            return Saved(thinned)
        kept, back = iter(thinned.kept), {i: arrays[k] for i, k in thinned.holes}
        leaves = [back[i] if i in back else next(kept) for i in range(thinned.tree.num_leaves)]
        return Saved(jax.tree.unflatten(thinned.tree, leaves))


def _saves_numbers(jaxpr: Jaxpr) -> bool:
    """Whether a linear program multiplies by a number: torch keeps that number, and frees it (but for a mean's)."""
    for eqn in jaxpr.eqns:
        if any(map(_saves_numbers, inner_jaxprs(eqn))):
            return True
        if eqn.primitive.name in ("mul", "div") and (operation_of(eqn) or ("", "", None))[1] != "mean":
            return True
    return False


@jax.tree_util.register_pytree_node_class
class Thinned:
    """The saved tensors that were kept, and where the others belong."""

    def __init__(self, kept: list[Any], tree: Any, holes: tuple[tuple[int, int], ...]) -> None:
        self.kept, self.tree, self.holes = kept, tree, holes

    def tree_flatten(self) -> tuple[list[Any], tuple[Any, ...]]:
        """The kept tensors are the children."""
        return self.kept, (self.tree, self.holes)

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: Sequence[Any]) -> "Thinned":
        """The inverse of ``tree_flatten``."""
        return cls(list(children), *static)
