"""The line search of ``torch.optim.LBFGS``: a step that satisfies the strong Wolfe conditions, inside ``jit``.

Along a direction d from x, a step t is good if it descends enough, ``f(t) <= f(0) + c1 t f'(0)``, and has left the
steep part behind, ``|f'(t)| <= c2 |f'(0)|``. First t grows until such a point is found or two points bracket one;
then the bracket shrinks by cubic interpolation. Torch's decisions are followed one by one, so that the same points
are evaluated in the same order.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array

SUFFICIENT_DECREASE = 1e-4
CURVATURE = 0.9
TOLERANCE_CHANGE = 1e-9
"""A bracket that moves no element by as much is small enough. Torch's optimizer does not hand its own on."""


class Point(NamedTuple):
    """One evaluated step: its length, loss, gradient, and the slope along the direction."""

    t: Array
    f: Array
    g: Array
    slope: Array


class _Search(NamedTuple):
    previous: Point
    latest: Point
    iterations: Array
    found: Array  # 0 searching, 1 bracketed by previous and latest, 2 latest is good


class _Zoom(NamedTuple):
    bracket: Point  # both ends, stacked
    low: Array
    iterations: Array
    done: Array
    stuck: Array  # the last trial made insufficient progress


def strong_wolfe(
    evaluate: Callable[[Array], tuple[Array, Array]],
    t: Array,
    d: Array,
    f: Array,
    g: Array,
    slope: Array,
    *,
    max_evaluations: Array,
) -> tuple[Point, Array]:
    """The chosen point and the number of evaluations.

    Args:
        evaluate: ``t -> (loss, flat gradient)`` at x + t * d.
        t: first step to try.
        d: direction.
        f: loss at x.
        g: gradient at x.
        slope: ``g . d``.
        max_evaluations: bound on the trials after the first.
    """

    def at(t: Array) -> Point:
        f_new, g_new = evaluate(t)
        return Point(t, f_new, g_new, jnp.dot(g_new, d))

    def too_high(point: Point) -> Array:
        return point.f > f + SUFFICIENT_DECREASE * point.t * slope

    def flat(point: Point) -> Array:
        return jnp.abs(point.slope) <= -CURVATURE * slope

    def searching(s: _Search) -> Array:
        return (s.found == 0) & (s.iterations < max_evaluations)

    def search(s: _Search) -> _Search:
        p, q = s.previous, s.latest
        passed = too_high(q) | ((s.iterations > 1) & (q.f >= p.f))
        found = jnp.where(passed, 1, jnp.where(flat(q), 2, jnp.where(q.slope >= 0, 1, 0))).astype(jnp.int32)

        def further() -> _Search:
            reach = _cubic_interpolate(p, q, (q.t + 0.01 * (q.t - p.t), q.t * 10))
            return _Search(q, at(reach), s.iterations + 1, found)

        return jax.lax.cond(found == 0, further, lambda: s._replace(found=found))

    start = Point(jnp.zeros_like(t), f, g, slope)
    s = jax.lax.while_loop(searching, search, _Search(start, at(t), jnp.int32(0), jnp.int32(0)))

    lower = _choose(s.found == 0, start, _choose(s.found == 2, s.latest, s.previous))
    bracket = jax.tree.map(lambda a, b: jnp.stack([a, b]), lower, s.latest)

    def zooming(z: _Zoom) -> Array:
        wide = ~(jnp.abs(z.bracket.t[1] - z.bracket.t[0]) * jnp.max(jnp.abs(d)) < TOLERANCE_CHANGE)
        return ~z.done & (z.iterations < max_evaluations) & wide

    def zoom(z: _Zoom) -> _Zoom:
        t, stuck = _trial(z)
        new = at(t)
        low_point, high_point = _end(z.bracket, z.low), _end(z.bracket, 1 - z.low)
        worse = too_high(new) | (new.f >= low_point.f)
        satisfied = flat(new)
        turned = new.slope * (high_point.t - low_point.t) >= 0
        high_point = _choose(worse, new, _choose(~satisfied & turned, low_point, high_point))
        low_point = _choose(worse, low_point, new)
        bracket = jax.tree.map(
            lambda a, b: jnp.where(z.low == 0, jnp.stack([a, b]), jnp.stack([b, a])), low_point, high_point
        )
        low = jnp.where(worse, _lower_end(bracket), z.low)
        return _Zoom(bracket, low, z.iterations + 1, ~worse & satisfied, stuck)

    first = _Zoom(bracket, _lower_end(bracket), s.iterations, s.found == 2, jnp.asarray(False))
    z = jax.lax.while_loop(zooming, zoom, first)
    return _end(z.bracket, z.low), z.iterations + 1


def _choose(condition: Array, a: Point, b: Point) -> Point:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), a, b)


def _end(bracket: Point, which: Array | int) -> Point:
    return jax.tree.map(lambda ends: ends[which], bracket)


def _lower_end(bracket: Point) -> Array:
    return (~(bracket.f[0] <= bracket.f[1])).astype(jnp.int32)  # with nan the second, as in torch


def _trial(z: _Zoom) -> tuple[Array, Array]:
    """The next step to try, kept off the ends of the bracket, and whether it makes insufficient progress."""
    a, b = _end(z.bracket, 0), _end(z.bracket, 1)
    least, most = jnp.minimum(a.t, b.t), jnp.maximum(a.t, b.t)
    t = _cubic_interpolate(a, b, (least, most))
    margin = 0.1 * (most - least)
    near_an_end = jnp.minimum(most - t, t - least) < margin
    push = near_an_end & (z.stuck | (t >= most) | (t <= least))
    pushed = jnp.where(jnp.abs(t - most) < jnp.abs(t - least), most - margin, least + margin)
    return jnp.where(push, pushed, t), near_an_end & ~push


def _cubic_interpolate(a: Point, b: Point, bounds: tuple[Array, Array]) -> Array:
    """The minimum of the cubic through two points and their slopes, within bounds; the middle if it has none."""
    least, most = bounds
    swap = a.t > b.t
    near, far = _choose(swap, b, a), _choose(swap, a, b)
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    d2 = jnp.sqrt(square)
    lowest = far.t - (far.t - near.t) * ((far.slope + d2 - d1) / (far.slope - near.slope + 2 * d2))
    return jnp.where(square >= 0, jnp.minimum(jnp.maximum(lowest, least), most), (least + most) / 2)
