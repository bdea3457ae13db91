"""The usual FashionMNIST network (two convolutions, a pool, two dense layers), twenty steps beside torch."""

import numpy as np

from tests.models.side_by_side import compare


def fashion_cnn(lib):
    nn, F = lib.nn, lib.F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 4, 3, **lib.rngs)
            self.conv2 = nn.Conv2d(4, 6, 3, **lib.rngs)
            self.pool = nn.MaxPool2d(2)
            self.drop = nn.Dropout(0.25)
            self.fc1 = nn.Linear(6 * 5 * 5, 16, **lib.rngs)
            self.fc2 = nn.Linear(16, 10, **lib.rngs)

        def forward(self, x):
            x = F.relu(self.conv2(F.relu(self.conv1(x))))
            x = self.drop(self.pool(x)).reshape(x.shape[0], -1)
            return self.fc2(F.relu(self.fc1(x)))

    return Net()


def test_fashion_cnn():
    stream = np.random.default_rng(0)
    batches = [(stream.standard_normal((4, 1, 14, 14)), stream.integers(0, 10, 4)) for _ in range(2)]
    compare(fashion_cnn, lambda F: F.cross_entropy, batches, ("SGD", {"lr": 0.05, "momentum": 0.9}))
