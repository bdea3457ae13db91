"""Reports as a comparison makes them: one that diverges at step 8, one that is equal; numbers from a seeded stream."""

import numpy as np

from jaxgrad.parity.report import Cause, Divergence, Draws, Report, TensorDistance

NAMES = ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
MOMENTS = ("exp_avg", "exp_avg_sq")
NOISE = {"bound": 3.0, "false_alarms": 1e-3, "members": 4, "floor": "half a unit in the last place"}
ENVIRONMENT = {
    "python": "3.11.2",
    "platform": "Linux-6.1-x86_64",
    "reference": {"versions": {"torch": "2.13.0+cpu"}, "device": "cpu", "dtype": "float32"},
    "candidate": {"versions": {"jax": "0.10.2", "optax": "0.2.8"}, "device": "cpu", "dtype": "float32"},
}
REPRODUCTION = """from jaxgrad import parity
from port import parity_case
reference, candidate, batches = parity_case()
report = parity.compare(reference, candidate, batches[:9], mode="single")
report.assert_ok()"""


def tensors():
    yield "inputs", "0"
    for module in ("fc1", "act", "fc2", "model"):
        yield "forward", module
    yield "loss", "loss"
    for phase in ("grads", "clipped"):
        for name in NAMES:
            yield phase, name
    yield "lr", "0"
    for state in MOMENTS:
        for name in NAMES:
            yield "optimizer", f"{state}['{name}']"
    for name in NAMES:
        yield "params", name


def distances(steps, wrong_from=None):
    return tuple(_distances(steps, wrong_from))


def _distances(steps, wrong_from):
    rng = np.random.default_rng(0)
    for step in range(steps):
        for phase, tensor in tensors():
            kind, ratio = "within", float(rng.uniform(0.3, 1.6))
            if phase in ("inputs", "lr"):
                kind, ratio = "equal", 0.0
            if wrong_from is not None and step >= wrong_from:
                later = step - wrong_from
                if phase in ("optimizer", "params") and ("exp_avg_sq" in tensor or phase == "params" or later):
                    kind, ratio = "differs", 400.0 * 2.0**later
                elif later and phase in ("forward", "loss", "grads", "clipped"):
                    kind, ratio = "differs", 30.0 * 2.0**later
            noise = 3e-8 * (1 + step / 4)
            yield TensorDistance(
                step,
                phase,
                tensor,
                kind,
                absolute=ratio * noise,
                relative=ratio * noise,
                displacement=ratio * noise * 40,
                ulp=int(ratio * 3),
                noise=noise,
                ratio=ratio,
                element=(3, 17),
                reference=0.25,
                candidate=0.25 + ratio * noise,
            )


def diverged():
    tensor = "exp_avg_sq['fc1.weight']"
    first = Divergence(
        8,
        "optimizer",
        tensor,
        "differs",
        element=(3, 17),
        reference=1.23456789e-4,
        candidate=1.23461728e-4,
        ratio=400.0,
        reference_source="train.py:41 optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, eps=1e-8)",
        candidate_source="port.py:88 tx = optax.adamw(1e-3, eps=0.0, eps_root=1e-8)",
        agreeing=("grads['fc1.weight']", "clipped['fc1.weight']", "lr['0']", "optimizer.exp_avg['fc1.weight']"),
    )
    cause = Cause(
        "eps_inside_root",
        "eps is inside the root",
        remaining=3.1e-16,
        explained=1.0,
        tensor=tensor,
        parameters={"eps": "inside the root"},
        reference_source="train.py:41 optimizer = torch.optim.AdamW(...)",
    )
    draws = tuple(Draws(i, 640 * (i + 1), 640 * (i + 1), ("train.py:20 F.dropout(x, 0.1)",)) for i in range(12))
    return Report(
        ok=False,
        mode="free",
        steps=12,
        first=first,
        cause=cause,
        distances=distances(12, 8),
        noise=NOISE,
        environment=ENVIRONMENT,
        reproduction=REPRODUCTION,
        meta={"optimizer": {"class": "AdamW"}},
        draws=draws,
    )


def equal():
    return Report(ok=True, steps=5, distances=distances(5), noise=NOISE, environment=ENVIRONMENT)
