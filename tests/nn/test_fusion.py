"""``nn.utils.fuse_conv_bn_eval`` and its kin beside torch, and beside the two layers that they replace."""

import copy
import secrets

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgrad import func, nn, random

torch = pytest.importorskip("torch", reason="the reference is not installed")

CASES = {
    "Conv1d": ((3, 4, 2), {"bias": False}, 4, (2, 3, 5)),
    "Conv2d": ((2, 4, 3), {"groups": 2}, 4, (2, 2, 5, 5)),
    "Conv3d": ((1, 2, 2), {}, 2, (1, 1, 3, 3, 3)),
    "ConvTranspose2d": ((3, 2, 2), {}, 2, (1, 3, 3, 3)),
    "Linear": ((5, 4), {}, 4, (3, 5)),
}


def dressed(kind, affine, seed):
    """A layer and a BatchNorm with statistics of their own, on both sides."""
    sizes, options, features, shape = CASES[kind]
    norm = {3: "BatchNorm1d", 2: "BatchNorm1d", 4: "BatchNorm2d", 5: "BatchNorm3d"}[len(shape)]
    torch.manual_seed(seed)
    theirs = getattr(torch.nn, kind)(*sizes, **options, dtype=torch.float64)
    their_bn = getattr(torch.nn, norm)(features, eps=0.1, affine=affine, dtype=torch.float64)
    for value in (*their_bn.parameters(), their_bn.running_mean, their_bn.running_var):
        torch.nn.init.uniform_(value, 0.5, 2.0)
    rngs = nn.Rngs(random.manual_seed(seed))
    ours = getattr(nn, kind)(*sizes, **options, dtype=jnp.float64, rngs=rngs)
    our_bn = getattr(nn, norm)(features, eps=0.1, affine=affine, dtype=jnp.float64)
    held = {name: value.detach().numpy() for name, value in their_bn.state_dict().items()}
    params, buffers = ({name: held[name] for name in each} for each in func.extract(our_bn))
    return ours, func.bind(our_bn, params, buffers), theirs.eval(), their_bn.eval(), torch.randn(shape).double()


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", CASES)
def test_one_layer_for_two(kind, affine):
    with jax.enable_x64(True):
        ours, our_bn, theirs, their_bn, x = dressed(kind, affine, secrets.randbelow(2**31))
        if kind == "Linear":
            fuse, last = ("fuse_linear_bn_eval", ())
            if not affine:
                with pytest.raises(TypeError):
                    torch.nn.utils.fuse_linear_bn_eval(theirs, their_bn)
                with pytest.raises(TypeError, match="weight and the bias of BatchNorm"):
                    nn.utils.fuse_linear_bn_eval(ours, our_bn)
                return
        else:
            fuse, last = "fuse_conv_bn_eval", ((True,) if "Transpose" in kind else ())
        before = copy.deepcopy(ours)
        fused = getattr(nn.utils, fuse)(ours, our_bn, *last)
        expected = getattr(torch.nn.utils, fuse)(theirs, their_bn, *last)
        assert list(fused.state_dict()) == list(expected.state_dict())
        for name, value in expected.state_dict().items():
            np.testing.assert_allclose(fused.state_dict()[name], value.numpy(), rtol=1e-13)
        assert all((ours.state_dict()[name] == value).all() for name, value in before.state_dict().items())
        x = x.numpy()
        both = func.functional_call(nn.Sequential(ours, our_bn), {}, x, training=False)
        np.testing.assert_allclose(fused(x), both, rtol=1e-10, atol=1e-12)
        assert not np.allclose(fused(x), ours(x))


def test_what_cannot_be_fused():
    linear = nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0)))
    with pytest.raises(AssertionError) as expected:
        torch.nn.utils.fuse_linear_bn_eval(torch.nn.Linear(3, 2).eval(), torch.nn.BatchNorm1d(3).eval())
    with pytest.raises(AssertionError) as got:
        nn.utils.fuse_linear_bn_eval(linear, nn.BatchNorm1d(3))
    assert str(got.value) == str(expected.value)
    with pytest.raises(AssertionError, match=r"bn\.running_mean and bn\.running_var must not be None"):
        nn.utils.fuse_linear_bn_eval(linear, nn.BatchNorm1d(2, track_running_stats=False))
