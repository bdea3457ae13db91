"""The base of all modules: a flax NNX module with torch's ``forward`` and torch's ``repr``."""

import textwrap
from typing import Any

from flax import nnx


class Module(nnx.Module):
    """Mirror of ``torch.nn.Module``: write ``__init__`` and ``forward``, call the module.

    Attributes that are modules become children under their attribute's name; ``nn.Parameter`` and ``nn.Buffer``
    become what ``func.extract`` lists. A module is for building a model and for naming its parameters; what is
    trained are the dicts that ``func.extract`` returns.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         self.factor = nn.Parameter(jnp.array(2.0))
    ...
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(jnp.array(3.0)).item()
    6.0

    Source: torch/nn/modules/module.py.
    """

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward``."""
        return self.forward(*args, **kwargs)

    def children(self) -> dict[str, nnx.Module]:
        """The modules that are attributes of this one, by name, in the order they were set."""
        return {name: value for name, value in vars(self).items() if isinstance(value, nnx.Module)}

    def extra_repr(self) -> str:
        """The arguments to print between the brackets."""
        return ""

    def __repr__(self) -> str:
        """Torch's form: one line for a leaf, an indented tree otherwise."""
        children = self.children()
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [self.extra_repr()] if self.extra_repr() else []
        lines += [f"({name}): {child!r}" for name, child in children.items()]
        return f"{type(self).__name__}(\n{textwrap.indent(chr(10).join(lines), '  ')}\n)"
