"""What stands behind ``gradcheck``: the two Jacobians, their comparison, torch's sentences."""
