"""A candidate's records under the reference's names and in its layout."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.parity.comparison.layout import Layout, activation_layouts, kernel_layouts
from jaxgrad.parity.comparison.suggest import Match, by_suffix, suggest
from jaxgrad.parity.record.model import OPTIMIZER_STATE, STATE, StepRecord, Tensors, optimizer_name

Names: TypeAlias = Mapping[str, str | tuple[str, tuple[int, ...]] | Callable[[Tensors], np.ndarray]]
"""Torch's name -> the candidate's path; with an order of axes; or a function of all the candidate's arrays."""

_RAW = (STATE, OPTIMIZER_STATE)
_OF_PARAMETERS = ("params", "grads", "clipped")

_OPTIMIZER_KEYS = {
    "mu": "exp_avg",
    "nu": "exp_avg_sq",
    "nu_max": "max_exp_avg_sq",
    "trace": "momentum_buffer",
    "sum_of_squares": "sum",
    "e_g": "square_avg",
    "e_x": "acc_delta",
}
"""What optax calls torch's tensors."""

_TORCH_KEYS = {*_OPTIMIZER_KEYS.values(), "exp_inf", "grad_avg", "prev", "step_size", "ax"}

_BY_CLASS = {
    "RMSprop": {"nu": "square_avg", "mu": "grad_avg"},
    "Adamax": {"nu": "exp_inf"},
    "Rprop": {"step_sizes": "step_size", "prev_updates": "prev"},
}


@dataclass
class Naming:
    """Where the reference's tensors are among the candidate's.

    Args:
        start: what the reference has before step 0.
        own_start: what the candidate has.
        names: what the user said.
        optimizer: the class of the reference's optimizer.

    Attributes:
        state: phase -> name -> where it is in the candidate's state.
        unmatched: the reference's parameters and buffers that the candidate's state does not have.

    >>> start = {"params": {"fc.weight": np.arange(6.0).reshape(3, 2)}}
    >>> naming = Naming(start, {STATE: {"Dense_0.kernel": np.arange(6.0).reshape(3, 2).T}})
    >>> naming.record(StepRecord(0, {STATE: {"Dense_0.kernel": np.ones((2, 3))}}))["params"]["fc.weight"].shape
    (3, 2)
    """

    start: Mapping[str, Tensors]
    own_start: Mapping[str, Tensors]
    names: Names | None = None
    optimizer: str = ""
    state: dict[str, dict[str, Match]] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    _given: dict[str, dict[str, Match]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pool = self.own_start.get(STATE, {})
        wanted = {**self.start.get("params", {}), **self.start.get("buffers", {})}
        said = self._said(wanted, pool)
        rest = {name: array for name, array in wanted.items() if name not in said and name not in self._functions()}
        left = {path: array for path, array in pool.items() if path not in {each.path for each in said.values()}}
        found = said | suggest(rest, left)
        for phase in ("params", "buffers"):
            self.state[phase] = {name: found[name] for name in self.start.get(phase, {}) if name in found}
        self.unmatched = tuple(name for name in rest if name not in found) if pool else ()

    def initial(self) -> dict[str, Tensors]:
        """What the candidate has before step 0, under the reference's names."""
        given = {phase: self._renamed(phase, each, None) for phase, each in self.own_start.items() if phase not in _RAW}
        return {**self._of_state(self.own_start), **given}

    def record(self, record: StepRecord, reference: StepRecord | None = None) -> StepRecord:
        """A record under the reference's names; what it says itself goes before what its state holds."""
        phases: dict[str, Tensors] = dict(self._of_state(record.phases))
        for phase in record:
            if phase not in _RAW:
                phases[phase] = self._renamed(phase, record[phase], reference)
        return StepRecord(record.step, {name: each for name, each in phases.items() if each}, record.draws)

    def own(self, values: Mapping[str, Tensors]) -> dict[str, Tensors]:
        """The reference's values, phase -> name -> array, under the candidate's names and in its layout."""
        own = self.own_start
        if STATE in own:
            return {STATE: self._own_state(values, {**own[STATE], **own.get(OPTIMIZER_STATE, {})})}
        found: dict[str, Tensors] = {phase: dict(each) for phase, each in values.items()}
        for phase in ("params", "buffers"):
            matches = self._given.get(phase, {})
            found[phase] = {
                m.path: m.layout.to_own(values[phase][name], own[phase][m.path].shape)
                for name, m in matches.items()
                if name in values.get(phase, {})
            }
        return found

    def _own_state(self, values: Mapping[str, Tensors], pool: Tensors) -> dict[str, np.ndarray]:
        found = {}
        matches = {phase: dict(each) for phase, each in self.state.items()}
        matches["optimizer"] = dict(self._optimizer(pool))
        lost = [name for name, array in values.get("optimizer", {}).items() if name not in matches["optimizer"]]
        lost = [name for name in lost if values["optimizer"][name].ndim]
        lost += [name for name in values.get("params", {}) if name not in matches["params"]]
        if lost:
            raise TypeError(
                explain(
                    "single-step mode must put the reference's values into the candidate's state",
                    got=f"a state in which {', '.join(lost[:4])} was not found",
                    remedy="from_jax(fn, state, names={...}) or from_jax(fn, state, set_state=...), or mode='free'",
                )
            )
        for phase, each in matches.items():
            for name, match in each.items():
                if name in values.get(phase, {}):
                    found[match.path] = match.layout.to_own(values[phase][name], pool[match.path].shape)
        return found

    def _of_state(self, own: Mapping[str, Tensors]) -> dict[str, Tensors]:
        if STATE not in own:
            return {}
        pool = {**own[STATE], **own.get(OPTIMIZER_STATE, {})}
        found: dict[str, Tensors] = {}
        for phase, matches in {**self.state, "optimizer": dict(self._optimizer(pool))}.items():
            arrays = {name: m.layout.to_reference(pool[m.path]) for name, m in matches.items() if m.path in pool}
            made = {name: np.asarray(fn(pool)) for name, fn in self._functions().items()}
            found[phase] = arrays | {name: array for name, array in made.items() if name in self.start.get(phase, {})}
        return found

    def _renamed(self, phase: str, own: Tensors, reference: StepRecord | None) -> Tensors:
        if phase in _OF_PARAMETERS or phase == "buffers":
            return self._like_parameters(phase, own, self.start.get("buffers" if phase == "buffers" else "params", {}))
        if phase == "optimizer":
            known = {name: own[name] for name in own if "['" in name}
            found = {name: m.layout.to_reference(own[m.path]) for name, m in self._optimizer(own)}
            return {**found, **known}
        if phase == "forward" and reference is not None:
            return {name: _like(array, reference["forward"].get(name)) for name, array in own.items()}
        return own

    def _like_parameters(self, phase: str, own: Tensors, wanted: Tensors) -> Tensors:
        """Gradients and parameters that the candidate's record gives, which lie as its state does."""
        if phase not in self._given:
            self._given[phase] = self._matched(own, wanted)
        matches = self._given[phase]
        found = {name: m.layout.to_reference(own[m.path]) for name, m in matches.items() if m.path in own}
        made = {name: np.asarray(fn(own)) for name, fn in self._functions().items() if name in wanted}
        used = {match.path for match in matches.values()}
        rest = {} if made else {path: array for path, array in own.items() if path not in used}
        return found | made | rest

    def _matched(self, own: Tensors, wanted: Tensors) -> dict[str, Match]:
        matches = {
            name: Match(name, Layout(tuple(range(array.ndim)), array.shape))
            for name, array in wanted.items()
            if name in own and own[name].shape == array.shape
        }
        said = self._said(wanted, own)
        matches |= {name: m for name, m in self._given.get("params", {}).items() if name in wanted and m.path in own}
        pool = self.own_start.get(STATE, {})
        known = {**self.state.get("params", {}), **self.state.get("buffers", {})}
        for name in wanted:
            if name in matches:
                continue
            if name in said:
                matches[name] = said[name]
            elif name in known and name in own:  # it lies otherwise than the parameter does: that is to be seen
                matches[name] = Match(name, Layout(tuple(range(own[name].ndim)), own[name].shape))
            elif name in known:
                path = by_suffix(known[name].path, own, pool[known[name].path].shape)
                if path is not None:
                    matches[name] = Match(path, known[name].layout)
        used = {match.path for match in matches.values()}
        left = {path: array for path, array in own.items() if path not in used}
        rest = {name: array for name, array in wanted.items() if name not in matches and name not in self._functions()}
        return matches | suggest(rest, left)

    def _said(self, wanted: Tensors, own: Tensors) -> dict[str, Match]:
        """What the user's names say of these arrays; a path may be given by its end."""
        found = {}
        for name, told in (self.names or {}).items():
            if name not in wanted or callable(told):
                continue
            path, axes = (told, None) if isinstance(told, str) else told
            known = path if path in own else next((p for p in own if p.endswith("." + path)), None)
            if known is None:
                continue
            shape = wanted[name].shape
            fitting = kernel_layouts(own[known].shape, shape, flax=known.endswith("kernel"))
            layout = next(fitting, None) if axes is None else Layout(tuple(axes), shape)
            if layout is not None:
                found[name] = Match(known, layout)
        return found

    def _functions(self) -> dict[str, Callable[[Tensors], np.ndarray]]:
        return {name: told for name, told in (self.names or {}).items() if callable(told)}

    def _optimizer(self, pool: Tensors) -> Iterator[tuple[str, Match]]:
        """The tensors of an optax state: the field says which of torch's it is, the rest of the path of what."""
        keys = {**_OPTIMIZER_KEYS, **_BY_CLASS.get(self.optimizer, {})}
        known = {**self._given.get("params", {}), **self._given.get("grads", {}), **self.state.get("params", {})}
        for path, array in pool.items():
            parts = path.split(".")
            at = next((i for i, part in enumerate(parts) if part in keys), None)
            if parts[-1] in _TORCH_KEYS and array.ndim:
                owner = ".".join(parts[:-1])
                named = next((name for name in known if _ends_alike(owner, name)), None)
                if named is not None:
                    identity = Layout(tuple(range(array.ndim)), array.shape)
                    yield optimizer_name(parts[-1], named), Match(path, identity)
                continue
            if at is None or not array.ndim:
                continue
            rest = ".".join(parts[at + 1 :])
            for name, match in known.items():
                if _ends_alike(match.path, rest) and array.size == int(np.prod(match.layout.shape)):
                    yield optimizer_name(keys[parts[at]], name), Match(path, match.layout)
                    break


def _ends_alike(path: str, rest: str) -> bool:
    return path == rest or path.endswith("." + rest) or rest.endswith("." + path)


def _like(array: np.ndarray, wanted: np.ndarray | None) -> np.ndarray:
    """What a module returned in the reference's order of axes: the one that lies nearest."""
    if wanted is None:
        return array
    turned = [layout.to_reference(array) for layout in activation_layouts(array.shape, wanted.shape)]
    if len(turned) < 2:
        return turned[0] if turned else array
    return min(turned, key=lambda each: float(np.sum(np.abs(each.astype(np.float64) - wanted))))
