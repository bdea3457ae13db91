"""Images resampled, sampled and shuffled beside torch: PyTorch's own samples, refusals, special places."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.vision import taps
from tests.support.both import agreements, refusals
from tests.support.op_samples import entries, error_inputs, op_id, samples
from tests.support.samples import complaint, jax_answer, to_jax, torch_answer

pytestmark = [
    pytest.mark.filterwarnings("ignore:Default grid_sample and affine_grid:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*is deprecated:UserWarning"),
    pytest.mark.filterwarnings("ignore:Since version 1.3.0, affine_grid:UserWarning"),
]

NAMES = ("interpolate", "grid_sample", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "upsample_nearest")
OPS = entries(*(f"nn.functional.{name}" for name in (*NAMES, "upsample_bilinear", "pad")))


@pytest.mark.parametrize("op", OPS, ids=op_id)
def test_samples(op, x64):
    samples(op, limit=2).check()
    error_inputs(op).check(at_least=0)


@pytest.mark.exhaustive
@pytest.mark.parametrize("op", OPS, ids=op_id)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_all_samples(op, dtype, request):
    if dtype == torch.float64:
        request.getfixturevalue("x64")
    samples(op, dtype=dtype).check()


def compare(name, *tensors, **kwargs):
    theirs = torch_answer(lambda *given: getattr(torch.nn.functional, name)(*given, **kwargs), list(tensors))
    with jax.enable_x64(True):
        ours = jax_answer(
            lambda *given: getattr(F, name)(*given, **kwargs), [to_jax(t) for t in tensors], list(theirs[1])
        )
    found = complaint(ours, theirs)
    assert not found, (name, kwargs, found)


ANTIALIASED = [{"size": (4, 3)}, {"size": (13, 16)}, {"scale_factor": 0.37}]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialiased(mode):
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 2, 9, 7)))
    for kwargs in ANTIALIASED:
        compare("interpolate", x, mode=mode, antialias=True, **kwargs)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_bytes_are_resampled_bit_for_bit(data):
    mode = data.draw(st.sampled_from(["bilinear", "bicubic", "lanczos"]))
    kwargs = {"mode": mode, "antialias": mode == "lanczos" or data.draw(st.booleans(), "antialias")}
    kwargs["align_corners"] = None if mode == "lanczos" else data.draw(st.booleans(), "align_corners")
    n, c, height, width = (data.draw(st.integers(low, high)) for low, high in ((1, 2), (1, 5), (2, 20), (2, 20)))
    sizes = st.integers(2, 30), st.integers(2, 30)
    factors = st.floats(2 / height, 3), st.floats(2 / width, 3)
    by_size = data.draw(st.booleans(), "by size")
    kwargs["size" if by_size else "scale_factor"] = tuple(map(data.draw, sizes if by_size else factors))
    levels = data.draw(st.sampled_from([256, 2]))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, levels, (n, c, height, width)) * (
        255 // (levels - 1)
    )
    theirs = torch.nn.functional.interpolate(torch.from_numpy(x.astype(np.uint8)), **kwargs)
    ours = F.interpolate(jnp.asarray(x, jnp.uint8), **kwargs)
    assert ours.dtype == jnp.uint8
    np.testing.assert_array_equal(ours, theirs.numpy())


def test_the_nearest_place_is_torchs_for_all_sizes_and_factors():
    """Which neighbour is nearest hangs on one rounding; torch's is made in float32."""
    for size, exact in itertools.product(range(1, 40, 3), (False, True)):
        mode = "nearest-exact" if exact else "nearest"
        x = torch.arange(size, dtype=torch.float32).reshape(1, 1, size)
        for out in range(1, 90, 7):
            theirs = torch.nn.functional.interpolate(x, out, mode=mode).ravel().tolist()
            assert taps.nearest(size, out, None, exact=exact).at.ravel().tolist() == theirs
        for factor in (0.3, 0.7, 1.1, 2.5, 1 / 3, math.pi):
            if int(size * factor) > 0:
                theirs = torch.nn.functional.interpolate(x, scale_factor=factor, mode=mode).ravel().tolist()
                assert taps.nearest(size, len(theirs), factor, exact=exact).at.ravel().tolist() == theirs


SAMPLING = itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True))


@pytest.mark.parametrize("mode,padding_mode,align_corners", list(SAMPLING))
def test_places_inside_outside_and_on_the_border(mode, padding_mode, align_corners):
    stream = np.random.default_rng(0)
    grid = stream.uniform(-1.8, 1.8, (1, 3, 4, 2))
    grid.reshape(-1)[:8] = [-1, 1, 0, 0, 1, -1, 0.5, 2]
    image = torch.from_numpy(stream.standard_normal((1, 2, 5, 4)))
    kwargs = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    compare("grid_sample", image, torch.from_numpy(grid), **kwargs)
    if mode != "bicubic" and align_corners:
        volume = torch.from_numpy(stream.standard_normal((1, 1, 3, 4, 2)))
        compare("grid_sample", volume, torch.from_numpy(stream.uniform(-1.5, 1.5, (1, 2, 2, 2, 3))), **kwargs)


@pytest.mark.parametrize("n,align_corners", [(2, False), (2, True), (3, False), (3, True)])
def test_affine_grid(n, align_corners):
    theta = torch.from_numpy(np.random.default_rng(0).standard_normal((2, n, n + 1)))
    compare("affine_grid", theta, size=(2, 3, 4, 5, 1)[: n + 2], align_corners=align_corners)


def test_batches_and_second_derivatives():
    x = jax.random.normal(jax.random.key(0), (3, 1, 2, 5, 5))
    for resize in (
        lambda v: F.interpolate(v, scale_factor=2, mode="bilinear"),
        lambda v: F.interpolate(v, 3, mode="bicubic", antialias=True),
        lambda v: F.interpolate(v, scale_factor=2),
    ):
        each = jnp.stack([resize(v) for v in x])
        np.testing.assert_allclose(jax.jit(jax.vmap(resize))(x), each, rtol=1e-5, atol=1e-6)
        product = jax.jvp(jax.grad(lambda v, f=resize: jnp.sum(f(v) ** 3)), (x[0],), (x[1],))[1]
        assert np.isfinite(product).all()


def interpolation(shape, *args, **kwargs):
    return lambda F, t: F.interpolate(t(*shape), *args, **kwargs)


SHAPES = {
    "nearest": (2, 3, 5),
    "nearest-exact": (2, 3, 5),
    "area": (2, 3, 5),
    "linear": (2, 3, 5),
    "bilinear": (2, 3, 5, 5),
    "bicubic": (2, 3, 5, 5),
    "trilinear": (2, 3, 5, 5, 5),
    "lanczos": (2, 3, 5, 5),
}
REFUSED = {
    "shuffle rank": lambda F, t: F.pixel_shuffle(t(8, 3), 2),
    "shuffle channels": lambda F, t: F.pixel_shuffle(t(2, 7, 3, 3), 2),
    "shuffle 0": lambda F, t: F.pixel_shuffle(t(2, 8, 3, 3), 0),
    "unshuffle height": lambda F, t: F.pixel_unshuffle(t(2, 8, 3, 4), 2),
    "unshuffle width": lambda F, t: F.pixel_unshuffle(t(2, 8, 4, 3), 2),
    "groups": lambda F, t: F.channel_shuffle(t(2, 8, 3, 3), 3),
    "groups 0": lambda F, t: F.channel_shuffle(t(2, 8, 3, 3), 0),
    "groups rank": lambda F, t: F.channel_shuffle(t(2, 8), 2),
    "grid mode": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(2, 4, 4, 2), mode="cubic"),
    "grid padding": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(2, 4, 4, 2), padding_mode="edge"),
    "grid batch": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(1, 4, 4, 2)),
    "grid last": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(2, 4, 4, 3)),
    "grid rank": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(4, 4, 2)),
    "grid dtype": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(2, 4, 4, 2, dtype="float64")),
    "grid bicubic": lambda F, t: F.grid_sample(t(2, 3, 5, 5, 5), t(2, 4, 4, 4, 3), mode="bicubic"),
    "grid empty": lambda F, t: F.grid_sample(t(2, 3, 0, 5), t(2, 4, 4, 2)),
    "affine shape": lambda F, t: F.affine_grid(t(2, 3, 3), (2, 3, 4, 5)),
    "affine sizes": lambda F, t: F.affine_grid(t(2, 2, 3), (2, 3, 4)),
    "affine empty": lambda F, t: F.affine_grid(t(2, 2, 3), (2, 3, 0, 5)),
    "affine dtype": lambda F, t: F.affine_grid(t(2, 2, 3, dtype="int64"), (2, 3, 4, 5)),
    "bytes on a line": lambda F, t: F.interpolate(t(2, 3, 5, dtype="uint8"), 3, mode="linear"),
    "bytes in space": lambda F, t: F.interpolate(t(2, 3, 5, 5, 5, dtype="uint8"), 3, mode="trilinear"),
    "integers": lambda F, t: F.interpolate(t(2, 3, 5, 5, dtype="int32"), 3, mode="bilinear", antialias=True),
    "mode": interpolation((2, 3, 5), 3, mode="cubic"),
    "pad: odd": lambda F, t: F.pad(t(3, 5, 5), (1, 2, 1)),
    "pad: too many": lambda F, t: F.pad(t(2, 3), (1,) * 6),
    "pad: negative": lambda F, t: F.pad(t(2, 3), (-2, -2)),
    "pad: mode": lambda F, t: F.pad(t(2, 3), (1, 1), "mirror"),
    "pad: rank": lambda F, t: F.pad(t(2, 3, 5, 5), (1, 2), "reflect"),
    "pad: reflect": lambda F, t: F.pad(t(2, 3, 5, 5), (1, 1, 6, 1), "reflect"),
    "pad: circular": lambda F, t: F.pad(t(2, 3, 5), (6, 2), "circular"),
    "pad: value": lambda F, t: F.pad(t(2, 3, 5), (1, 2), "reflect", 1.0),
    "pad: replicate": lambda F, t: F.pad(t(2, 3, 5), (-3, -3), "replicate"),
    "pad: empty": lambda F, t: F.pad(t(2, 0, 5), (1, 1), "replicate"),
}
for mode, shape in SHAPES.items():
    REFUSED |= {
        f"{mode}: neither": interpolation(shape, mode=mode),
        f"{mode}: both": interpolation(shape, 3, 2.0, mode=mode),
        f"{mode}: sizes": interpolation(shape, (3, 3, 3, 3), mode=mode),
        f"{mode}: factors": interpolation(shape, scale_factor=(2.0,) * 4, mode=mode),
        f"{mode}: floats": interpolation(shape, (3.0,) * (len(shape) - 2), mode=mode),
        f"{mode}: rank 2": interpolation((3, 5), 3, mode=mode),
        f"{mode}: rank 6": interpolation((1, 1, 3, 5, 5, 5), 3, mode=mode),
        f"{mode}: recomputed": interpolation(shape, 3, mode=mode, recompute_scale_factor=True),
        f"{mode}: too small": interpolation(shape, scale_factor=0.1, mode=mode),
        f"{mode}: no channels": interpolation((2, 0, *shape[2:]), 3, mode=mode),
        f"{mode}: empty": interpolation((2, 3, 0, *shape[3:]), 3, mode=mode),
        f"{mode}: corners": interpolation(shape, 3, mode=mode, align_corners=True),
        f"{mode}: antialias": interpolation(shape, 3, mode=mode, antialias=True),
    }
TAKEN = {
    "shuffle, 5 axes": lambda F, t: F.pixel_shuffle(t(1, 2, 8, 3, 3), 2),
    "shuffle, no batch": lambda F, t: F.pixel_shuffle(t(0, 8, 3, 3), 2),
    "grid, no places": lambda F, t: F.grid_sample(t(2, 3, 5, 5), t(2, 0, 4, 2)),
    "grid, no batch": lambda F, t: F.grid_sample(t(0, 3, 5, 5), t(0, 4, 4, 2)),
    "bytes": lambda F, t: F.interpolate(t(2, 3, 5, dtype="uint8"), 3),
    "bytes in a plane": lambda F, t: F.interpolate(t(2, 3, 5, 5, dtype="uint8"), 3, mode="bilinear"),
    "bfloat16": lambda F, t: F.interpolate(t(2, 3, 5, 5, dtype="bfloat16"), 3, mode="bilinear"),
    "pad: integers": lambda F, t: F.pad(t(2, 3, dtype="int64"), (1, 1), value=1.5),
    "pad: to nothing": lambda F, t: F.pad(t(2, 3), (-1, -2)),
    "pad: no batch": lambda F, t: F.pad(t(0, 3, 5), (1, 2), "reflect"),
}


def test_torchs_sentences():
    kept = {}
    for name, call in REFUSED.items():
        try:
            call(torch.nn.functional, lambda *shape, dtype="float32": torch.ones(shape, dtype=getattr(torch, dtype)))
            kept[name] = call
        except Exception:
            pass
    found = refusals({name: call for name, call in REFUSED.items() if name not in kept}) | agreements(kept | TAKEN)
    assert not found, "\n".join(f"{name}: {found[name]}" for name in found)
