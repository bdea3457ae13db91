r"""Connectionist temporal classification: the likelihood of a sequence of labels under every alignment.

Targets are interleaved with blanks, S = 2L + 1 states. With :math:`p_{t, c}` the log-probabilities, alpha sums the
alignments that have come to a state by time t, beta those that go on from it:

.. math:: \alpha_{t, s} = p_{t, c_s} + \log \sum_{s' \to s} e^{\alpha_{t-1, s'}}, \qquad
          \ell = -\log \left( e^{\alpha_{T-1, S-1}} + e^{\alpha_{T-1, S-2}} \right)

torch's gradient is that of logits whose log-softmax the input is,
:math:`e^{p_{t,c}} - \sum_{s: c_s = c} e^{\alpha_{t,s} + \beta_{t,s} - p_{t,c} + \ell}`, and not the derivative by p
alone. On input that is not normalised value and gradient part ways.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from jaxgrad._core.castable import castable
from jaxgrad._core.elementwise import check_kernel
from jaxgrad._core.errors import explain, is_traced
from jaxgrad._core.operations import operation
from jaxgrad._core.types import Array
from jaxgrad.nn.functional.loss.reduction import check_reduction, reduce_loss

_WHILE = " (while checking arguments for ctc_loss_allocate_outputs)"
_OF_P = f" 'log_probs'{_WHILE}"


@castable("ctc_loss")
@operation("CtcLossBackward0")
def ctc_loss(
    log_probs: Float[Array, "time batch classes"] | Float[Array, "time classes"],
    targets: Integer[Array, "batch width"] | Integer[Array, " symbols"],
    input_lengths: Integer[Array, " batch"] | Integer[Array, ""] | Sequence[int],
    target_lengths: Integer[Array, " batch"] | Integer[Array, ""] | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Float[Array, ""] | Float[Array, " batch"]:
    r"""Mirror of ``torch.nn.functional.ctc_loss`` (the formulas are in the module's docstring).

    Differs from ``optax.ctc_loss``: a target that no alignment reaches has loss inf and gradient nan, or 0 and 0 with
    ``zero_infinity``; 'mean' divides each loss by the length of its target first.

    Args:
        log_probs: log-probabilities, (T, N, C) or (T, C), float32 or float64; the output of ``log_softmax``.
        targets: labels without blanks, (N, L) filled up with anything, or all of them one after the other.
        input_lengths: (N,) or (), each at most T.
        target_lengths: (N,) or ().
        blank: the class of the blank.
        reduction: 'none', 'mean' or 'sum'.
        zero_infinity: whether infinite losses count as 0, without a gradient.

    Returns:
        A scalar, or (N,) for 'none'; () for input without a batch.

    Raises:
        RuntimeError: lengths and shapes that do not fit, in torch's words (inside jit only shapes are seen).
        NotImplementedError: ``"ctc_loss_cpu" not implemented for 'Half'``.

    >>> uniform = jnp.log(jnp.full((2, 1, 2), 0.5))
    >>> f"{ctc_loss(uniform, jnp.array([[1]]), (2,), (1,)):.4f}"
    '0.2877'

    Source: torch/nn/functional.py, ``ctc_loss``; Graves et al., 2006.
    """
    check_reduction(reduction)
    p, labels = jnp.asarray(log_probs), jnp.asarray(targets)
    batched = p.ndim == 3
    if p.ndim == 2:
        p = p[:, None]
        labels = labels[None] if labels.ndim == 1 else labels
    lengths = [jnp.atleast_1d(jnp.asarray(each)) for each in (input_lengths, target_lengths)]
    frames, wanted = lengths
    _check(p, labels, frames, wanted, blank)
    frames, wanted = frames.astype(jnp.int32), wanted.astype(jnp.int32)
    loss = _losses(p, _padded(labels.astype(jnp.int32), wanted, p.shape[1]), frames, wanted, int(blank), zero_infinity)
    if reduction == "mean":
        return reduce_loss(loss / jnp.maximum(wanted, 1).astype(loss.dtype), "mean")
    return reduce_loss(loss if batched or reduction == "sum" else loss[0], reduction)


def _padded(labels: Array, wanted: Array, n: int) -> Array:
    """Labels as (N, L), also where they came one after the other."""
    if labels.ndim == 2:
        return labels
    longest = labels.shape[0] if is_traced(wanted) else int(np.asarray(wanted).max(initial=0))
    start = jnp.concatenate([jnp.zeros(1, wanted.dtype), jnp.cumsum(wanted)[:-1]])
    places = start[:, None] + jnp.arange(longest, dtype=start.dtype)[None]
    if not labels.shape[0]:
        return jnp.zeros((n, longest), labels.dtype)
    return jnp.take(labels, jnp.minimum(places, labels.shape[0] - 1))


def _losses(p: Array, labels: Array, frames: Array, wanted: Array, blank: int, zero_infinity: bool) -> Array:
    """One loss a sample, with torch's gradient."""

    @jax.custom_jvp
    def of(p: Array, labels: Array, frames: Array, wanted: Array) -> Array:
        loss = _forward(p, labels, frames, wanted, blank)[0]
        return jnp.where(jnp.isinf(loss), 0, loss) if zero_infinity else loss

    @of.defjvp
    def of_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
        p, labels, frames, wanted = primals
        slope = _gradient(p, labels, frames, wanted, blank, zero_infinity)
        return of(*primals), jnp.sum(slope * tangents[0], (0, 2))

    result: Array = of(p, labels, frames, wanted)
    return result


def _states(labels: Array, blank: int) -> tuple[Array, Array]:
    """The class of each state, blank first, last and between; and whether a state may be reached over the one before.

    (N, S) both.
    """
    n, length = labels.shape
    classes = jnp.full((n, 2 * length + 1), blank, labels.dtype).at[:, 1::2].set(labels)
    before = jnp.concatenate([jnp.full((n, 2), blank, labels.dtype), classes[:, :-2]], 1)[:, : 2 * length + 1]
    return classes, (classes != blank) & (classes != before)


def _shift(a: Array, by: int) -> Array:
    """States moved by some places to the right, or to the left; what comes in is impossible."""
    empty = jnp.full((a.shape[0], min(abs(by), a.shape[1])), -jnp.inf, a.dtype)
    return (
        jnp.concatenate([empty, a[:, : a.shape[1] - empty.shape[1]]], 1)
        if by > 0
        else jnp.concatenate([a[:, empty.shape[1] :], empty], 1)
    )


def _logsum(*terms: Array) -> Array:
    """log of the sum of exponentials; that of nothing but zeros is minus infinity."""
    most = jnp.maximum(jnp.maximum(terms[0], terms[1]), terms[2]) if len(terms) == 3 else jnp.maximum(*terms)
    level = jnp.where(jnp.isneginf(most), 0, most)
    return jnp.log(sum(jnp.exp(term - level) for term in terms)) + level


def _forward(p: Array, labels: Array, frames: Array, wanted: Array, blank: int) -> tuple[Array, Array]:
    """The losses (N,), and alpha (T, N, S)."""
    classes, skips = _states(labels, blank)
    emitted = jnp.take_along_axis(p, classes[None], 2)  # (T, N, S)
    states = jnp.arange(classes.shape[1], dtype=wanted.dtype)[None]
    inside = states < 2 * wanted[:, None] + 1
    first = jnp.where((states < 2) & inside, emitted[0], -jnp.inf)

    def step(alpha: Array, now: Array) -> tuple[Array, Array]:
        over = jnp.where(skips, _shift(alpha, 2), -jnp.inf)
        alpha = jnp.where(inside, now + _logsum(alpha, _shift(alpha, 1), over), -jnp.inf)
        return alpha, alpha

    _, rest = jax.lax.scan(step, first, emitted[1:])
    alpha = jnp.concatenate([first[None], rest])
    last = jnp.take_along_axis(alpha, jnp.maximum(frames - 1, 0)[None, :, None], 0)[0]
    end = 2 * wanted[:, None]
    final = jnp.take_along_axis(last, end, 1)[:, 0]
    before = jnp.where(wanted > 0, jnp.take_along_axis(last, jnp.maximum(end - 1, 0), 1)[:, 0], -jnp.inf)
    loss = -_logsum(final, before)
    return jnp.where(frames > 0, loss, jnp.where(wanted > 0, jnp.inf, 0)), alpha


def _gradient(p: Array, labels: Array, frames: Array, wanted: Array, blank: int, zero_infinity: bool) -> Array:
    """Torch's gradient of every loss, (T, N, C)."""
    loss, alpha = _forward(p, labels, frames, wanted, blank)
    classes, skips = _states(labels, blank)
    emitted = jnp.take_along_axis(p, classes[None], 2)
    states = jnp.arange(classes.shape[1], dtype=wanted.dtype)[None]
    end = 2 * wanted[:, None]
    may_end = (states == end) | ((states == end - 1) & (wanted[:, None] > 0))
    inside = states <= end
    onward = jnp.concatenate([skips[:, 2:], jnp.zeros((skips.shape[0], 2), bool)], 1)[:, : skips.shape[1]]

    def step(beta: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        emission, t = now
        over = jnp.where(onward, _shift(beta, -2), -jnp.inf)
        going = emission + _logsum(beta, _shift(beta, -1), over)
        ending = jnp.where(may_end, emission, -jnp.inf)
        beta = jnp.where((t == frames - 1)[:, None], ending, jnp.where((t < frames - 1)[:, None], going, -jnp.inf))
        beta = jnp.where(inside, beta, -jnp.inf)
        return beta, beta

    times = jnp.arange(p.shape[0], dtype=frames.dtype)
    nothing = jnp.full_like(alpha[0], -jnp.inf)
    _, beta = jax.lax.scan(step, nothing, (emitted, times), reverse=True)
    through = alpha + beta
    possible = ~jnp.isneginf(through)
    exponent = jnp.where(possible, through - jnp.where(possible, emitted, 0) + loss[None, :, None], -jnp.inf)
    occupied = jnp.where(possible, jnp.exp(exponent), 0)
    time, sample = jnp.ogrid[: p.shape[0], : p.shape[1]]
    posterior = jnp.zeros_like(p).at[time[..., None], sample[..., None], classes[None]].add(occupied)
    slope = jnp.exp(p) - posterior
    impossible = jnp.isinf(loss)[None, :, None]
    slope = jnp.where(impossible, 0 if zero_infinity else jnp.nan, slope)
    return jnp.where((times[:, None] < frames[None])[..., None], slope, 0)


def _check(p: Array, labels: Array, frames: Array, wanted: Array, blank: int) -> None:
    if p.ndim != 3:
        raise RuntimeError(f"Expected 3-dimensional tensor, but got {p.ndim}-dimensional tensor for argument #1{_OF_P}")
    if p.size == 0:
        raise RuntimeError("log_probs tensor must not be empty")
    for name, each in (("input_lengths", frames), ("target_lengths", wanted)):
        if not jnp.issubdtype(each.dtype, jnp.integer):
            raise RuntimeError(explain(f"{name} must be integral", got=each.dtype))
    check_kernel("ctc_loss_cpu", p, jnp.float32, jnp.float64)
    t, n, c = p.shape
    if not 0 <= blank < c:
        raise RuntimeError(explain("blank must be in label range", got=blank, expected=f"0 <= blank < {c}"))
    for name, each in (("input_lengths", frames), ("target_lengths", wanted)):
        if each.size != n:
            raise RuntimeError(explain(f"{name} must be of size batch_size", got=each.size, expected=n))
    if labels.ndim not in (1, 2):
        raise RuntimeError(
            f"Expected 1 to 2 dimensions, but got {labels.ndim}-dimensional tensor for argument #2 'targets'{_WHILE}"
        )
    if is_traced(frames, wanted):
        return
    counts = np.asarray(wanted)
    for name, values in (("input_lengths", np.asarray(frames)), ("target_lengths", counts)):
        if values.min() < 0:
            raise RuntimeError(f"Expected {name} to have value at least 0, but got value {values.min()}{_WHILE}")
    longest = int(np.asarray(frames).max())
    if longest > t:
        raise RuntimeError(f"Expected input_lengths to have value at most {t}, but got value {longest}{_WHILE}")
    _check_labels(labels, counts, n)


def _check_labels(labels: Array, counts: np.ndarray, n: int) -> None:
    if labels.ndim == 1:
        got, needed, dim, least = labels.shape[0], int(counts.sum()), 0, ""
    elif labels.shape[0] != n:
        got, needed, dim, least = labels.shape[0], n, 0, ""
    else:
        got, needed, dim, least = labels.shape[1], int(counts.max()), 1, "at least "
    if got < needed or (not least and got != needed):
        raise RuntimeError(
            f"Expected tensor to have size {least}{needed} at dimension {dim}, but got size {got} "
            f"for argument #2 'targets'{_WHILE}"
        )
