"""The levers of ``training_levers``: what each changes (``lever``), the data (``images``), and a run on either side."""

from experiments.common.levers.images import Images, augmented, images_of
from experiments.common.levers.lever import LEVERS, Lever

__all__ = ["LEVERS", "Images", "Lever", "augmented", "images_of"]
