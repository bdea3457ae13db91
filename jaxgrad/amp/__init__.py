"""Training in half precision: the scale of the loss as a value."""

from jaxgrad.amp.grad_scaler import GradScaler
from jaxgrad.amp.scaler_state import GradScalerState

__all__ = ["GradScaler", "GradScalerState"]
