"""What stands behind ``Function``: one call, its context, and its rules in the form that JAX takes."""
