"""What is a hook, once nothing is hidden?

Seed 7; 16 random rows; Linear(6, 8), ReLU, Linear(8, 8), ReLU, Linear(8, 3); cross-entropy. In torch a hook is
registered on a tensor or a module and changes what flows back through it. Here it is part of the function that is
differentiated: ``h = register_hook(h, hook)`` is the same value with another derivative,
``register_full_backward_hook(model, "2", hook)`` is another model with the same parameters, and
``retain_grad(h, "name")`` names a value whose gradient ``backward_retaining`` returns beside the others.

- *scaled*: the gradient of the hidden layer's output times 0.1; what lies behind it gets a tenth, the head does not.
- *clipped*: the same gradient clipped to +-0.01, a function that is not linear.
- *module*: a full-backward hook on the second Linear that adds the mean of grad_output to grad_input.
- *replaced*: a forward hook that replaces the output of the first ReLU by its square.
- *leaf*: a post-accumulate hook takes an SGD step on the first weight and forgets its gradient.

    python -m experiments run hooks           # about 8 s
    expected: every gradient as in torch; scaled, the first layer's is a tenth and the head's is untouched
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, func, nn, random
from jaxgrad.nn import functional as F
from jaxgrad.parity.claim import Exact, Noise

FIRST, SECOND, HEAD = "0.weight", "2.weight", "4.weight"
CLIP, LR = 0.01, 0.5


def scaled(grad: Any) -> Any:
    return 0.1 * grad


def add_mean(module: Any, grad_input: Any, grad_output: Any) -> Any:
    del module
    return (grad_input[0] + grad_output[0].mean(),)


def squared(module: Any, args: Any, output: Any) -> Any:
    del module, args
    return output**2


def ours(settings: Settings) -> Record:
    generator = random.manual_seed(settings.seed)
    x, generator = random.randn(generator, (16, 6))
    y, generator = random.randint(generator, 0, 3, (16,))
    rngs = nn.Rngs(generator)
    model = nn.Sequential(
        nn.Linear(6, 8, rngs=rngs), nn.ReLU(), nn.Linear(8, 8, rngs=rngs), nn.ReLU(), nn.Linear(8, 3, rngs=rngs)
    )
    params, _ = func.extract(model)

    def loss_fn(params: Any, model: Any = model) -> Any:
        return F.cross_entropy(func.functional_call(model, params, x), y)

    def with_hidden(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The same loss with ``change`` applied to the hidden layer's output."""
        return lambda params: loss_fn(params, autograd.register_forward_hook(model, "3", lambda m, a, out: change(out)))

    def backward(loss: Callable[[Any], Any]) -> Any:
        return autograd.backward(loss, params)[1]

    plain = backward(loss_fn)
    tenth = backward(with_hidden(lambda h: autograd.register_hook(h, scaled)))
    clipped = backward(with_hidden(lambda h: autograd.register_hook(h, lambda g: jnp.clip(g, -CLIP, CLIP))))
    module = autograd.register_full_backward_hook(model, "2", add_mean)
    replaced = autograd.register_forward_hook(model, "1", squared)
    _, _, retained = autograd.backward_retaining(with_hidden(lambda h: autograd.retain_grad(h, "hidden")), params)
    stepped, left = autograd.post_accumulate_grad(params, plain, {FIRST: lambda p, g: (p - LR * g, None)})
    return {
        **_rows("no hook", plain),
        **_rows("scaled", tenth),
        "scaled: the first layer gets a tenth": _tenth(tenth[FIRST], plain[FIRST]),
        "scaled: the head is untouched": _yes(np.array_equal(tenth[HEAD], plain[HEAD])),
        **_rows("clipped", clipped),
        **_rows("module", backward(lambda params: loss_fn(params, module))),
        **_rows("replaced", backward(lambda params: loss_fn(params, replaced))),
        "hidden.grad, retained": np.asarray(retained["hidden"]),
        "leaf: the first weight afterwards": np.asarray(stepped[FIRST]),
        "leaf: its gradient afterwards": "None" if left[FIRST] is None else "there",
        "a hook that returns another shape": _error(
            lambda: backward(with_hidden(lambda h: autograd.register_hook(h, lambda g: g[0])))
        ),
    }


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x, y = torch.randn(16, 6), torch.LongTensor(16).random_(3)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)
    ).to(wide)
    x = x.to(wide)

    def backward() -> dict[str, Any]:
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        return {n: None if p.grad is None else p.grad.clone().numpy() for n, p in model.named_parameters()}

    def with_hidden(change: Callable[[Any], Any]) -> dict[str, Any]:
        """Backward with ``change`` called on the hidden layer's output."""
        handle = model[3].register_forward_hook(lambda module, args, out: change(out) and None)
        try:
            return backward()
        finally:
            handle.remove()

    def with_handle(handle: Any) -> dict[str, Any]:
        try:
            return backward()
        finally:
            handle.remove()

    kept: list[Any] = []

    def retain(h: Any) -> None:
        h.retain_grad()
        kept.append(h)

    plain = backward()
    tenth = with_hidden(lambda h: h.register_hook(scaled))
    clipped = with_hidden(lambda h: h.register_hook(lambda g: g.clip(-CLIP, CLIP)))
    module = with_handle(model[2].register_full_backward_hook(add_mean))
    replaced = with_handle(model[1].register_forward_hook(squared))
    with_hidden(retain)
    error = _error(lambda: with_hidden(lambda h: h.register_hook(lambda g: g[0])))

    def step(parameter: Any) -> None:
        with torch.no_grad():
            parameter -= LR * parameter.grad
        parameter.grad = None

    left = with_handle(model[0].weight.register_post_accumulate_grad_hook(step))
    return {
        **_rows("no hook", plain),
        **_rows("scaled", tenth),
        "scaled: the first layer gets a tenth": _tenth(tenth[FIRST], plain[FIRST]),
        "scaled: the head is untouched": _yes(np.array_equal(tenth[HEAD], plain[HEAD])),
        **_rows("clipped", clipped),
        **_rows("module", module),
        **_rows("replaced", replaced),
        "hidden.grad, retained": kept[0].grad.numpy(),
        "leaf: the first weight afterwards": model[0].weight.detach().numpy(),
        "leaf: its gradient afterwards": "None" if left[FIRST] is None else "there",
        "a hook that returns another shape": error,
    }


def _rows(way: str, grads: Any) -> Record:
    return {f"{way}: {name}.grad": np.asarray(grads[name]) for name in (FIRST, SECOND, HEAD)}


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _tenth(scaled: Any, plain: Any) -> str:
    """Scaling commutes with the linear backward up to the rounding of a tenth."""
    return _yes(bool(np.allclose(scaled, 0.1 * np.asarray(plain), rtol=1e-5, atol=1e-9)))


def _error(call: Callable[[], Any]) -> str:
    try:
        call()
    except RuntimeError as error:
        return f"RuntimeError: {error}"
    return "no error"


def figure(figure: Any, results: Any) -> None:
    ways = ("no hook", "scaled", "clipped", "module", "replaced")
    axes = figure.subplots(1, 3, sharey=True)
    figure.suptitle("What a hook does to each layer's gradient (bars: jaxgrad, crosses: torch)")
    for panel, name in zip(axes, (FIRST, SECOND, HEAD), strict=True):
        panel.bar(range(len(ways)), [np.linalg.norm(results.ours[f"{way}: {name}.grad"]) for way in ways])
        if results.reference is not None:
            theirs = [np.linalg.norm(results.reference[f"{way}: {name}.grad"]) for way in ways]
            panel.plot(range(len(ways)), theirs, "kx")
        panel.set(title=f"{name}.grad", yscale="log", xticks=range(len(ways)))
        panel.set_xticklabels(ways, rotation=45, ha="right")
    axes[0].set_ylabel("norm of the gradient")


def answer(results: Any) -> str:
    """What the hook on the hidden layer did behind it and in front of it."""
    before, after = (
        [f"{np.linalg.norm(results.ours[f'{way}: {name}.grad']):.3g}" for name in (FIRST, HEAD)]
        for way in ("no hook", "scaled")
    )
    return (
        f"A hook that takes a tenth of the hidden layer's gradient changes the norm of the first layer's gradient from "
        f"{before[0]} to {after[0]}; the head's was {before[1]} and is {after[1]}."
    )


EXPERIMENT = Experiment(
    name="hooks",
    number=7,
    seconds=8,
    question="What is a hook, once nothing is hidden?",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=7,
    answer=answer,
    claims={"scaled: the*": Exact(), "leaf: its*": Exact(), "a hook*": Exact(), "*": Noise()},
    expected="A hook on a value changes everything behind it and nothing in front of it; every gradient as in torch.",
)
