"""What training needs around the model, after ``torch.utils``: data loading, rematerialisation."""
