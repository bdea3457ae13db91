"""The batch and the random stream done wrong."""

from typing import Any

import numpy as np

from jaxgrad import random
from tests.parity.faults.fault import Fault
from tests.parity.faults.port import Parts, with_nn

# the batch


def next_batch(batch: Any, step: int, batches: Any) -> Any:
    return batches[(step + 1) % len(batches)]


def turned_rows(batch: Any, step: int, batches: Any) -> Any:
    return tuple(np.roll(each, 1, axis=0) for each in batch)


def not_divided(batch: Any, step: int, batches: Any) -> Any:
    return np.float32(255) * batch[0], batch[1]


def other_labels(batch: Any, step: int, batches: Any) -> Any:
    return batch[0], (batch[1] + 1) % 3


BATCH = [
    Fault("the batches one ahead", "inputs", "another_batch", Parts(batch=next_batch), "0"),
    Fault("rows in another order", "inputs", "rows_in_another_order", Parts(batch=turned_rows), "0"),
    Fault(
        "inputs not divided by 255",
        "inputs",
        "inputs_in_other_units",
        Parts(batch=not_divided),
        "0",
        models=("mlp", "cnn"),
    ),
    Fault("labels counted from 1", "inputs", None, Parts(batch=other_labels), "1"),
]


# the stream and dropout

DROPS = {"mlp": "3", "cnn": "5", "gpt": "drop"}


def one_ahead(generator: Any, step: int) -> Any:
    return random.rand(generator, 3)[1] if step == 1 else generator


def other_seed(generator: Any, step: int) -> Any:
    return random.manual_seed(99) if step == 0 else generator


def unscaled_dropout(nn: Any) -> Any:
    class Dropout(nn.Dropout):
        def forward(self, x: Any) -> Any:
            return super().forward(x) * (1 - self.p)

    return Dropout


def no_dropout(nn: Any) -> Any:
    return lambda p: nn.Dropout(0.0)


MASKS = [
    Fault(
        "one draw ahead at step 1", "forward", "stream_ahead", Parts(stream=one_ahead), DROPS, 1, ("mlp", "cnn", "gpt")
    ),
    Fault("another seed", "forward", "another_mask", Parts(stream=other_seed), DROPS, models=("mlp", "cnn", "gpt")),
    Fault(
        "dropout of a half",
        "forward",
        "another_dropout_rate",
        Parts(library=with_nn(Dropout=lambda nn: lambda p: nn.Dropout(0.5))),
        DROPS,
        models=("mlp", "cnn", "gpt"),
    ),
    Fault(
        "dropout without its scale",
        "forward",
        "dropout_scale",
        Parts(library=with_nn(Dropout=unscaled_dropout)),
        DROPS,
        models=("mlp", "cnn", "gpt"),
    ),
    Fault(
        "no dropout",
        "forward",
        "dropout_off",
        Parts(library=with_nn(Dropout=no_dropout)),
        DROPS,
        models=("mlp", "cnn", "gpt"),
    ),
]
