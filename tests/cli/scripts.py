"""Scripts for the linter as data: short ones with one trap each, and whole ones that are right."""

JAX = "import jax, jax.numpy as jnp, optax, functools\nfrom flax import linen as nn, nnx\nimport equinox as eqx\n"
TORCH = "import torch\nimport torch.nn as nn, torch.nn.functional as F\nfrom torch.optim.lr_scheduler import *\n"
SGD = TORCH + "opt = torch.optim.SGD(p, 0.1)\nother = torch.optim.SGD(model.parameters(), 0.1)\n"

TRAPS = {
    "adamw-decay": [
        JAX + "tx = optax.adamw(1e-3)",
        JAX + "tx = optax.adamw(learning_rate=1e-3, b1=0.9)",
        "from optax import adamw as opt\ntx = opt(1e-3)",
        JAX + "make = optax.adamw\ntx = make(1e-3)",
        JAX + "make = functools.partial(optax.adamw, b2=0.95)",
        JAX + "tx = optax.inject_hyperparams(optax.adamw)(learning_rate=1e-3)",
    ],
    "amsgrad-order": [JAX + "tx = optax.amsgrad(1e-3)"],
    "rmsprop-decay": [JAX + "tx = optax.rmsprop(1e-2, eps_in_sqrt=False)"],
    "rmsprop-eps": [
        JAX + "tx = optax.rmsprop(1e-2, 0.99)",
        JAX + "tx = optax.rmsprop(1e-2, decay=0.99, eps_in_sqrt=True)",
    ],
    "rmsprop-momentum-lr": [
        JAX + "s = optax.cosine_decay_schedule(0.1, 10)\ntx = optax.rmsprop(s, 0.99, eps_in_sqrt=False, momentum=0.9)"
    ],
    "adagrad": [JAX + "tx = optax.adagrad(0.1)"],
    "nadam": [JAX + "tx = optax.nadam(0.1)"],
    "rprop-late": [JAX + "tx = optax.rprop(0.1)"],
    "muon": [JAX + "tx = optax.contrib.muon(0.1)"],
    "adafactor-factoring": [JAX + "tx = optax.adafactor(0.1)"],
    "onecycle": [JAX + "s = optax.cosine_onecycle_schedule(100, 0.1)"],
    "plateau-patience": [JAX + "s = optax.contrib.reduce_on_plateau(patience=10)"],
    "batchnorm-momentum": [
        JAX + "class M(nn.Module):\n  def __call__(self, x):\n    return nn.BatchNorm(use_running_average=False)(x)",
        JAX + "norm = functools.partial(nn.BatchNorm, use_running_average=True)",
        JAX + "norm = nnx.BatchNorm(3, rngs=rngs)",
        JAX + "norm = eqx.nn.BatchNorm(3, axis_name='batch')",
    ],
    "batchnorm-momentum-convention": [
        JAX + "norm = nn.BatchNorm(momentum=0.1)",
        JAX + "MOMENTUM = 0.1\nnorm = nnx.BatchNorm(3, momentum=MOMENTUM, rngs=rngs)",
    ],
    "layernorm-eps": [JAX + "norm = nn.LayerNorm()", JAX + "norm = nnx.LayerNorm(8, rngs=rngs)"],
    "groupnorm-eps": [JAX + "norm = nn.GroupNorm(4)"],
    "instancenorm-eps": [JAX + "norm = nn.InstanceNorm()"],
    "rmsnorm-eps": [JAX + "norm = nn.RMSNorm()"],
    "rmsnorm-eps-equinox": [JAX + "norm = eqx.nn.RMSNorm(8)"],
    "same-stride": [
        JAX + "c = nn.Conv(8, (3, 3), strides=2)",
        JAX + "c = nn.Conv(8, (3, 3), strides=(2, 2), padding='SAME')",
    ],
    "pool-same-stride": [JAX + "y = nn.max_pool(x, (3, 3), strides=(2, 2), padding='SAME')"],
    "convtranspose-flip": [JAX + "c = nn.ConvTranspose(8, (3, 3), padding=1)"],
    "gru-bias": [JAX + "c = nn.GRUCell(8)"],
    "gelu-tanh": [
        JAX + "y = jax.nn.gelu(x)",
        JAX + "m = Mlp(activation=nn.gelu)",
        "from jax.nn import gelu\ny = gelu(x)",
        JAX + "acts = {'gelu': jax.nn.gelu}",
        JAX + "act = jax.nn.gelu\ny = act(x)",
    ],
    "resize-antialias": [JAX + "y = jax.image.resize(x, (1, 8, 8, 3), 'bilinear')"],
    "resize-cubic": [JAX + "y = jax.image.resize(x, (1, 8, 8, 3), method='cubic', antialias=False)"],
    "l2-half": [JAX + "loss = optax.l2_loss(y, t).mean()", JAX + "loss = jnp.mean(optax.losses.l2_loss(y, t))"],
    "softmax-twice": [
        JAX + "p = jax.nn.softmax(y)\nloss = optax.softmax_cross_entropy_with_integer_labels(p, t)",
        JAX + "loss = optax.softmax_cross_entropy(jax.nn.softmax(y), t)",
    ],
    "ignore-index": [
        JAX + "t = t.at[0].set(-100)\nloss = optax.softmax_cross_entropy_with_integer_labels(y, t).mean()"
    ],
    "schedule-off-by-one": [
        JAX + "s = optax.cosine_decay_schedule(0.1, decay_steps=steps - 1)",
        JAX + "s = optax.cosine_decay_schedule(0.1, num_epochs)",
        JAX + "s = optax.linear_schedule(0.1, 0.0, transition_steps=args.epochs)",
    ],
    "schedule-shifted": [
        JAX + "s = optax.cosine_decay_schedule(0.1, 100)\nlr = s(step + 1)",
        JAX + "s = optax.cosine_decay_schedule(0.1, 100)\ntx = optax.scale_by_schedule(lambda n: -s(n - 1))",
    ],
    "state-thrown-away": [
        JAX + "tx = optax.sgd(0.1, 0.9)\nfor x in xs:\n  u, _ = tx.update(g, state, p)",
        JAX + "def train_step(p, s, x):\n  u, _s = self.tx.update(g(p, x), s)\n  return optax.apply_updates(p, u)",
    ],
    "statistics-thrown-away": [JAX + "y, _ = model.apply(v, x, train=True, mutable=['batch_stats'])"],
    "layer-after-optimizer": [SGD + "opt = torch.optim.Adam(net.parameters())\nnet.fc = nn.Linear(3, 2)"],
    "scheduler-per-batch": [
        SGD + "s = CosineAnnealingLR(opt, num_epochs)\nfor e in range(9):\n  for x in xs:\n    opt.zero_grad()\n"
        "    f(x).backward()\n    opt.step()\n    s.step()"
    ],
    "decay-after-update": [JAX + "tx = optax.chain(optax.adam(1e-3), optax.add_decayed_weights(1e-2))"],
    "clip-after-update": [JAX + "tx = optax.chain(optax.sgd(0.1), optax.clip_by_global_norm(1.0))"],
    "decay-before-clip": [
        JAX + "tx = optax.chain(optax.add_decayed_weights(1e-4), optax.clip_by_global_norm(1.0), optax.sgd(0.1))",
        JAX + "clip = optax.clip(1.0)\nd = optax.add_decayed_weights(1)\ntx = optax.chain(d, clip, optax.sgd(1))",
    ],
    "dropout-key-reused": [
        JAX + "for x in xs:\n  y = model.apply(v, x, train=True, rngs={'dropout': key})",
    ],
    "zero-grad": [
        SGD + "for x in xs:\n  loss = f(x)\n  loss.backward()\n  opt.step()",
        SGD + "for e in range(3):\n  opt.zero_grad()\n  for x in xs:\n    f(x).backward()\n    opt.step()",
        TORCH + "def step(x):\n  f(x).backward()\n  optimizer.step()\nfor x in xs:\n  step(x)",
    ],
    "scheduler-first": [
        SGD
        + "s = StepLR(opt, 3)\nfor e in range(9):\n  s.step()\n  for x in xs:\n"
        + "    opt.zero_grad()\n    f(x).backward()\n    opt.step()",
        SGD
        + "s = torch.optim.lr_scheduler.StepLR(opt, 3)\nfor x in xs:\n"
        + "  opt.zero_grad()\n  f(x).backward()\n  s.step()\n  opt.step()",
    ],
    "plateau-metric": [
        TORCH + "s = torch.optim.lr_scheduler.ReduceLROnPlateau(opt)\nfor e in range(3):\n  train()\n  s.step()",
        TORCH
        + "s = torch.optim.lr_scheduler.ReduceLROnPlateau(opt)\nfor epoch in range(3):\n  train()\n  s.step(epoch)",
    ],
    "onecycle-per-epoch": [
        SGD
        + "s = OneCycleLR(opt, 1.0, steps_per_epoch=9, epochs=3)\n"
        + "for e in range(3):\n  for x in xs:\n    opt.zero_grad()\n    f(x).backward()\n    opt.step()\n  s.step()"
    ],
    "clip-order": [
        SGD
        + "for x in xs:\n  opt.zero_grad()\n  f(x).backward()\n  opt.step()\n"
        + "  nn.utils.clip_grad_norm_(p, 1.0)",
        SGD
        + "for x in xs:\n  opt.zero_grad()\n  loss = f(x)\n"
        + "  torch.nn.utils.clip_grad_norm_(p, 1.0)\n  loss.backward()\n  opt.step()",
    ],
    "clip-scaled": [
        TORCH
        + "scaler = torch.amp.GradScaler()\nopt = torch.optim.SGD(p, 0.1)\nfor x in xs:\n  opt.zero_grad()\n"
        + "  scaler.scale(f(x)).backward()\n  nn.utils.clip_grad_norm_(p, 1.0)\n  scaler.step(opt)\n  scaler.update()"
    ],
    "softmax-before-loss": [
        TORCH + "loss = F.cross_entropy(F.softmax(y, -1), t)",
        TORCH + "crit = nn.CrossEntropyLoss()\np = torch.softmax(y, 1)\nloss = crit(p, t)",
        TORCH + "model = nn.Sequential(nn.Linear(3, 2), nn.Softmax(1))\nloss = F.cross_entropy(model(x), t)",
    ],
    "eval-for-good": [
        SGD
        + "for e in range(3):\n  for x in xs:\n    opt.zero_grad()\n    f(x).backward()\n"
        + "    opt.step()\n  model.eval()\n  validate(model)"
    ],
}
"""code -> scripts that have this trap and no other."""

NOTES = {
    "adam-float32": JAX + "tx = optax.adam(1e-3)",
    "clip-eps": JAX + "tx = optax.clip_by_global_norm(1.0)",
    "multisteps-mean": JAX + "tx = optax.MultiSteps(optax.sgd(0.1), 4)",
    "warmup-zero": JAX + "s = optax.warmup_cosine_decay_schedule(0.0, 0.1, 10, 100)",
    "batchnorm-variance": JAX + "norm = nn.BatchNorm(momentum=0.9)",
    "batchnorm-fast-variance": JAX + "norm = nn.BatchNorm(momentum=0.9)",
    "conv-padding": JAX + "c = nnx.Conv(3, 8, (3, 3), rngs=rngs)",
    "lstm-bias": JAX + "c = nn.OptimizedLSTMCell(8)",
    "init": JAX + "d = nn.Dense(8)",
    "std-biased": JAX + "y = jnp.std(x)",
    "median-middle": JAX + "y = jnp.median(x)",
    "norm-zero": JAX + "def loss(p):\n  return jnp.linalg.norm(p)\ng = jax.grad(loss)",
    "clip-bounds": JAX
    + "def inner(p):\n  return jnp.clip(p, 0, 1)\n@jax.value_and_grad\ndef loss(p):\n  return inner(p).sum()",
    "global-norm-zero": JAX + "g = jax.grad(lambda p: optax.global_norm(p))",
    "matmul-precision": JAX + "g = jax.grad(f)(p)",
    "accumulated-sum": SGD
    + "for i, x in enumerate(xs):\n  f(x).backward()\n"
    + "  if (i + 1) % 4 == 0:\n    opt.step()\n    opt.zero_grad()",
    "adam-l2": TORCH + "opt = torch.optim.Adam(p, lr=1e-3, weight_decay=1e-2)",
}
"""code -> a script that has this note, and no trap."""

RIGHT = {
    "flax linen": JAX
    + """
from flax.training import train_state
class CNN(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.Conv(32, (3, 3), strides=(2, 2), padding=1)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)(x)
        x = nn.gelu(x, approximate=False)
        x = nn.max_pool(x, (2, 2), strides=(2, 2))
        x = nn.LayerNorm(epsilon=1e-5)(x)
        x = nn.Conv(64, (1, 1), strides=2, padding='SAME')(x)
        return nn.Dense(10)(x.reshape((x.shape[0], -1)))
steps = epochs * steps_per_epoch
schedule = optax.cosine_decay_schedule(0.1, decay_steps=steps)
tx = optax.chain(optax.clip_by_global_norm(1.0), optax.add_decayed_weights(5e-4), optax.sgd(schedule, momentum=0.9))
@jax.jit
def train_step(state, batch, key):
    def loss_fn(params):
        logits, updates = state.apply_fn({'params': params}, batch['x'], train=True, mutable=['batch_stats'],
                                         rngs={'dropout': key})
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch['y']).mean(), updates
    (loss, updates), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    return state.apply_gradients(grads=grads), loss
for step, batch in enumerate(batches):
    key, now = jax.random.split(key)
    state, loss = train_step(state, batch, now)
    lr = schedule(step)
""",
    "adamw, given": JAX
    + "tx = optax.adamw(1e-3, 0.9, 0.999, 1e-8, 0.0, None, 1e-2)\ntx = optax.adamw(1e-3, weight_decay=wd)",
    "what cannot be seen": JAX
    + "tx = optax.adamw(**config)\nnorm = nn.LayerNorm(*args)\ny = jax.nn.gelu(x, **options)",
    "not those": "import mylib as optax\nfrom mylib import nn\ntx = optax.adamw(1e-3)\ny = nn.gelu(nn.LayerNorm()(x))",
    "a local of the same name": "def f(optax, jax):\n  return optax.adamw(1e-3), jax.nn.gelu(1.0)",
    "decay scaled afterwards": JAX
    + "tx = optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(1e-2), optax.scale_by_learning_rate(1e-3))",
    "squares": JAX
    + "a = optax.squared_error(y, t)\nb = 2 * optax.l2_loss(y, t).mean()\nc = jnp.mean(optax.l2_loss(y, t) * 2.0)",
    "masked labels": JAX
    + "def loss(y, t):\n  keep = t != -100\n  kept = jnp.where(keep, t, 0)\n"
    + "  each = optax.softmax_cross_entropy_with_integer_labels(y, kept)\n"
    + "  return (each * keep).sum() / keep.sum()",
    "gelu by tanh, asked for": JAX + "y = nn.gelu(x, approximate=True)\nz = jax.image.resize(x, s, 'linear', True)",
    "gelu, asked for": JAX + "act = functools.partial(nn.gelu, approximate=False)\nm = Mlp(activation=act)",
    "keys": JAX
    + "for i, x in enumerate(xs):\n  now = jax.random.fold_in(key, i)\n  y = model.apply(v, x, rngs={'dropout': now})",
    "excused": JAX + "tx = optax.nadam(0.1)  # jaxgrad: ok nadam\ny = jax.nn.gelu(x)  # jaxgrad: ok\n",
    "equinox": JAX
    + """
class M(eqx.Module):
    norm: eqx.nn.LayerNorm
    def __init__(self): self.norm = eqx.nn.LayerNorm(8)
@eqx.filter_value_and_grad
def loss(model, x): return jnp.mean((jax.vmap(model)(x)) ** 2)
tx = optax.sgd(1e-2, momentum=0.9, nesterov=True)
""",
    "torch's tutorial": TORCH
    + """
def train(model, loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(F.log_softmax(output, dim=1), target)
        loss.backward()
        optimizer.step()
def test(model, loader):
    model.eval()
    with torch.no_grad():
        for data, target in loader:
            model(data)
def main():
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, 15):
        train(model, train_loader, optimizer, epoch)
        test(model, test_loader)
        scheduler.step()
""",
    "amp": TORCH
    + """
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=1e-2, total_steps=1000)
scaler = torch.cuda.amp.GradScaler()
for epoch in range(10):
    model.train()
    for x, y in loader:
        opt.zero_grad(set_to_none=True)
        with torch.autocast('cuda'):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(opt)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
        sched.step()
    model.eval()
""",
    "accumulation": TORCH
    + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
optimizer.zero_grad()
for i, (x, y) in enumerate(loader):
    loss = criterion(model(x), y) / k
    loss.backward()
    if (i + 1) % k == 0:
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
plateau = ReduceLROnPlateau(optimizer)
plateau.step(val_loss)
""",
    "micro-batches in a loop of their own": TORCH
    + """
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(100):
    optimizer.zero_grad()
    for x, y in micro_batches:
        (criterion(model(x), y) / 4).backward()
    optimizer.step()
""",
    "lbfgs": TORCH
    + """
optimizer = torch.optim.LBFGS(model.parameters())
def closure():
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    return loss
for i in range(10):
    optimizer.step(closure)
""",
    "gan": TORCH
    + """
opt_d, opt_g = torch.optim.Adam(d.parameters(), lr=2e-4), torch.optim.Adam(g.parameters(), lr=2e-4)
for x in loader:
    d.zero_grad()
    loss_d(x).backward()
    opt_d.step()
    g.zero_grad()
    loss_g().backward()
    opt_g.step()
""",
    "a class": TORCH
    + """
class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, 100)
    def training_step(self, x, y):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()
    def fit(self, loader):
        for x, y in loader:
            self.training_step(x, y)
""",
    "by hand": TORCH
    + """
for x, y in data:
    loss = ((w * x - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad = None
optimizer = torch.optim.SGD([w], 0.1)
for x, y in data:
    w.grad = None
    f(x).backward()
    optimizer.step()
""",
    "an environment's step": "import gym, torch\nfor t in range(9):\n  obs, *_ = env.step(action)\n  loss.backward()\n",
    "evaluated at the end": SGD + "for x in xs:\n  opt.zero_grad()\n  f(x).backward()\n  opt.step()\nmodel.eval()",
    "kept": JAX + "for x in xs:\n  u, s = tx.update(g, s)\n  y, new = m.apply(v, x, mutable=['batch_stats'])",
    "once": JAX + "u, _ = optax.adamw(1e-3, weight_decay=0.0).update(g, s, p)",
    "a clip has no state": JAX + "c = optax.clip(1.0)\nfor g in gs:\n  u, _ = c.update(g, s)",
    "unrelated updates": JAX + "for x in xs:\n  a, _ = table.update(key)\n  _, b = tx.update(g, s)",
    "replaced first": SGD + "net.fc = nn.Linear(3, 2)\nopt = torch.optim.Adam(net.parameters())",
    "per epoch": SGD
    + "s = CosineAnnealingLR(opt, epochs)\nfor e in range(9):\n  for x in xs:\n    opt.zero_grad()\n"
    + "    f(x).backward()\n    opt.step()\n  s.step()",
    "names in a circle": JAX + "a = b\nb = a\na(1)\nc = c.d\nc.d(2)",
    "a teacher": SGD + "for x in xs:\n  teacher.eval()\n  opt.zero_grad()\n  f(teacher(x)).backward()\n  opt.step()",
    "a scheduler that waits a turn": SGD
    + "s = StepLR(opt, 1)\nfor e in range(3):\n  if e > 0: s.step()\n  opt.zero_grad(); f(e).backward()\n  opt.step()",
    "a loop turned round": SGD
    + "for i, x in enumerate(xs):\n  if i and i % 4 == 0:\n    nn.utils.clip_grad_norm_(p, 1.0)\n    opt.step()\n"
    + "    opt.zero_grad()\n  (f(x) / 4).backward()",
    "the step first": SGD
    + "for i, x in enumerate(xs):\n  if i:\n    opt.step()\n  opt.zero_grad()\n  f(x).backward()\n"
    + "  nn.utils.clip_grad_norm_(p, 1.0)",
    "accelerate": "import torch\nfrom accelerate import Accelerator\naccelerator = Accelerator()\n"
    + "for batch in loader:\n  with accelerator.accumulate(model):\n    loss = model(**batch).loss\n"
    + "    accelerator.backward(loss)\n    optimizer.step()\n    lr_scheduler.step()\n    optimizer.zero_grad()",
    "softmax for the eye": TORCH + "p = F.softmax(y, -1)\nprint(p)\nloss = F.cross_entropy(y, t)",
}
"""What it is -> a script without a trap."""
