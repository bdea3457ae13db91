"""Training runs, written down step by step."""

from jaxgrad.parity.record.model import PHASES, Draw, Recording, StepRecord

__all__ = ["PHASES", "Draw", "Recording", "StepRecord"]
