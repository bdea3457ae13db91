"""Why do gradients add up? Backpropagation through time, by hand.

A linear recurrent network with two numbers as weights reads 20 sequences of 10 values (0, 1/3, 2/3 or 1) and should
return their sums: ``state_k = state_(k-1) wRec + x_k wx``. Every step uses the same two weights, so each step has its
own share in the gradient, and the shares add up:

    g_K = 2 (state_K - target),   wx_grad += mean(g_k x_k),   ws_grad += mean(g_k state_(k-1)),   g_(k-1) = g_k wRec

The sums are compared with the backward of a ``scan``, and with the gradient by ten separate copies of each weight,
added afterwards: a tied weight's gradient is the sum over its uses, which is what accumulation in ``.grad`` is for.
``g_k`` shrinks or grows by wRec at every step: it vanishes or explodes. With the gradient clipped to norm 1, descent
goes down all the same, along the valley towards wx = wRec = 1.

    python -m experiments run bptt            # about 5 s
    expected: hand = scan = torch; |g| over ten steps falls to 0.2 % for wRec = 0.5 and grows 38-fold for 1.5
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.common.experiment import Experiment, Record, Settings
from jaxgrad import autograd, random
from jaxgrad.nn import utils
from jaxgrad.parity.claim import Exact, Info

SEQUENCES, LENGTH = 20, 10
START = {"wx": 0.6, "wRec": 1.2}
RECURRENT = (0.5, 1.0, 1.5)
LR = 0.005


def _updates(settings: Settings) -> int:
    return 20 if settings.quick else 200


def _data(settings: Settings) -> tuple[Any, Any]:
    digits, _ = random.randint(random.manual_seed(settings.seed), 0, 4, (LENGTH, SEQUENCES))
    x = digits.astype(jnp.float32) / 3
    return x, x.sum(0)


def loss_fn(params: Any, x: Any, target: Any) -> Any:
    """The network as a scan over the steps."""

    def step(state: Any, x: Any) -> Any:
        return state * params["wRec"] + x * params["wx"], None

    state, _ = jax.lax.scan(step, jnp.zeros_like(target), x)
    return ((state - target) ** 2).mean()


def untied_loss_fn(params: Any, x: Any, target: Any) -> Any:
    """The same with a weight of its own for every step."""

    def step(state: Any, of_step: Any) -> Any:
        x, w = of_step
        return state * w["wRec"] + x * w["wx"], None

    state, _ = jax.lax.scan(step, jnp.zeros_like(target), (x, params))
    return ((state - target) ** 2).mean()


def by_hand(params: Any, x: Any, target: Any) -> tuple[Any, Any]:
    """Backpropagation through time: both gradients, and the mean size of g_k from the last step to the first."""
    states = [jnp.zeros_like(target)]
    for k in range(LENGTH):
        states.append(states[k] * params["wRec"] + x[k] * params["wx"])
    g = 2 * (states[LENGTH] - target)
    wx_grad = ws_grad = jnp.zeros(())
    sizes = []
    for k in reversed(range(LENGTH)):
        sizes.append(jnp.abs(g).mean())
        wx_grad += (g * x[k]).mean()
        ws_grad += (g * states[k]).mean()
        g = g * params["wRec"]
    return {"wx": wx_grad, "wRec": ws_grad}, jnp.stack(sizes)


def ours(settings: Settings) -> Record:
    x, target = _data(settings)
    params = {name: jnp.float32(value) for name, value in START.items()}
    hand, _ = jax.jit(by_hand)(params, x, target)
    loss, through_scan = autograd.backward(loss_fn, params, x, target)
    copies = {name: jnp.full(LENGTH, value) for name, value in params.items()}
    _, per_use = autograd.backward(untied_loss_fn, copies, x, target)
    graph = autograd.computational_graph(loss_fn, params, x, target, unroll=LENGTH)

    record: Record = {"loss": loss}
    for name in START:
        record |= {
            f"gradient of {name} by hand": hand[name],
            f"gradient of {name} by autodiff": through_scan[name],
            f"share of each step in {name}": np.asarray(per_use[name]),
            f"sum of the shares in {name}": per_use[name].sum(),
        }
    record["steps of the backward"] = len(graph.nodes)
    sizes = jax.jit(lambda w: by_hand({"wx": jnp.float32(1), "wRec": w}, x, target + 1)[1])
    for w in RECURRENT:
        record |= _size_rows(w, np.asarray(sizes(jnp.float32(w))))
    return record | _our_training(params, x, target, _updates(settings))


def _size_rows(w: float, sizes: np.ndarray) -> Record:
    return {f"|g| shrinks or grows, wRec {w:g}": sizes[-1] / sizes[0], f"|g|, wRec {w:g}": sizes}


def _our_training(params: Any, x: Any, target: Any, updates: int) -> Record:
    def update(params: Any, _: Any) -> Any:
        grads, _ = utils.clip_grad_norm(jax.grad(loss_fn)(params, x, target), 1.0)
        return {name: params[name] - LR * grads[name] for name in params}, loss_fn(params, x, target)

    end, losses = jax.jit(lambda params: jax.lax.scan(update, params, None, length=updates))(params)
    return _training_rows({name: np.asarray(value) for name, value in end.items()}, np.asarray(losses))


def _training_rows(end: Any, losses: np.ndarray) -> Record:
    return {f"{name} after training": end[name] for name in START} | {"losses": losses}


def reference(settings: Settings, dtype: str) -> Record:
    import torch

    wide = getattr(torch, dtype)
    torch.manual_seed(settings.seed)
    x = torch.randint(0, 4, (LENGTH, SEQUENCES)).to(wide) / 3
    target = x.sum(0)

    def network(wx: Any, w_rec: Any, target: Any) -> Any:
        state = torch.zeros(SEQUENCES, dtype=wide)
        for k in range(LENGTH):
            state = state * (w_rec if w_rec.ndim == 0 else w_rec[k]) + x[k] * (wx if wx.ndim == 0 else wx[k])
        return ((state - target) ** 2).mean()

    def hand(wx: Any, w_rec: Any, target: Any) -> Any:
        states = [torch.zeros(SEQUENCES, dtype=wide)]
        for k in range(LENGTH):
            states.append(states[k] * w_rec + x[k] * wx)
        g = 2 * (states[LENGTH] - target)
        wx_grad = ws_grad = torch.zeros((), dtype=wide)
        sizes = []
        for k in reversed(range(LENGTH)):
            sizes.append(g.abs().mean())
            wx_grad = wx_grad + (g * x[k]).mean()
            ws_grad = ws_grad + (g * states[k]).mean()
            g = g * w_rec
        return {"wx": wx_grad, "wRec": ws_grad}, torch.stack(sizes)

    params = {name: torch.tensor(value).to(wide).requires_grad_() for name, value in START.items()}
    loss = network(params["wx"], params["wRec"], target)
    tied = dict(zip(START, torch.autograd.grad(loss, list(params.values()), retain_graph=True), strict=True))
    copies = {name: torch.full((LENGTH,), START[name]).to(wide).requires_grad_() for name in START}
    untied = network(copies["wx"], copies["wRec"], target)
    per_use = dict(zip(START, torch.autograd.grad(untied, list(copies.values())), strict=True))
    with torch.no_grad():
        by_hand, _ = hand(params["wx"], params["wRec"], target)

    record: Record = {"loss": loss.detach().numpy()}
    for name in START:
        record |= {
            f"gradient of {name} by hand": by_hand[name].numpy(),
            f"gradient of {name} by autodiff": tied[name].numpy(),
            f"share of each step in {name}": per_use[name].numpy(),
            f"sum of the shares in {name}": per_use[name].sum().numpy(),
        }
    record["steps of the backward"] = _count(loss.grad_fn)
    for w in RECURRENT:
        sizes = hand(torch.tensor(1.0).to(wide), torch.tensor(w).to(wide), target + 1)[1]
        record |= _size_rows(w, sizes.numpy())

    losses = []
    for _ in range(_updates(settings)):
        loss = network(params["wx"], params["wRec"], target)
        for value in params.values():
            value.grad = None
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params.values(), 1.0)
        losses.append(loss.item())
        with torch.no_grad():
            for value in params.values():
                value -= LR * value.grad
    end = {name: value.detach().numpy() for name, value in params.items()}
    return record | _training_rows(end, np.asarray(losses, dtype))


def _count(grad_fn: Any) -> int:
    """The nodes behind a torch grad_fn."""
    seen, waiting = set(), [grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [following for following, _ in node.next_functions]
    return len(seen)


def figure(figure: Any, results: Any) -> None:
    left, middle, right = figure.subplots(1, 3)
    figure.suptitle("backpropagation through time")
    for w in RECURRENT:
        left.plot(range(LENGTH), results.ours[f"|g|, wRec {w:g}"], label=f"wRec {w:g}")
        if results.reference is not None:
            left.plot(range(LENGTH), results.reference[f"|g|, wRec {w:g}"], "kx", markersize=4)
    left.set(yscale="log", xlabel="steps back in time", ylabel="mean |g|", title="vanishing, exploding")
    left.legend(fontsize=8)
    for k, name in enumerate(START):
        middle.bar(np.arange(LENGTH) + 0.4 * (k - 0.5), results.ours[f"share of each step in {name}"], 0.4, label=name)
    middle.set(xlabel="step", title="gradient, step by step")
    middle.legend(fontsize=8)
    right.plot(results.ours["losses"], label="jaxgrad")
    if results.reference is not None:
        losses = results.reference["losses"]
        every = max(1, len(losses) // 20)
        right.plot(np.arange(len(losses))[::every], losses[::every], "kx", markersize=4, label="torch")
    right.set(yscale="log", xlabel="update", ylabel="loss", title="descent, clipped to 1")
    right.legend(fontsize=8)


EXPERIMENT = Experiment(
    name="bptt",
    number=12,
    question="Why do gradients add up? Backpropagation through time, by hand.",
    ours=ours,
    reference=reference,
    figure=figure,
    seed=12,
    claims={"steps of the backward": Exact(), "losses": Info(measured=True), "|g|, *": Info(measured=True)},
    answer="The gradient of the weight that is used at every step is {gradient of wRec by hand} by hand, and its "
    "shares add up to {sum of the shares in wRec}; over ten steps |g| changes {|g| shrinks or grows, wRec "
    "0.5}-fold with a weight of 0.5 and {|g| shrinks or grows, wRec 1.5}-fold with 1.5.",
    expected="Hand, scan and torch agree; the gradient of a weight used ten times is the sum of its ten shares. The "
    "gradient of the state changes by wRec at each step back: it vanishes below 1 and explodes above.",
)
