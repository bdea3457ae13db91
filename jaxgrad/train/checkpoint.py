"""A run that may be killed at any moment: all of its state on the disk, every so many steps, while it goes on."""

import json
import os
import warnings
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.optional import require
from jaxgrad.serialization import SerializationError
from jaxgrad.serialization._packed import is_spread, key_words, named, pack, read_record, unpack
from jaxgrad.train.seal import Unfinished, check_seal, clear, is_sealed, seal
from jaxgrad.train.state import TrainState


class Restored(NamedTuple):
    """What ``Checkpoints.restore`` found.

    Attributes:
        step: of ``save``.
        state: bit for bit.
        position: where the loader stood: ``batches = loader.resume(position)``; None if none was given.
        meta: what else was saved.

    >>> found = Restored(step=4, state=None, position=None, meta={"epoch": 2})
    >>> found.meta["epoch"]
    2
    """

    step: int
    state: TrainState
    position: dict[str, Any] | None
    meta: dict[str, Any]


class Checkpoints:
    """A folder of checkpoints, written by orbax beside the run.

    ``save`` copies the state on the device and returns; a thread brings the copy to the disk. A checkpoint is there
    whole or not at all: it is written beside, renamed, synced, and sealed with the checksums of its files. Of one that
    was not finished or was damaged since, ``restore`` says so, and goes on from the one before.

    Use it in a ``with`` block, at whose end all is written, or call ``close``.

    Args:
        folder: of these checkpoints alone; made if it is not there.
        every: ``save`` does something at each multiple of it, for other steps nothing.
        keep: how many to keep; the oldest goes when a new one is whole. One is too few for "the one before".

    Raises:
        ValueError: ``every`` or ``keep`` is not a positive number.
        ImportError: orbax is not installed: ``pip install 'jaxgrad[checkpoint]'``.

    >>> import tempfile
    >>> from jaxgrad import optim, train
    >>> tx = optim.SGD(0.25)
    >>> step = train.make_train_step(lambda params, x: jnp.sum((params["w"] - x) ** 2), tx)
    >>> fresh = lambda: train.init_state({"w": jnp.zeros(2)}, tx)
    >>> folder = tempfile.TemporaryDirectory()
    >>> state = fresh()
    >>> with train.Checkpoints(folder.name, every=2) as checkpoints:
    ...     for i in range(1, 6):
    ...         state, metrics = step(state, jnp.ones(2))
    ...         _ = checkpoints.save(i, state, meta={"seen": i})
    >>> with train.Checkpoints(folder.name) as checkpoints:
    ...     found = checkpoints.restore(like=fresh())
    >>> found.step, found.state.params["w"].tolist(), found.meta
    (4, [0.9375, 0.9375], {'seen': 4})
    >>> folder.cleanup()
    """

    def __init__(self, folder: str | os.PathLike[str], *, every: int = 1, keep: int = 3):
        for name, value in (("every", every), ("keep", keep)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(explain(f"{name} is a positive number", got=repr(value)))
        self._orbax: Any = require("orbax.checkpoint", extra="checkpoint", purpose="saving checkpoints")
        self.folder, self.every, self.keep = os.path.abspath(os.fspath(folder)), every, keep
        os.makedirs(self.folder, exist_ok=True)
        self._processes = set(range(jax.process_count()))  # said, so that orbax waits for them without the devices
        options = self._orbax.CheckpointManagerOptions(
            enable_async_checkpointing=False,  # the thread below is ours: it also takes checksums, and syncs
            create=False,
            cleanup_tmp_directories=True,  # of a killed process
            multiprocessing_options=self._orbax.options.MultiprocessingOptions(
                active_processes=self._processes if len(self._processes) > 1 else None
            ),
        )
        self._manager = self._orbax.CheckpointManager(self.folder, options=options)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._copy = jax.jit(lambda leaves: [jnp.copy(leaf) for leaf in leaves])
        self._running: Future[None] | None = None

    def steps(self) -> list[int]:
        """The steps of which there is a checkpoint, in order."""
        self.wait()
        return sorted(self._manager.all_steps())

    def save(
        self,
        step: int,
        state: TrainState,
        *,
        position: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        force: bool = False,
    ) -> bool:
        """Begin to save; the state may be given to the next step at once.

        If the checkpoint before is still being written, it waits for that.

        Args:
            step: how many were done.
            state: all of it: parameters, buffers, optimizer, stream, schedule, average, scaler.
            position: of the loader, ``batches.state()``.
            meta: what else to remember, as JSON has it; an array of one number is read when it is there.
            force: also where ``step`` is not a multiple of ``every``.

        Returns:
            Whether there was something to do.

        Raises:
            TypeError: the state is traced; ``meta`` or ``position`` is not what JSON and arrays have.
            Exception: the save before has failed; what it raised.
        """
        if step % self.every and not force:
            return False
        if is_traced(state):
            raise TypeError(explain("a traced state has no numbers to save", remedy="save it outside of jit"))
        written = {"meta": dict(meta or {}), "position": None if position is None else _told(position)}
        _check_json(written)
        self.wait()
        leaves, structure = jax.tree.flatten(state)
        self._running = self._thread.submit(
            self._write, step, jax.tree.unflatten(structure, self._copies(leaves)), written
        )
        return True

    def restore(self, like: TrainState) -> Restored | None:
        """The latest checkpoint that is whole.

        Args:
            like: a state of the same form, a fresh ``train.init_state(...)`` or its ``jax.eval_shape``; it says where
                the arrays go. For a step with ``mesh=`` give it ``train.shard(...)``'s.

        Returns:
            The step, the state, the loader's position and the meta; None if there is no checkpoint, or none that was
            finished.

        Warns:
            RuntimeWarning: a checkpoint is damaged or was not finished, and the one before is used.

        Raises:
            SerializationError: all are damaged.
            RuntimeError: "Error(s) in loading state": it is of another model, optimizer or other options.
        """
        found, passed = None, {}
        for step in reversed(self.steps()):
            try:
                found = self._read(step, like)
                break
            except SerializationError as error:
                passed[step] = error
        if not passed:
            return found
        told = "; ".join(f"step {step}: {str(error).splitlines()[0]}" for step, error in passed.items())
        if found is None and not all(isinstance(error, Unfinished) for error in passed.values()):
            sentence = f"no checkpoint in {self.folder} is whole"
            raise SerializationError(explain(sentence, got=told, remedy="begin anew in another folder"))
        instead = "from the beginning" if found is None else f"from step {found.step} instead"
        sentence = f"a checkpoint is damaged or was not finished: going on {instead}"
        warnings.warn(explain(sentence, got=told), RuntimeWarning, stacklevel=2)
        return found

    def wait(self) -> None:
        """Until what was begun is on the disk; raises what went wrong there."""
        running, self._running = self._running, None
        if running is not None:
            running.result()

    def close(self) -> None:
        """Wait, and end the thread."""
        try:
            self.wait()
        finally:
            self._thread.shutdown()
            self._manager.close()

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def _copies(self, leaves: list[Any]) -> list[Any]:
        """The same in memory of their own, by one call for each set of devices."""
        copies = [np.array(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]
        places: dict[Any, list[int]] = {}
        for i, leaf in enumerate(leaves):
            if isinstance(leaf, jax.Array):
                places.setdefault(frozenset(leaf.sharding.device_set), []).append(i)
        for indices in places.values():
            for i, copy in zip(indices, self._copy([leaves[i] for i in indices]), strict=True):
                copies[i] = copy
        return copies

    def _write(self, step: int, state: TrainState, written: dict[str, Any]) -> None:
        arrays, record = pack(state, _read(written), spread=True)
        args = self._orbax.args
        state_args = args.StandardSave({name: array for name, array in arrays.items() if array.size})
        shapes = {name: [list(a.shape), a.dtype.name] for name, a in arrays.items() if not a.size}  # orbax has none
        record_args = args.JsonSave({"record": record, "empty": shapes})
        if step in self._manager.all_steps():  # a damaged one, or of a run that went back
            self._manager.delete(step)
        self._manager.save(step, args=args.Composite(state=state_args, record=record_args), force=True)
        if jax.process_index() == 0:
            seal(self._at(step))
        self._orbax.multihost.sync_global_processes(f"jaxgrad seals {step}", processes=self._processes)
        own = sorted(each for each in self._manager.all_steps() if is_sealed(self._at(each)))  # no one else's
        for old in own[: -self.keep]:
            if jax.process_index() == 0:
                clear(self._at(old))
            self._manager.delete(old)

    def _read(self, step: int, like: TrainState) -> Restored:
        args = self._orbax.args
        check_seal(self._at(step))
        try:
            record = self._manager.restore(step, args=args.Composite(record=args.JsonRestore()))["record"]
            targets = self._targets(step, like)
            arrays = dict(self._manager.restore(step, args=args.Composite(state=targets))["state"])
            empty = {name: np.zeros(shape, jnp.dtype(dtype)) for name, (shape, dtype) in record["empty"].items()}
            found = read_record(record["record"])
            position = found["meta"]["position"]
            where = None if position is None else _untold(position)
            meta = found["meta"]["meta"]
        except SerializationError:
            raise
        except Exception as error:  # orbax and tensorstore have many words for a broken folder
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise SerializationError(f"it cannot be read ({type(error).__name__}: {first:.200})") from error
        return Restored(step, unpack({**arrays, **empty}, found, like), where, meta)

    def _at(self, step: int) -> str:
        return os.path.join(self.folder, str(step))

    def _targets(self, step: int, like: TrainState) -> Any:
        """Everything as numpy's arrays; what no process has whole, where the state has it."""
        spread = {name: key_words(leaf)[0] for name, leaf in named(like).items() if is_spread(leaf)}
        if not spread:
            return self._orbax.args.StandardRestore()
        saved = self._manager.item_metadata(step)["state"]
        targets: dict[str, Any] = {name: np.empty(each.shape, each.dtype) for name, each in saved.items()}
        for name, leaf in spread.items():
            if name in targets and targets[name].shape == leaf.shape:  # else the state does not fit, and is told so
                targets[name] = jax.ShapeDtypeStruct(leaf.shape, targets[name].dtype, sharding=leaf.sharding)
        return self._orbax.args.StandardRestore(targets)


def _check_json(written: Any) -> None:
    def unread(value: Any) -> int:
        if isinstance(value, jax.Array) and not value.shape:
            return 0
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    try:
        json.dumps(written, default=unread)
    except (TypeError, ValueError) as error:
        raise TypeError(explain("meta must be what JSON has: dicts, lists, strings, numbers", got=error)) from None


def _read(written: Any) -> Any:
    """With the numbers of arrays that were not there yet."""
    return jax.tree.map(lambda leaf: leaf.item() if isinstance(leaf, jax.Array) else leaf, written)


def _told(position: Mapping[str, Any]) -> dict[str, Any]:
    """A position in JSON's words; arrays by their bytes."""

    def told(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return {"bytes": value.tobytes().hex(), "dtype": value.dtype.name, "shape": list(value.shape)}
        if isinstance(value, list | tuple):
            return [told(each) for each in value]
        return value.item() if isinstance(value, np.generic) else value

    return {name: told(value) for name, value in position.items()}


def _untold(position: Mapping[str, Any]) -> dict[str, Any]:
    def untold(value: Any) -> Any:
        if isinstance(value, dict):
            return np.frombuffer(bytes.fromhex(value["bytes"]), value["dtype"]).reshape(value["shape"])
        return value

    return {name: untold(value) for name, value in position.items()}
