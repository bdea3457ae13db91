"""What pools refuse, in torch's words, and what they take though it looks odd."""

import pytest
import torch

from tests.support.both import agreements, refusals

SHAPES = {1: (2, 3, 9), 2: (2, 3, 9, 8), 3: (2, 3, 9, 8, 7)}


def call(name, *args, shape, dtype="float32", **kwargs):
    return lambda F, t: getattr(F, name)(t(*shape, dtype=dtype), *args, **kwargs)


def unpool(n, shape, *args, indices=None, index_dtype="int64", move=0, **kwargs):
    return lambda F, t: getattr(F, f"max_unpool{n}d")(
        t(*shape), t(*(indices or shape), dtype=index_dtype) + move, *args, **kwargs
    )


def moving(n):
    """Calls of max_pool and avg_pool, by name: what either of them may refuse."""
    full, more = SHAPES[n], (2,) * (n + 1)
    for name in (f"max_pool{n}d", f"avg_pool{n}d"):
        cases = {
            "kernel too large": ((10,), full),
            "kernel 0": ((0,), full),
            "stride 0": ((2, 0), full),
            "stride -1": ((2, -1), full),
            "padding -1": ((2, 2, -1), full),
            "padding 2": ((2, 2, 2), full),
            "kernels": ((more,), full),
            "strides": ((2, more), full),
            "paddings": ((2, 2, more), full),
            "kernel ()": (((),), full),
            "rank above": ((2,), (1, *full)),
            "rank below": ((2,), full[2:]),
            "no channels": ((2,), (2, 0, *full[2:])),
            "empty axis": ((1,), (*full[:-1], 0)),
            "no batch": ((2,), (0, *full[1:])),
            "unbatched": ((2,), full[1:]),
            "kernel of one": (((2,),), full),
            "kernel that fits with its pads": ((3, 1, 1), (*full[:-1], 2)),
        }
        yield from ((f"{name}: {what}", call(name, *args, shape=shape)) for what, (args, shape) in cases.items())
        yield f"{name}: kernel that fits rounded up", call(name, 3, 2, ceil_mode=True, shape=(*full[:-1], 2))
        yield f"{name}: booleans", call(name, 2, shape=full, dtype="bool")
        yield f"{name}: complex", call(name, 2, shape=full, dtype="complex64")
        yield f"{name}: integers", call(name, 2, shape=full, dtype="int64")
        if name != "avg_pool3d":  # torch has no kernel on the CPU
            yield f"{name}: bfloat16", call(name, 2, shape=full, dtype="bfloat16")
    name = f"max_pool{n}d"
    yield f"{name}: dilation 0", call(name, 2, 1, 0, 0, shape=full)
    yield f"{name}: dilations", call(name, 2, 1, 0, (1,) * (n + 1), shape=full)
    yield f"{name}: dilation too large", call(name, 3, 1, 0, 7, shape=full)
    yield f"{name}: padding by dilation", call(name, 3, 1, 2, 2, shape=full)
    yield f"lp_pool{n}d: too large", call(f"lp_pool{n}d", 2, 10, shape=full)
    if n > 1:
        yield f"avg_pool{n}d: divisor", call(f"avg_pool{n}d", 2, divisor_override=0, shape=full)


def adaptive(n):
    full = SHAPES[n]
    for name in (f"adaptive_avg_pool{n}d", f"adaptive_max_pool{n}d"):
        cases = {
            "one": (3, full),
            "tuple of one": ((3,), full),
            "too many": ((3,) * (n + 1), full),
            "None": ((3,) * (n - 1) + (None,), full),
            "0": (0, full),
            "-1": (-1, full),
            "()": ((), full),
            "rank above": (2, (1, *full)),
            "rank below": (2, full[2:]),
            "unbatched": (2, full[1:]),
            "no batch": (2, (0, *full[1:])),
            "no channels": (2, (2, 0, *full[2:])),
            "empty axis": (1, (*full[:-1], 0)),
            "empty axis, no windows": (0, (*full[:-1], 0)),
        }
        yield from ((f"{name}: {what}", call(name, size, shape=shape)) for what, (size, shape) in cases.items())
        yield f"{name}: integers", call(name, 2, shape=full, dtype="int64")
        yield f"{name}: float16", call(name, 2, shape=full, dtype="float16")


def unpooling(n):
    small = (2, 3, *(4, 4, 3)[:n])
    yield f"unpool{n}d", unpool(n, small, 2)
    yield f"unpool{n}d: shape of indices", unpool(n, small, 2, indices=(*small[:-1], 1))
    yield f"unpool{n}d: dtype of indices", unpool(n, small, 2, index_dtype="float32")
    yield f"unpool{n}d: out of range", unpool(n, small, 2, move=1000)
    yield f"unpool{n}d: negative", unpool(n, small, 2, move=-1000)
    yield f"unpool{n}d: output size", unpool(n, small, 2, output_size=(9, 8, 7)[:n])
    yield f"unpool{n}d: whole output size", unpool(n, small, 2, output_size=(2, 3, *(9, 8, 7)[:n]))
    yield f"unpool{n}d: wrong output size", unpool(n, small, 2, output_size=(20,) * n)
    yield f"unpool{n}d: length of output size", unpool(n, small, 2, output_size=(9,) * (n + 3))
    yield f"unpool{n}d: rank", unpool(n, small[2:], 2)
    yield f"unpool{n}d: no channels", unpool(n, (2, 0, *small[2:]), 2)
    yield f"unpool{n}d: no batch", unpool(n, (0, *small[1:]), 2)
    yield f"unpool{n}d: unbatched", unpool(n, small[1:], 2)


def fractional(n):
    full, name = SHAPES[n], f"fractional_max_pool{n}d"

    def with_samples(*args, shape=full, samples=(2, 3, n), dtype="float32", **kwargs):
        return lambda F, t: getattr(F, name)(t(*shape), *args, _random_samples=t(*samples, dtype=dtype) * 0.5, **kwargs)

    yield f"{name}: size", with_samples(2, output_size=3)
    yield f"{name}: ratio", with_samples(2, output_ratio=(0.5,) * n)
    yield f"{name}: neither", with_samples(2)
    yield f"{name}: too large", with_samples(2, output_size=9)
    yield f"{name}: kernel too large", with_samples(10, output_size=1)
    yield f"{name}: rank", with_samples(2, output_size=3, shape=full[2:])
    yield f"{name}: unbatched", with_samples(2, output_size=3, shape=full[1:], samples=(1, 3, n))
    yield f"{name}: samples' last axis", with_samples(2, output_size=3, samples=(2, 3, n + 1))
    yield f"{name}: samples' batch", with_samples(2, output_size=3, samples=(1, 3, n))
    yield f"{name}: samples' dtype", with_samples(2, output_size=3, dtype="float64")
    yield f"{name}: samples' rank", with_samples(2, output_size=3, samples=(2, n))
    yield f"{name}: no channels", with_samples(2, output_size=3, shape=(2, 0, *full[2:]), samples=(2, 0, n))
    yield f"{name}: sizes", with_samples(2, output_size=(3,) * (n + 1))
    yield f"{name}: kernels", with_samples((2,) * (n + 1), output_size=3)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_calls_are_taken_or_refused_as_by_torch(n):
    calls = dict([*moving(n), *adaptive(n), *unpooling(n), *(fractional(n) if n > 1 else ())])
    taken, refused = {}, {}
    for name, each in calls.items():
        try:
            each(torch.nn.functional, lambda *shape, dtype="float32": torch.ones(shape, dtype=getattr(torch, dtype)))
            taken[name] = each
        except Exception:
            refused[name] = each
    assert len(taken) > 15 and len(refused) > 40
    found = refusals(refused) | agreements(taken)
    assert not found, "\n".join(f"{name}: {found[name]}" for name in found)
