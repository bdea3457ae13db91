"""Linear layers and the shaping of axes on PyTorch's own samples, and what they refuse."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, random

torch = pytest.importorskip("torch", reason="the reference is not installed")

from tests.support import module_samples, op_samples  # noqa: E402


@pytest.mark.parametrize("name", ["Linear", "Bilinear"])
def test_modules_on_torchs_samples(name, x64):
    (info,) = module_samples.infos(name)
    module_samples.samples(info, limit=6).check()


def test_bilinear_on_torchs_samples(x64):
    (info,) = op_samples.entries("nn.functional.bilinear")
    op_samples.samples(info, limit=12).check()


def test_bilinears_initial_values_and_refusals():
    for arguments in ((3, 4, 5), (2, 2, 1, False)):
        torch.manual_seed(3)
        theirs = torch.nn.Bilinear(*arguments)
        ours = nn.Bilinear(*arguments, rngs=nn.Rngs(random.manual_seed(3)))
        assert repr(ours) == repr(theirs)
        for name, value in func.extract(ours)[0].items():
            np.testing.assert_array_equal(value, theirs.state_dict()[name].numpy())
    with pytest.raises(ValueError) as yours:
        torch.nn.Bilinear(0, 1, 1)
    with pytest.raises(ValueError) as mine:
        nn.Bilinear(0, 1, 1, rngs=nn.Rngs(random.manual_seed(3)))
    assert str(mine.value) == str(yours.value)


SHAPES = [
    ((2, 3), (3, 4), (5, 3, 4), (5,)),
    ((2, 4), (2, 4), (5, 3, 4), None),
    ((2, 3), (2, 3), (5, 3, 4), None),
    ((2, 3), (2, 4), (5, 3, 4), (4,)),
    ((2, 2, 3), (2, 4), (5, 3, 4), None),
    ((3,), (4,), (5, 3, 4), None),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_shapes_of_bilinear(shapes):
    def run(lib, call):
        try:
            return tuple(call(*(None if shape is None else lib.ones(shape) for shape in shapes)).shape)
        except RuntimeError as error:
            return str(error)

    assert run(jnp, nn.functional.bilinear) == run(torch, torch.nn.functional.bilinear)


UNFLATTENED = [
    (1, (2, 3)),
    (1, (2, 4)),
    (1, (2, -1)),
    (3, (2, -1)),
    (1, (-1, -1)),
    (1, ()),
    (1, (4, -1)),
    (0, (2, -2)),
    (-1, [2, 3]),
    (1, 2),
    (1, (2.0, 3)),
    ("C", (2, 3)),
]


@pytest.mark.parametrize("arguments", UNFLATTENED, ids=str)
def test_unflatten(arguments):
    def run(lib, nn):
        try:
            module = nn.Unflatten(*arguments)
            return repr(module), tuple(module(lib.ones((2, 6))).shape)
        except (RuntimeError, TypeError, IndexError) as error:
            return type(error), str(error).splitlines()[0]

    assert run(jnp, nn) == run(torch, torch.nn)


def test_a_generator_is_not_an_rngs():
    with pytest.raises(TypeError, match=r"(?s)from an nn.Rngs, got a Generator.*rngs = nn.Rngs\(generator\)"):
        nn.Linear(4, 2, rngs=random.manual_seed(0))
