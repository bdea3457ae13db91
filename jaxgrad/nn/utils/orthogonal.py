"""Matrices that stay orthogonal while they are trained."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.types import Array
from jaxgrad.nn.parameter import Buffer
from jaxgrad.nn.rngs import Rngs
from jaxgrad.nn.utils.parametrization_list import Part
from jaxgrad.nn.utils.parametrize import current, is_parametrized, parametrizable, register
from jaxgrad.random import randn

_MAPS = ("matrix_exp", "cayley", "householder")


def orthogonal(
    module: Any,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
    rngs: Rngs | None = None,
) -> Any:
    r"""Mirror of ``torch.nn.utils.parametrizations.orthogonal``: :math:`Q^H Q = I`, or :math:`Q Q^H = I` if Q is wide.

    With A the skew-symmetric matrix of the original's lower triangle, :math:`Q = \exp(A)`, or Cayley's
    :math:`(I - A/2)^{-1} (I + A/2)`, or a product of Householder's reflections, one for each column. With
    ``use_trivialization``, Q is :math:`B` times that, the buffer ``parametrizations.weight.0.base``, and the original
    begins as :math:`-I`. Differs from torch: the module given does not change; see
    :func:`jaxgrad.nn.utils.parametrize.register_parametrization`.

    Args:
        module: an ``nn.Module``.
        name: of a parameter of it, (..., m, n).
        orthogonal_map: "matrix_exp", "cayley" or "householder"; None is "matrix_exp" for square and complex matrices
            and "householder" for others.
        use_trivialization: whether there is a B. Without it, the first two maps do not begin at the weight.
        rngs: what completes a B that is not square is drawn from; otherwise not needed.

    Returns:
        A copy, of a class derived from the module's.

    Raises:
        ValueError: ``Module '...' has no parameter or buffer with name '...'``; ``Expected a matrix or batch of
            matrices. ...``; ``orthogonal_map has to be one of ...``; a complex matrix by "householder"; a
            trivialization of what is parametrized already.
        TypeError: ``rngs`` is needed and missing.

    >>> from jaxgrad import nn, random
    >>> rngs = nn.Rngs(random.manual_seed(0))
    >>> w = orthogonal(nn.Linear(2, 4, rngs=rngs), rngs=rngs).weight.get_value()
    >>> bool(jnp.allclose(w.T @ w, jnp.eye(2), atol=1e-5))
    True

    Source: Lezcano-Casado, 2019; torch/nn/utils/parametrizations.py.
    """
    made = parametrizable(module)
    weight = current(made, name)
    if weight is None:
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    is_complex = jnp.issubdtype(weight.dtype, jnp.complexfloating)
    if orthogonal_map is None:
        orthogonal_map = "matrix_exp" if weight.shape[-2] == weight.shape[-1] or is_complex else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    if is_complex and orthogonal_map == "householder":
        raise ValueError("The householder parametrization does not support complex tensors.")
    if use_trivialization and is_parametrized(made, name):
        raise ValueError(f"'{name}' is parametrized already: use_trivialization=False")
    step = _Orthogonal(weight.shape, orthogonal_map, use_trivialization)
    object.__setattr__(step, "_rngs", rngs)  # for the time of the registration
    try:
        return register(made, name, step, unsafe=True)
    finally:
        object.__delattr__(step, "_rngs")


class _Orthogonal(Part):
    def __init__(self, shape: tuple[int, ...], orthogonal_map: str, use_trivialization: bool):
        self.shape, self.orthogonal_map, self.use_trivialization = shape, orthogonal_map, use_trivialization

    def __call__(self, x: Array) -> Array:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        q = _reflected(x) if self.orthogonal_map == "householder" else self._of_skew(x)
        if self.use_trivialization:
            q = self.base.get_value() @ q
        return q.mT if wide else q

    def _of_skew(self, x: Array) -> Array:
        n, k = x.shape[-2:]
        lower = jnp.pad(jnp.tril(x), [(0, 0)] * (x.ndim - 1) + [(0, n - k)])
        a = lower - lower.mT.conj()
        if self.orthogonal_map == "matrix_exp":
            return jax.scipy.linalg.expm(a)[..., :k]
        eye = jnp.broadcast_to(jnp.eye(n, dtype=a.dtype), a.shape)
        return jnp.linalg.solve(eye - 0.5 * a, eye + 0.5 * a)[..., :k]

    def right_inverse(self, q: Array) -> Array:
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape torch.Size({list(self.shape)}). "
                f"Got a tensor of shape torch.Size({list(q.shape)})."
            )
        wide = q.shape[-2] < q.shape[-1]
        tall = q.mT if wide else q
        if self.use_trivialization:
            self.base = Buffer(self._square(tall))
            return jnp.broadcast_to(-jnp.eye(q.shape[-2], q.shape[-1], dtype=q.dtype), q.shape)
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential "
                "or the Cayley parametrizations when use_trivialization=False."
            )
        a, tau = _reflections(tall)
        sign = jnp.sign(jnp.diagonal(a, axis1=-2, axis2=-1))
        sign = jnp.where(tau == 0, -sign, sign)  # LAPACK's zero: no reflection
        eye = jnp.eye(a.shape[-2], a.shape[-1], dtype=bool)
        a = jnp.where(eye, jnp.broadcast_to(sign[..., None, :], a.shape), a)
        return a.mT if wide else a

    def _square(self, q: Array) -> Array:
        """An orthogonal matrix whose first columns are those of q, made orthogonal."""
        n, k = q.shape[-2:]
        if n == k:
            gram, eye = q.mT.conj() @ q, jnp.broadcast_to(jnp.eye(k, dtype=q.dtype), q.shape)
            return q if jnp.allclose(gram, eye, atol=10.0 * n * float(jnp.finfo(q.dtype).eps)) else _made_orthogonal(q)
        rngs = vars(self).get("_rngs")
        if rngs is None:
            raise TypeError("orthogonal() missing 1 required keyword-only argument: 'rngs'")
        more = rngs.draw(randn, (*q.shape[:-2], n, n - k), dtype=q.dtype)
        return _made_orthogonal(jnp.concatenate([q, more], axis=-1))


def _reflections(a: Array) -> tuple[Array, Array]:
    """LAPACK's ``geqrf``: R in the upper triangle, reflections below it, and their factors."""
    h, tau = jnp.linalg.qr(a, mode="raw")
    return h.mT, tau


def _made_orthogonal(a: Array) -> Array:
    """The Q of QR with a positive diagonal of R."""
    x, tau = _reflections(a)
    q = jax.lax.linalg.householder_product(x, tau)
    return q * jnp.sign(jnp.diagonal(x, axis1=-2, axis2=-1))[..., None, :]


def _reflected(x: Array) -> Array:
    r"""The first columns of :math:`H_1 H_2 ... H_k`, :math:`H_i = I - \tau_i v_i v_i^T`, each times x's diagonal."""
    n, k = x.shape[-2:]
    eye = jnp.broadcast_to(jnp.eye(n, k, dtype=x.dtype), x.shape)
    below = jnp.tril(x, -1)
    tau = 2 / (1 + jnp.sum(below * below, axis=-2))
    each = jnp.moveaxis(below + eye, -1, 0), jnp.moveaxis(tau, -1, 0)

    def reflect(q: Array, reflection: tuple[Array, Array]) -> tuple[Array, None]:
        v, factor = reflection
        along = jnp.sum(v[..., :, None] * q, axis=-2, keepdims=True)
        return q - factor[..., None, None] * v[..., :, None] * along, None

    q, _ = jax.lax.scan(reflect, eye, each, reverse=True)
    signs = jax.lax.stop_gradient(jnp.trunc(jnp.diagonal(x, axis1=-2, axis2=-1)))
    return q * signs[..., None, :]
