"""Box and Muller's transformation as one plain float32 loop, and the words that tell whether it rounds as torch does.

torch's normals need a multiply-add with one rounding at some twenty places. JAX has no such operation, but XLA turns
``a * b + c`` into the processor's own where there is one, at a quarter of what exact arithmetic in float64 costs.
Nobody promises it, so nobody here believes it: a few known words go through the very same compiled loop, and their
normals show whether each of the multiply-adds rounded once. Where one did not, the exact formula is used.
"""

import functools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core.types import Array
from jaxgrad.random._words import formulas

GROUP = 16
_F32, _I32 = np.float32, np.int32

# Words of the radius and of the angle, four pairs for each multiply-add: with that one rounded twice, and these MEAN
# and STD, their normals change. Found by trying all 2**24 words; three of the multiply-adds never round at all.
MEAN, STD = _F32(1e-7), _F32(1.2345678)
# fmt: off
_RADIUS = (
    5553257, 4681109, 4681109, 4681109, 5198565, 5034506, 11068539, 5198565, 5043206, 4942925, 5048500, 4997690,
    5385430, 10919977, 11068539, 4586953, 3929105, 4244527, 5186818, 5091803, 2665740, 2801929, 5294405, 4954788,
    6009459, 5111761, 6644054, 4988421, 13737449, 10457363, 5649727, 10907538, 10508492, 13828812, 6380007, 6581860,
    14923129, 15670649, 6002807, 9588679, 5400072, 5669209, 6570276, 14936325, 10455345, 13969450, 13205318, 14704965,
    2521271, 7555440, 13360104, 6787253, 3330496, 1522583, 5011289, 11274203, 15806035, 6125532, 1769917, 7388302,
    8386860, 7134152, 10405455, 16694949, 15920633, 15637366, 1928249, 16239106, 246730, 16059321, 13797143, 13453323,
)
_ANGLE = (
    10686443, 687421, 277287, 13644410, 15313497, 10177659, 12238921, 9120513, 15687912, 13687751, 45944, 14384856,
    563472, 12241587, 2947012, 14481739, 9084211, 5028331, 7091514, 475125, 2085127, 11251210, 10858038, 10324448,
    6437041, 16730406, 16455686, 11501485, 10912895, 11550219, 6525018, 2266543, 12104565, 8813982, 5204994, 8150964,
    12582913, 12582909, 12582912, 12582913, 2207583, 6521533, 14569632, 6061379, 10862656, 6307480, 6377767, 14362308,
    10248683, 14611064, 14771392, 10233066, 15699023, 14907273, 14777430, 14777430, 13616961, 1772906, 10499285,
    6401426, 2626067, 1539914, 15202415, 6172926, 10129363, 15510010, 3097896, 11211224, 14617377, 13881047, 6439631,
    14976790,
)
# fmt: on


def normal32(words: Array, mean: Any, std: Any, zero: Any) -> tuple[Array, Array]:
    """Normals of full groups of 16 words, and whether they can be trusted: uint32 (16 k,) to float32 (16 k,), bool ().

    The words and the telltales are one array that is computed at once. The result goes through a loop that runs once,
    which only ``zero`` knows: XLA has to write it to memory, and does not compute the places that are looked at again.

    Args:
        words: as drawn.
        mean, std: numbers or float32 scalars, for which :func:`is_ordinary` holds.
        zero: an int32 0 that the compiler does not know.
    """
    known, normals = telltales()
    both = jnp.concatenate([words, known])
    own = jax.lax.broadcasted_iota(_I32, (both.size // GROUP, 1, 1), 0) < words.size // GROUP
    means, stds = jnp.where(own, mean, MEAN), jnp.where(own, std, STD)
    computed = _unchecked(both, means, stds, zero)
    once = 1 + zero
    _, values = jax.lax.while_loop(
        lambda carry: carry[0] < once,
        lambda carry: (carry[0] + 1, computed),
        (jnp.zeros_like(zero), jnp.zeros_like(computed)),
    )
    values = values.reshape(-1)
    return values[: words.size], (values[words.size :] == normals).all()


def _unchecked(words: Array, mean: Array, std: Array, zero: Array) -> Array:
    """``formulas.box_muller32`` in plain float32, multiply-adds and root left to the compiler.

    The unknown ``zero`` keeps a product that torch rounds out of a fused addition.
    """

    def rounded(x: Array) -> Array:
        return formulas.bits(jnp, formulas.bits(jnp, x, _I32) ^ zero, _F32)

    def fma(x: Array, y: Any, z: Any, fits: bool = False) -> Array:
        del fits
        return x * y + z

    return _in_place(
        words, lambda first, second: formulas.box_muller32(jnp, first, second, mean, std, fma, rounded, jnp.sqrt)
    )


def exact_normal32(words: Array, mean: np.float32, std: np.float32) -> Array:
    """The same with every rounding computed, whatever the compiler does."""
    fma = partial(formulas.fma32, jnp)
    with jax.enable_x64(True):
        values = _in_place(words, lambda first, second: formulas.box_muller32(jnp, first, second, mean, std, fma))
    return values.reshape(-1)


def _in_place(words: Array, halves: Callable[[Array, Array], tuple[Array, Array]]) -> Array:
    """Each place of a group computes both halves and keeps its own: twice the arithmetic, but one pass over memory."""
    groups = words.reshape(-1, 2, GROUP // 2)
    cos, sin = halves(*(jnp.broadcast_to(groups[:, i : i + 1], groups.shape) for i in (0, 1)))
    return jnp.where(jax.lax.broadcasted_iota(_I32, groups.shape, 1) == 0, cos, sin)


@functools.cache
def telltales() -> tuple[np.ndarray, np.ndarray]:
    """The known words, uint32 (144,), and their normals under MEAN and STD, float32 (144,)."""
    halves = (np.array(column, np.uint32).reshape(-1, GROUP // 2) for column in (_RADIUS, _ANGLE))
    words = np.stack(list(halves), axis=1).ravel()
    return words, formulas.normal32(words, MEAN, STD)


def is_ordinary(mean: float, std: float) -> bool:
    """Whether no normal under this mean and deviation is so small that a processor may flush it to zero."""
    return all(x == 0 or abs(x) > 2.0**-64 for x in (mean, std))
