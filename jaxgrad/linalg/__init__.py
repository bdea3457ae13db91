"""Functions of ``torch.linalg`` whose values, derivatives or errors differ from ``jax.numpy.linalg``'s."""

from jaxgrad._tensor.factorizations import LinAlgError, cholesky, det, inv, slogdet
from jaxgrad._tensor.matrix_norms import linalg_norm as norm
from jaxgrad._tensor.matrix_norms import matrix_norm
from jaxgrad._tensor.norms import vector_norm

__all__ = ["LinAlgError", "cholesky", "det", "inv", "matrix_norm", "norm", "slogdet", "vector_norm"]
