"""Which leaves to differentiate: torch's ``inputs=`` and ``requires_grad``, as sets of positions."""

from dataclasses import dataclass

import jax

from jaxgrad._core.errors import check_differentiable
from jaxgrad._core.selection import Where, is_mask, select
from jaxgrad._core.trees import is_array, named_leaves, path_name
from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.dependence import NOTHING, Leaves, Reach


@dataclass(frozen=True)
class Choice:
    """The leaves that take part in a backward, as positions in the flattened parameters."""

    wanted: Leaves
    """Those that get a gradient."""
    requires: Leaves
    """Those that require grad. More than the wanted ones with names (torch's ``inputs=``): a result that depends on
    the others alone has a graph all the same. The same with a mask, which is torch's ``requires_grad``."""

    def inputs(self, n_leaves: int) -> list[Reach]:
        """What stands behind every leaf."""
        return [Reach.leaf(i) if self.requires >> i & 1 else NOTHING for i in range(n_leaves)]

    def with_more(self, n_leaves: int, n_more: int) -> "Choice":
        """The choice among these leaves and as many more behind them, all of which are wanted."""
        more = ((1 << n_more) - 1) << n_leaves
        return Choice(self.wanted | more, (self.requires & (1 << n_leaves) - 1) | more)


def choose(params: PyTree, inputs: Where, *, caller: str = "backward") -> Choice:
    """The leaves that ``inputs`` chooses.

    Raises:
        RuntimeError: names, none of them; a chosen leaf that is not floating point or complex.
        UnknownName: a name is not in ``params``.
        ValueError: a mask has other names.
    """
    named = named_leaves(params)
    chosen = set(select(params, inputs))
    if inputs is None:
        chosen = {name for name in chosen if is_array(named[name])}  # a function among the leaves has no gradient
    elif not chosen and not is_mask(inputs):
        raise RuntimeError(f"`inputs` argument to `{caller}()` cannot be empty.")
    check_differentiable({name: named[name] for name in chosen})
    names = [path_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    wanted = sum(1 << i for i, name in enumerate(names) if name in chosen)
    return Choice(wanted, wanted if is_mask(inputs) else (1 << len(names)) - 1)
