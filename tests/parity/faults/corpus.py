"""All planted faults."""

from dataclasses import replace

from tests.parity.faults.of_gradients import CLIPS, GRADIENTS, LOSSES
from tests.parity.faults.of_inputs import BATCH, MASKS
from tests.parity.faults.of_modules import MODULES
from tests.parity.faults.of_state import BUFFERS, PARAMS
from tests.parity.faults.of_updates import OPTIMIZERS, SCHEDULES

TOLD = {
    *("gelu by tanh", "silu for gelu", "eps of LayerNorm 1e-6", "eps of BatchNorm 1e-3", "slope 0.2"),
    *("BatchNorm by its running statistics", "padding not counted", "align_corners", "gates i g f o"),
    *("one bias in the LSTM", "embeddings times a root", "products in bfloat16"),
    *("dropout without its scale", "no dropout", "smoothed labels", "dropout of a half", "one draw ahead at step 1"),
    *("an untransposed matrix", "height and width exchanged", "a flipped kernel"),
}
"""Faults of the forward pass that are told from loss and gradients alone."""

UNSEEN = [
    replace(
        fault,
        name=f"{fault.name}, {what} seen",
        phase="loss",
        tensor="loss",
        cause={"output_factor": "embedding_scaled"}.get(fault.cause or "", fault.cause),
        parts=replace(fault.parts, records=records),
        models=models,
    )
    for fault in [*MASKS, *MODULES, *LOSSES]
    if fault.name in TOLD
    for what, records, models in (
        ("loss and gradients", ("loss", "grads", "params"), fault.models),
        ("loss", ("loss", "params"), fault.models[:1]),
    )
]

FAULTS = [*BATCH, *MASKS, *MODULES, *LOSSES, *GRADIENTS, *CLIPS, *SCHEDULES, *OPTIMIZERS, *PARAMS, *BUFFERS, *UNSEEN]
PLANTED = [(fault, model) for fault in FAULTS for model in fault.models]
"""Every fault in every model that it fits."""
