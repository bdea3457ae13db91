"""Which leaves to differentiate: torch's ``inputs=``, as a set of positions."""

import jax

from jaxgrad._core.errors import check_differentiable
from jaxgrad._core.selection import Where, select
from jaxgrad._core.trees import named_leaves, path_name
from jaxgrad._core.types import PyTree
from jaxgrad._jaxpr.dependence import Leaves


def wanted_leaves(params: PyTree, inputs: Where, *, caller: str = "backward") -> Leaves:
    """The leaves that ``inputs`` chooses, as a set of positions in the flattened ``params``.

    Raises:
        RuntimeError: none is chosen, or one of them is not floating point or complex.
        KeyError: a name is not in ``params``.
        ValueError: a mask has another structure.
    """
    named = named_leaves(params)
    chosen = set(select(params, inputs))
    if inputs is not None and not chosen:
        raise RuntimeError(f"`inputs` argument to `{caller}()` cannot be empty.")
    check_differentiable({name: named[name] for name in chosen})
    positions = enumerate(jax.tree_util.tree_leaves_with_path(params))
    return sum(1 << i for i, (path, _) in positions if path_name(path) in chosen)
