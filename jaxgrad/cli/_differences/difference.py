"""One difference between torch and what a port would take for it elsewhere: what ``show`` tells and ``lint`` finds."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class When:
    """A condition on one argument of a call, read without running it.

    Args:
        kind: ``absent`` (left at its default), ``is`` (a literal among ``values``), ``given`` (there, and neither
            None nor among ``values``), ``varies`` (there, and no literal number).
        argument: its name.
        values: what ``is`` looks for; with ``absent``, literals that are the default; with ``given``, that are as good
            as none.

    >>> When("is", "momentum", (0.1,)).argument
    'momentum'
    """

    kind: str
    argument: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Default:
    """An argument whose defaults differ; the tests read both from the libraries.

    >>> Default("weight_decay", 1e-4, "weight_decay", 1e-2).torchs
    0.01
    """

    argument: str
    theirs: Any
    torch_argument: str
    torchs: Any


@dataclass(frozen=True)
class Difference:
    """What differs, by how much, and what to do.

    Args:
        code: its short name, which a comment ``# jaxgrad: ok CODE`` silences.
        torch: address in torch.
        others: addresses of what a port would take for it.
        says: what is different, in one sentence about the other library.
        effect: the measured size.
        fix: what to write instead.
        when: all conditions that make a call a finding; () for every call, None for what no call shows.
        trap: whether it changes a run in ordinary use; otherwise it is a note.
        default: two defaults that differ, if that is all.
        differentiated: found only in functions that the script differentiates.

    >>> Difference("gelu-tanh", "torch.nn.GELU", ("jax.nn.gelu",), "is tanh", "4.7e-4", "approximate=False").trap
    True
    """

    code: str
    torch: str
    others: tuple[str, ...]
    says: str
    effect: str
    fix: str
    when: tuple[When, ...] | None = ()
    trap: bool = True
    default: Default | None = None
    differentiated: bool = False


@dataclass(frozen=True)
class Same:
    """What may be taken for torch's without a loss: the same numbers, but for what is said.

    >>> Same("torch.optim.Adamax", ("optax.adamax",), "to 1e-15").others
    ('optax.adamax',)
    """

    torch: str
    others: tuple[str, ...]
    says: str


def flax(name: str) -> tuple[str, str]:
    """Both of flax's homes of a name.

    >>> flax("Conv")
    ('flax.linen.Conv', 'flax.nnx.Conv')
    """
    return f"flax.linen.{name}", f"flax.nnx.{name}"
