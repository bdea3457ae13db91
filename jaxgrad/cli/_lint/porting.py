"""What a port of a torch script has to look out for: the table of differences, from torch's side."""

from collections.abc import Iterator

from jaxgrad.cli._differences import DIFFERENCES, Difference, canonical
from jaxgrad.cli._lint.finding import Finding
from jaxgrad.cli._lint.script import Script

_BY_TORCH: dict[str, list[Difference]] = {}
for _each in DIFFERENCES:
    _BY_TORCH.setdefault(_each.torch, []).append(_each)


def find(source: str) -> Iterator[Finding]:
    """A note for every call of torch's that has a counterpart elsewhere which differs.

    Args:
        source: the text of a torch script.

    Yields:
        The notes, by line.

    Raises:
        SyntaxError: it is no Python.

    >>> [each.code for each in find("from torch.nn import functional as F\\ny = F.gelu(x)")]
    ['gelu-tanh']
    """
    script = Script(source)
    for call in script.calls:
        address = script.address(call.func)
        for each in _BY_TORCH.get(canonical(address), ()) if address.startswith("torch.") else ():
            if each.others and not script.silenced(call.lineno, each.code):
                says = f"{address}: {each.others[0]} {each.says}"
                yield Finding(call.lineno, each.code, says, each.effect, each.fix, False, script.line(call.lineno))
