"""What stands behind ``functional``: the checks of its arguments, and products with Jacobians."""
