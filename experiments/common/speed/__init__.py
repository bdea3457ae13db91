"""What the speed of a training step is measured on, and how each candidate runs it."""
