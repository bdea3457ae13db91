"""A recording as a directory that is complete after every step.

.. code-block:: text

    run/
      header.json               {"format": "jaxgrad recording", "version": 1, "meta": {...}, "finished": true}
      initial.safetensors       what there is before step 0
      step-000000.safetensors   one file a step, named by its number
      float64/                  the same of the run in float64, where there is one (without a header)

A tensor of a file is called ``phase/name``; its metadata has, as JSON, the ``order`` of the names, the ``draws`` from
the random stream, the ``noise`` of the step, and which are ``complex`` (kept as pairs of real numbers). Every file is
written under another name, synced and renamed, so that a run that is killed leaves the steps that it made.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, overload

import numpy as np

from jaxgrad._core.errors import explain
from jaxgrad.parity.record.model import Draw, Recording, Spread, StepRecord, Tensors
from jaxgrad.serialization.atomic import replacing
from jaxgrad.serialization.safetensors import read_arrays, safetensors_metadata, write_arrays

_FORMAT, _VERSION = "jaxgrad recording", 1
_DOUBLES = "float64"


class Writer:
    """Writes a recording, step by step.

    Args:
        path: a directory; it is made, and must not have a recording in it.

    Raises:
        FileExistsError: there is one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writer = Writer(os.path.join(folder, "run"))
    ...     writer.start({"params": {"w": np.ones(1)}}, {"dtype": "float64"})
    ...     writer.step(StepRecord(0, {"loss": {"loss": np.array(2.0)}}))
    ...     recording = read(os.path.join(folder, "run"))
    ...     float(recording.steps[0]["loss"]["loss"]), recording.meta["dtype"]
    (2.0, 'float64')
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = os.fspath(path)
        if os.path.exists(os.path.join(self.path, "header.json")):
            raise FileExistsError(explain("there is a recording already", got=self.path, remedy="another path"))
        os.makedirs(self.path, exist_ok=True)

    def start(self, initial: Mapping[str, Tensors], meta: Mapping[str, Any]) -> None:
        """What there is before step 0."""
        _write(os.path.join(self.path, "initial.safetensors"), initial, {})
        self.header(meta, finished=False)

    def step(self, record: StepRecord, noise: tuple[Spread, Spread] | None = None, doubles: Any = None) -> None:
        """One step, and the same in float64."""
        said = {"draws": [asdict(draw) for draw in record.draws], "noise": noise}
        if doubles is not None:
            folder = os.path.join(self.path, _DOUBLES)
            os.makedirs(folder, exist_ok=True)
            _write(os.path.join(folder, _file(record.step)), doubles.phases, {})
        _write(os.path.join(self.path, _file(record.step)), record.phases, said)

    def header(self, meta: Mapping[str, Any], *, finished: bool) -> None:
        """The header, which says what kind of run it is and whether it came to its end."""
        text = {"format": _FORMAT, "version": _VERSION, "meta": meta, "finished": finished}
        target = os.path.join(self.path, "header.json")
        with replacing(target) as temporary, open(temporary, "x", encoding="utf-8") as file:
            json.dump(text, file, indent=1, default=repr)


def read(path: str | os.PathLike[str]) -> Recording:
    """A recording whose steps are read when they are looked at.

    Args:
        path: the directory.

    Returns:
        The recording, as far as it was made.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is of another kind, or of a later version.
    """
    folder = os.fspath(path)
    with open(os.path.join(folder, "header.json"), encoding="utf-8") as file:
        header = json.load(file)
    if header.get("format") != _FORMAT or header.get("version", 0) > _VERSION:
        raise ValueError(
            explain(
                "this is no recording that can be read",
                got=f"{header.get('format')!r}, version {header.get('version')}",
                expected=f"{_FORMAT!r}, version {_VERSION}",
            )
        )
    initial = _read(os.path.join(folder, "initial.safetensors"))[0]
    steps = Steps(folder)
    doubles = None
    if os.path.isdir(os.path.join(folder, _DOUBLES)):
        doubles = Recording(initial, Steps(os.path.join(folder, _DOUBLES)), header["meta"])
    return Recording(initial, steps, header["meta"], doubles, Noises(steps))


class Steps(Sequence[StepRecord]):
    """The steps of a directory, from the first on without a gap."""

    def __init__(self, folder: str):
        self.folder = folder
        numbers = sorted(int(m[1]) for name in os.listdir(folder) if (m := re.fullmatch(_PATTERN, name)))
        self._count = next((i for i, number in enumerate(numbers) if i != number), len(numbers))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> StepRecord: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[StepRecord]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(self._count)[index]
        phases, said = _read(os.path.join(self.folder, _file(number)))
        draws = tuple(Draw(**draw) for draw in said.get("draws") or ())
        return StepRecord(number, phases, draws)


class Noises(Sequence[Any]):
    """The noise of each step: of the run as it is, and of its float64 run."""

    def __init__(self, steps: Steps):
        self._steps = steps

    def __len__(self) -> int:
        return len(self._steps)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        path = os.path.join(self._steps.folder, _file(range(len(self))[index]))
        return _said(safetensors_metadata(path)).get("noise") or ({}, {})


_PATTERN = r"step-(\d{6,})\.safetensors"


def _file(step: int) -> str:
    return f"step-{step:06d}.safetensors"


def _write(path: str, phases: Mapping[str, Tensors], said: Mapping[str, Any]) -> None:
    arrays: dict[str, np.ndarray] = {}
    pairs = []
    for phase, tensors in phases.items():
        for name, array in tensors.items():
            key = f"{phase}/{name}"
            kept = np.ascontiguousarray(array).reshape(np.shape(array))
            if kept.dtype.kind == "c":
                pairs.append(key)
                kept = np.stack([kept.real, kept.imag], -1)
            arrays[key] = kept
    notes = {"order": list(arrays), "complex": pairs, **said}
    write_arrays(path, arrays, {"jaxgrad": json.dumps(notes)})


def _read(path: str) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    arrays, metadata = read_arrays(path)
    said = _said(metadata)
    phases: dict[str, dict[str, np.ndarray]] = {}
    for key in said.get("order", list(arrays)):
        phase, _, name = key.partition("/")
        array = arrays[key]
        if key in said.get("complex", ()):
            array = array[..., 0] + 1j * array[..., 1]
        phases.setdefault(phase, {})[name] = array
    return phases, said


def _said(metadata: Mapping[str, str]) -> dict[str, Any]:
    return dict(json.loads(metadata.get("jaxgrad", "{}")))
