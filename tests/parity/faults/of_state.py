"""Parameters and buffers done wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.parity.faults.fault import ONE, Fault, chosen, exactly
from tests.parity.faults.of_updates import ADAMW
from tests.parity.faults.port import Parts

# parameters


def one_stays(before: Any, after: Any) -> Any:
    return {**after, chosen(after): before[chosen(after)]}


def frozen_moves(before: Any, after: Any) -> Any:
    name = chosen(after)
    return {**after, name: after[name] + after[name].dtype.type(1e-2)}


def frozen_decays(before: Any, after: Any) -> Any:
    name = chosen(after)
    return {**after, name: after[name] * after[name].dtype.type(1 - 1e-3)}


PARAMS = [
    Fault("a parameter that stays", "params", "parameter_does_not_move", Parts(params=one_stays), exactly(ONE)),
    *(
        Fault(
            "a frozen parameter that moves",
            "params",
            "frozen_parameter_moves",
            Parts(params=frozen_moves),
            exactly(ONE),
            models=(model,),
            setting={"frozen": (name,)},
        )
        for model, name in ONE.items()
    ),
    *(
        Fault(
            "a frozen parameter that decays",
            "params",
            "zero_for_none",
            Parts(params=frozen_decays),
            exactly(ONE),
            models=(model,),
            setting={"frozen": (name,), **ADAMW},
        )
        for model, name in ONE.items()
    ),
]


# buffers


def buffers(change: Callable[[str, Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda before, after: {
        name: change(name, np.asarray(before[name]), value).astype(value.dtype) for name, value in after.items()
    }


def biased(name: str, before: Any, after: Any) -> Any:
    n = 10 * 16
    return 0.9 * before + (after - 0.9 * before) * (n - 1) / n if name.endswith("running_var") else after


def other_way(momentum: float) -> Callable[[str, Any, Any], Any]:
    def change(name: str, before: Any, after: Any) -> Any:
        if name.endswith("num_batches_tracked"):
            return after
        return (1 - momentum) * before + momentum * (after - 0.9 * before) / 0.1

    return change


BUFFERS = [
    Fault(
        "biased running variance",
        "buffers",
        "biased_running_variance",
        Parts(buffers=buffers(biased)),
        r"1\.running_var",
        models=("cnn",),
    ),
    Fault(
        "momentum 0.9",
        "buffers",
        "running_momentum_convention",
        Parts(buffers=buffers(other_way(0.9))),
        models=("cnn",),
    ),
    Fault(
        "momentum 0.01", "buffers", "another_running_momentum", Parts(buffers=buffers(other_way(0.01))), models=("cnn",)
    ),
    Fault(
        "buffers that stay",
        "buffers",
        "stale_buffer",
        Parts(buffers=lambda before, after: before),
        models=("cnn",),
    ),
]
