"""A recipe as many papers have it, in torch: a small ResNet, SGD with Nesterov's momentum, decay, clip, a cosine."""

import numpy as np
import torch

from jaxgrad import parity

LR, DECAY, CLIP, LENGTH, BATCH = 0.05, 5e-4, 0.5, 12, 8


class ResNet(torch.nn.Module):
    """A stem, one residual block that halves the picture, a head."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(8)
        self.conv2 = torch.nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(16)
        self.conv3 = torch.nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn3 = torch.nn.BatchNorm2d(16)
        self.short = torch.nn.Conv2d(8, 16, 1, stride=2, bias=False)
        self.bn4 = torch.nn.BatchNorm2d(16)
        self.fc = torch.nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(x)))
        y = self.bn3(self.conv3(y)) + self.bn4(self.short(x))
        return self.fc(torch.relu(y).mean((2, 3)))


def reference():
    """The model, and the side that trains it."""
    torch.manual_seed(0)
    model = ResNet()
    loss_fn = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=0.9, weight_decay=DECAY, nesterov=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=LENGTH)
    return model, parity.from_torch(model, loss_fn, optimizer, scheduler=scheduler, clip=CLIP)


def batches(count=4):
    """Pictures and labels."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(BATCH, 3, 8, 8)).astype(np.float32), rng.integers(0, 10, BATCH)) for _ in range(count)]


def start(model):
    """torch's numbers in flax's form: kernels transposed, scales for weights of norms."""
    params, stats = {}, {}
    for name, value in model.state_dict().items():
        module, _, kind = name.rpartition(".")
        array = value.numpy().copy()
        if kind.startswith("running"):
            stats.setdefault(module, {})[kind.removeprefix("running_")] = array
        elif kind == "weight":
            axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim]
            params.setdefault(module, {})["kernel" if array.ndim > 1 else "scale"] = array.transpose(axes)
        elif kind == "bias":
            params.setdefault(module, {})["bias"] = array
    return params, stats
