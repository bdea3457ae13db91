"""What is known of single entries of PyTorch's databases: the form that ours takes, and samples left out, with why.

The tests of the layers and ``docs/make_coverage.py`` both ask here.
"""

from dataclasses import dataclass
from functools import partial

import torch

from jaxgrad.parity.jax_side import resolve

OF_TORCH_TOP = ("softmax", "log_softmax", "sigmoid", "tanh")
"""Of ``torch.nn.functional``, listed in ``op_db`` under torch's top level."""

WITH_STATE = ("batch_norm", "instance_norm", "embedding", "embedding_bag")
"""Functions that return what torch changes in place beside their output."""


def output_alone(name):
    """Our function of an entry, without the state that it returns beside its output."""
    short = name.removeprefix("nn.functional.")
    fn = resolve(f"nn.functional.{short}" if short in OF_TORCH_TOP else name)
    if short not in WITH_STATE:
        return fn

    def call(*args, **kwargs):
        result = fn(*args, **kwargs)
        return result[0] if isinstance(result, tuple) else result

    return call


def adapted(args, kwargs):
    """The database gives the table of an embedding first."""
    return (args[1], args[0], *args[2:]), kwargs


def in_place(sample):
    """Of embeddings: what is not mirrored, or is not the sample's any more once torch has run."""
    if sample.kwargs.get("sparse"):
        return "gradients are dense arrays here"
    return "torch shortens the sample's own rows" if sample.kwargs.get("max_norm") is not None else None


def saturated(sample, or_nothing=False):
    """Torch's own gradient of the query moves by 1e-11 if the query moves by its rounding.

    ``or_nothing``: or it is nothing. Where a softmax is 1 and 0, the gradient is what is left of
    ``p * (g - sum(p * g))``, terms that cancel, in torch by luck to the last bit.
    """
    call = torch.nn.functional.multi_head_attention_forward
    double = [value.double() if isinstance(value, torch.Tensor) else value for value in sample.args]
    kwargs = {
        k: v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v for k, v in sample.kwargs.items()
    }

    def gradient(scale):
        leaf = (sample.input.double() * scale).requires_grad_(True)
        torch.manual_seed(0)
        output, _ = call(leaf, *double, **kwargs)
        loss = output.square().sum()
        loss.backward()
        return leaf.grad, loss.detach()

    (here, loss), (there, _) = gradient(1.0), gradient(1.0 + 2.0**-50)
    moved = (here - there).norm() > 1e-12 * here.norm()
    nothing = or_nothing and here.norm() * sample.input.norm() < 1e-14 * loss
    return "a saturated softmax: torch's own gradient is rounding" if moved or nothing else None


def cancels(sample):
    """A sum of terms of both signs may come to nearly nothing, and its rounding is a matter of luck."""
    return "a sum that cancels" if sample.kwargs.get("reduction") != "none" else None


def of_rounding_alone(sample):
    """Two values have the standardised values 1 and -1, whatever they are: a gradient of 0, and torch's is 0."""
    return "a gradient of rounding alone" if sample.args == ((2,),) else None


saturated_or_nothing = partial(saturated, or_nothing=True)


def in_chunks(sample, training=None):
    """Torch's recipe for computing in chunks of the batch, which saves memory."""
    given = sample.kwargs if training is None else sample.constructor_input.kwargs
    return "chunks are not mirrored" if given.get("options") is not None else None


@dataclass(frozen=True)
class Form:
    """How an entry is run.

    Attributes:
        leave_out: (sample[, training]) -> a reason, or None.
        leave_out_single: the same in float32, if it is another.
        adapt: (args, kwargs) -> (args, kwargs), for what ours takes in another form.
        jit: whether it can be compiled with every tensor an argument.
    """

    leave_out: object = None
    leave_out_single: object = None
    adapt: object = None
    jit: bool = True


PLAIN = Form()

FUNCTIONS = {
    "nn.functional.embedding": Form(in_place, in_place, adapt=adapted),
    "nn.functional.embedding_bag": Form(in_place, in_place, adapt=adapted, jit=False),  # offsets have to be known
    "nn.functional.one_hot": Form(jit=False),  # how many classes there are is read off the numbers
    "nn.functional.multi_head_attention_forward": Form(saturated_or_nothing, saturated_or_nothing),
    "nn.functional.linear_cross_entropy": Form(in_chunks, in_chunks),
    "nn.functional.hinge_embedding_loss": Form(None, cancels),
    "nn.functional.layer_norm": Form(None, of_rounding_alone),
}

MODULES = {
    "LinearCrossEntropyLoss": Form(in_chunks, in_chunks),
}
