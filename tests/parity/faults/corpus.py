"""All planted faults."""

from tests.parity.faults.of_gradients import CLIPS, GRADIENTS, LOSSES
from tests.parity.faults.of_inputs import BATCH, MASKS
from tests.parity.faults.of_modules import MODULES
from tests.parity.faults.of_state import BUFFERS, PARAMS
from tests.parity.faults.of_updates import OPTIMIZERS, SCHEDULES

FAULTS = [*BATCH, *MASKS, *MODULES, *LOSSES, *GRADIENTS, *CLIPS, *SCHEDULES, *OPTIMIZERS, *PARAMS, *BUFFERS]
PLANTED = [(fault, model) for fault in FAULTS for model in fault.models]
"""Every fault in every model that it fits."""
