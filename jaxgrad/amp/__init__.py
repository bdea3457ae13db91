"""Mirror of ``torch.amp``: half precision, and the scale of the loss that keeps small gradients from vanishing."""

from jaxgrad.amp.autocast_mode import autocast
from jaxgrad.amp.grad_scaler import GradScaler
from jaxgrad.amp.scaler_state import GradScalerState

__all__ = ["GradScaler", "GradScalerState", "autocast"]
