"""What happens between a forward and its backward: the recorded pass, its cotangents, its saved tensors."""
