"""What training needs around the model, after ``torch.utils``: data loading, rematerialisation."""

from jaxgrad.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
