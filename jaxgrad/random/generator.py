"""The state of torch's CPU generator as a value.

torch draws from a hidden global object that every call changes. Here the same state is an immutable pytree: a
draw takes it and returns it advanced, so nothing is drawn behind anybody's back, two draws from one generator
are equal, and a generator can be stored, donated, scanned over or rolled back like any array. Its leaves are
32-bit integers only; not a bit is lost with JAX's 64-bit mode off.
"""

import os
import struct
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from jaxgrad._core.errors import explain, is_traced

WORDS = 624
STATE_BYTES = 5056
_UNSEEDED = 67280421310721  # what torch.Generator() starts from
# seed, left, seeded, next | 624 words of 8 bytes | x, cached normal, rho, valid, pad | cached float, valid, pad
_HEAD, _TAIL = struct.Struct("<QiiQ"), struct.Struct("<dQdi4xfB3x")


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Generator:
    """An immutable ``torch.Generator`` for the CPU: MT19937 with torch's seeding, state layout and cached normal.

    Built by :func:`manual_seed` or :func:`from_state`, never field by field. All leaves are arrays:

    Args:
        seed_words: uint32 (2,), the initial seed as (high, low).
        words: uint32 (624,), the block of the Mersenne twister.
        position: int32 (), how many words of the block are used, 0 to 624.
        fresh: int32 (), 1 until the first word is drawn (torch's state bytes tell the difference).
        cached: uint32 (2,), bits of the float64 second normal of the last scalar pair, as (high, low).
        has_cached: int32 (), 1 if that normal is still to be handed out.

    >>> manual_seed(3)
    Generator(initial_seed=3, position=624)
    """

    seed_words: Any
    words: Any
    position: Any
    fresh: Any
    cached: Any
    has_cached: Any

    def initial_seed(self) -> int:
        """The seed this stream began with, as ``torch.Generator.initial_seed``.

        >>> manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        high, low = (int(word) for word in np.asarray(self.seed_words))
        return high << 32 | low

    def manual_seed(self, seed: int) -> "Generator":
        """A generator at the start of ``seed``'s stream, as ``torch.Generator.manual_seed``; ``self`` stays."""
        return manual_seed(seed)

    def seed(self) -> tuple[int, "Generator"]:
        """``(value, generator)`` from the operating system's entropy, as ``torch.Generator.seed``.

        The one function here that is not pure: it is never called implicitly, and torch's too draws 53 bits.
        """
        value = int.from_bytes(os.urandom(8), "little") & (2**53 - 1)
        return value, manual_seed(value)

    def get_state(self) -> np.ndarray:
        """The 5,056 bytes that ``torch.Generator.get_state`` holds at this point of the stream, as uint8.

        ``torch.from_numpy(generator.get_state())`` is accepted by ``torch.set_rng_state``.

        Raises:
            TypeError: called under jit, where the state has no bytes yet.

        >>> manual_seed(0).get_state().shape
        (5056,)
        """
        if is_traced(self):
            raise TypeError(
                explain(
                    "the bytes of a traced generator do not exist yet",
                    remedy="return the generator from the jitted function and call get_state() outside",
                )
            )
        position = int(self.position)
        fresh = bool(self.fresh)
        left, following = (1, 0) if fresh else (WORDS + 1 - position, position)
        cached = _joined(self.cached) if int(self.has_cached) else 0
        state = (
            _HEAD.pack(self.initial_seed(), left, 1, following)
            + np.asarray(self.words).astype("<u8").tobytes()
            + _TAIL.pack(0.0, cached, 0.0, int(self.has_cached), 0.0, 0)
        )
        return np.frombuffer(state, np.uint8).copy()

    @staticmethod
    def from_state(state: Any) -> "Generator":
        """The generator whose :meth:`get_state` is ``state``; see :func:`from_state`."""
        return from_state(state)

    def draw(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Raises: constructors of modules draw from ``nn.Rngs``, which hands the generator from one to the next.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            explain(
                "a module's constructor draws its initial values from an nn.Rngs, got a Generator",
                remedy="rngs = nn.Rngs(generator); nn.Linear(4, 2, rngs=rngs); generator = rngs.generator",
            )
        )

    def __repr__(self) -> str:
        if is_traced(self):
            return "Generator(traced)"
        if not all(hasattr(leaf, "dtype") for leaf in jax.tree.leaves(self)):
            return "Generator(donated)"  # a word stands for each array
        if np.ndim(self.position):
            return f"Generator(batch of {np.shape(self.position)})"
        return f"Generator(initial_seed={self.initial_seed()}, position={int(self.position)})"


def _split(value: int) -> np.ndarray:
    return frozen(np.array([value >> 32, value & 0xFFFFFFFF], np.uint32))


def _joined(words: Any) -> int:
    high, low = (int(word) for word in np.asarray(words))
    return high << 32 | low


def frozen(array: np.ndarray) -> np.ndarray:
    """``array``, no longer writable: the generator shares it with whoever looks."""
    array.flags.writeable = False
    return array


_FLAGS = (frozen(np.array(0, np.int32)), frozen(np.array(1, np.int32)))
_NOTHING = _split(0)


def build(
    seed: int | np.ndarray, words: np.ndarray, position: int, *, fresh: bool = False, cached: int | None = None
) -> Generator:
    """A generator of host arrays from plain numbers.

    Args:
        seed: the initial seed, or another generator's ``seed_words``.
        words, position, fresh: as the generator's own.
        cached: the bit pattern of a float64, or None.
    """
    return Generator(
        seed_words=_split(seed) if isinstance(seed, int) else seed,
        words=frozen(words),
        position=frozen(np.array(position, np.int32)),
        fresh=_FLAGS[fresh],
        cached=_NOTHING if cached is None else _split(cached),
        has_cached=_FLAGS[cached is not None],
    )


def manual_seed(seed: int) -> Generator:
    """The stream of ``torch.manual_seed(seed)``, bit for bit; nothing global is touched.

    Args:
        seed: any integer in [-2**63, 2**64 - 1]; a negative one stands for 2**64 + seed. Only the low 32 bits
            choose the stream, all 64 are reported by ``initial_seed()``.

    Returns:
        The generator at the beginning of the stream.

    Raises:
        ValueError: ``Overflow when unpacking long long``, outside that range.
        TypeError: the seed is traced; a stream is chosen before tracing.

    >>> generator = manual_seed(42)
    >>> generator
    Generator(initial_seed=42, position=624)
    """
    if is_traced(seed):
        raise TypeError(
            explain("a seed must be a concrete number", remedy="call manual_seed outside and pass the generator in")
        )
    given, seed = seed, int(seed)
    if not -(2**63) <= seed < 2**64:
        raise ValueError(explain("Overflow when unpacking long long", got=given, expected="[-2**63, 2**64 - 1]"))
    seed %= 2**64
    words = np.random.RandomState(seed & 0xFFFFFFFF).get_state(legacy=False)["state"]["key"]
    return build(seed, words.copy(), WORDS, fresh=True)


def seed() -> tuple[int, Generator]:
    """``(value, generator)`` from the operating system's entropy, as ``torch.seed()``.

    >>> value, generator = seed()
    >>> generator.initial_seed() == value
    True
    """
    return unseeded().seed()


def unseeded() -> Generator:
    """Where ``torch.Generator()`` stands before any seeding: the stream of 67280421310721.

    Returns:
        The generator at the beginning of that stream.

    >>> unseeded()
    Generator(initial_seed=67280421310721, position=624)
    """
    return manual_seed(_UNSEEDED)


def from_state(state: Any) -> Generator:
    """The generator whose state bytes are these, at any point of a stream, as ``torch.Generator.set_state``.

    Args:
        state: 5,056 bytes: ``bytes``, a uint8 array, or the ByteTensor of ``torch.get_rng_state()``.

    Returns:
        The generator, equal to the one whose state it was.

    Raises:
        TypeError: ``RNG state must be a torch.ByteTensor``.
        RuntimeError: ``Expected a CPUGeneratorImplState of size 5056 ...`` or ``Invalid mt19937 state``.

    >>> generator = manual_seed(7)
    >>> bool((from_state(generator.get_state()).get_state() == generator.get_state()).all())
    True
    """
    array = np.frombuffer(state, np.uint8) if isinstance(state, bytes | bytearray) else np.asarray(state)
    if array.dtype != np.uint8:
        raise TypeError(explain("RNG state must be a torch.ByteTensor", got=array.dtype, expected="uint8"))
    if array.size != STATE_BYTES:
        raise RuntimeError(
            f"Expected a CPUGeneratorImplState of size {STATE_BYTES} "
            f"but found the input RNG state size to be {array.size}"
        )
    data = array.tobytes()
    seed, left, seeded, following = _HEAD.unpack_from(data)
    _, cached, _, has_cached, _, has_float = _TAIL.unpack_from(data, len(data) - _TAIL.size)
    fresh = (left, following) == (1, 0)
    consistent = fresh or (left + following == WORDS + 1 and following > 0)
    if not seeded or not consistent or has_float:
        raise RuntimeError(
            explain(
                "Invalid mt19937 state",
                got=f"seeded={seeded}, left={left}, next={following}",
                expected="bytes that get_state() gave",
            )
        )
    words = np.frombuffer(data, "<u8", WORDS, _HEAD.size).astype(np.uint32)
    position = WORDS if fresh else following
    return build(seed, words, position, fresh=fresh, cached=cached if has_cached else None)
