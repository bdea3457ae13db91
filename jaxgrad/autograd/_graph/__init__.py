"""From a traced function to the computational graph in torch's vocabulary, and its pictures."""
