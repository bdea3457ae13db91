"""The first place where two runs part."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jaxgrad.parity.record.model import split_optimizer_name
from jaxgrad.parity.report import Divergence, TensorDistance

_NEIGHBOURS = 4


def first_divergence(
    distances: Iterable[TensorDistance], meta: Mapping[str, Any], *, soft: bool = False
) -> Divergence | None:
    """The first tensor that differs, in the order of the run, and what right before it still agrees.

    What got the reference's inputs and gave another output is to blame: all that comes earlier in the step agrees, so
    the first tensor that does not was made of agreeing ones. A tensor that only the candidate has tells nothing.

    Args:
        distances: in the order of the run.
        meta: ``{"reference": meta, "candidate": meta}``.
        soft: whether it was guessed which of the candidate's arrays are the optimizer's; if nothing else ever differs,
            it only keeps the same in another form (the lr inside of the momentum, say).
    """
    if soft:
        distances = tuple(distances)
        if all(each.ok or each.kind == "extra" or each.phase == "optimizer" for each in distances):
            return None
    before: list[TensorDistance] = []
    for each in distances:
        if not each.ok and each.kind != "extra":
            return _blamed(each, before, meta)
        before.append(each)
    return None


def _blamed(found: TensorDistance, before: Sequence[TensorDistance], meta: Mapping[str, Any]) -> Divergence:
    module = _module(found)
    sources = [meta.get(side, {}).get("source", {}) for side in ("reference", "candidate")]
    lines = [source.get(found.tensor) or source.get(module or "") for source in sources]
    agreeing = [f"{each.phase}.{each.tensor}" for each in before[-_NEIGHBOURS:] if each.ok]
    return Divergence(
        found.step,
        found.phase,
        found.tensor,
        found.kind,
        found.element,
        found.reference,
        found.candidate,
        found.ratio,
        module=module,
        reference_source=lines[0] or None,
        candidate_source=lines[1] or None,
        agreeing=tuple(agreeing),
    )


def _module(found: TensorDistance) -> str | None:
    """The path of the module that a tensor belongs to."""
    name = split_optimizer_name(found.tensor)[1] if found.phase == "optimizer" else found.tensor
    if found.phase == "forward":
        return name.partition("#")[0].partition("@")[0]
    if found.phase in ("grads", "clipped", "optimizer", "params", "buffers") and name != "total_norm":
        return name.rpartition(".")[0] or "model"
    return None
