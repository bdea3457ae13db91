"""The convolution's programs: XLA's library or products on the CPU, XLA's own elsewhere, in every direction."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad.nn import functional as F
from jaxgrad.nn.functional.conv import bilinear
from jaxgrad.nn.functional.conv.columns import Window
from jaxgrad.nn.functional.conv.convolve import convolve

CASES = [  # images, channels, out, sizes, kernel, stride, pads, dilation, groups
    (3, 2, 4, (7, 6), (3, 2), (2, 1), ((1, 1), (0, 1)), (1, 2), 1),
    (2, 4, 6, (5, 5), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1), 2),
    (2, 3, 6, (5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 3),  # depthwise
    (2, 3, 2, (8, 7), (3, 2), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),  # no border
    (2, 3, 2, (8, 9), (2, 3), (3, 4), ((0, 0), (0, 0)), (2, 1), 1),  # rows and columns that no window reaches
    (2, 2, 3, (4, 5), (2, 3), (1, 2), ((3, 1), (4, 0)), (1, 1), 1),  # windows in the border alone
]


@pytest.mark.parametrize("case", CASES)
def test_both_programs_of_a_convolution_and_of_its_gradients(case, x64):
    n, channels, out, sizes, kernel, stride, pads, dilation, groups = case
    window = Window(sizes, kernel, stride, pads, dilation, groups)
    stream = np.random.default_rng(0)
    x, w, g = (
        jnp.asarray(stream.standard_normal(shape))
        for shape in ((n, channels, *sizes), (out, channels // groups, *kernel), (n, out, *window.out()))
    )
    arguments = {"forward": (x, w), "input": (g, w), "weight": (x, g)}
    for kind, (a, b) in arguments.items():
        by_lax = bilinear._by_lax(a, b, window=window, kind=kind)
        ours = bilinear._by_columns(a, b, window=window, kind=kind)
        np.testing.assert_allclose(ours, by_lax, rtol=1e-11, atol=1e-12)
        if groups == 1 and kind != "weight":
            by_library = bilinear._by_library(a, b, window=window, kind=kind)
            np.testing.assert_allclose(by_library, by_lax, rtol=1e-11, atol=1e-12)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the form is that of the CPU's library")
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1)])
def test_in_a_loop_each_convolution_lies_as_the_library_takes_it(stride, padding):
    """XLA brings only those into this form that stand outside; the others take some twenty times as long."""
    x, w = jnp.ones((2, 16, 6, 6)), jnp.ones((16, 16, 3, 3))

    def step(x, _):
        dx, dw = jax.grad(lambda x, w: jnp.sum(F.conv2d(x, w, stride=stride, padding=padding) ** 2), (0, 1))(x, w)
        return x - dx, dw

    compiled = jax.jit(lambda x: jax.lax.scan(step, x, length=2)).lower(x).compile().as_text()
    found = re.findall(r" convolution\(.*dim_labels=(\S+?)[,}\s]", compiled)
    assert len(found) == 2 and set(found) == {"b01f_01io->b01f"}, found


def plain(x, w):
    return convolve(x, w, (1, 1), ((1, 1), (1, 1)), (1, 1), 1)


def ours(x, w):
    return F.conv2d(x, w, padding=1)


def test_forwards_backwards_twice_and_batched(x64):
    stream = np.random.default_rng(1)
    x, w = jnp.asarray(stream.standard_normal((2, 2, 4, 4))), jnp.asarray(stream.standard_normal((3, 2, 3, 3)))
    dx, dw = jnp.cos(x), jnp.sin(w)

    def everything(conv):
        def loss(x, w):
            return jnp.sum(jnp.sin(conv(x, w)))

        def product(x, w):
            return jax.jvp(jax.grad(loss, (0, 1)), (x, w), (dx, dw))

        return [
            jax.jvp(conv, (x, w), (dx, dw)),
            product(x, w),
            jax.grad(lambda x, w: sum(jnp.sum(t**2) for t in jax.grad(loss, (0, 1))(x, w)), (0, 1))(x, w),
            jax.vmap(lambda x: conv(x[None], w))(x),
            jax.vmap(jax.grad(lambda w, x: loss(x[None], w)), (None, 0))(w, x),
            jax.vmap(lambda k: conv(x, w * k))(jnp.arange(3.0)),
        ]

    for a, b in zip(jax.tree.leaves(everything(ours)), jax.tree.leaves(everything(plain)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_elsewhere_the_program_is_xlas_convolution(platform):
    x, w = jnp.ones((2, 3, 8, 8)), jnp.ones((4, 3, 3, 3))

    def convolutions(conv):
        loss = jax.value_and_grad(lambda x, w: jnp.sum(jnp.sin(conv(x, w))), (0, 1))
        text = jax.jit(loss).trace(x, w).lower(lowering_platforms=(platform,)).as_text()
        lines = [line.split("stablehlo.", 1)[1] for line in text.splitlines() if "stablehlo." in line]
        assert not any(line.startswith(("while", "dot_general")) for line in lines)
        return sorted(line.split("(", 1)[1].split(")", 1)[1] for line in lines if line.startswith("convolution"))

    assert len(convolutions(ours)) == 3
    assert convolutions(ours) == convolutions(plain)


def test_on_the_cpu_there_is_no_convolution():
    text = jax.jit(jax.grad(lambda w: jnp.sum(ours(jnp.ones((2, 3, 8, 8)), w)))).lower(jnp.ones((4, 3, 3, 3))).as_text()
    assert "stablehlo.convolution" not in text and "dot_general" in text


def test_data_parallel_over_devices():
    mesh = jax.make_mesh((2,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.sharding.PartitionSpec("data")
    x, w = jnp.ones((4, 3, 8, 8)), jnp.ones((4, 3, 3, 3))

    @jax.shard_map(mesh=mesh, in_specs=(spec, jax.sharding.PartitionSpec()), out_specs=jax.sharding.PartitionSpec())
    def step(x, w):
        return jax.grad(lambda w: jnp.sum(ours(x, jax.lax.pcast(w, "data", to="varying"))))(w)  # summed by pcast

    np.testing.assert_allclose(step(x, w), jax.grad(lambda w: jnp.sum(ours(x, w)))(w), rtol=1e-5)
