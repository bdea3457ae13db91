"""Losses of differences and of distributions as modules.

What each computes is said at the function of the same name in ``nn.functional``.
"""

from jaxgrad._core.types import Array
from jaxgrad.nn import functional as F
from jaxgrad.nn.modules.loss_base import Loss


class L1Loss(Loss):
    r"""Mirror of ``torch.nn.L1Loss``: :math:`\frac1n \sum_i |x_i - t_i|`.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> L1Loss()(jnp.array([1.0, 3.0]), jnp.zeros(2)).item()
    2.0

    Source: torch/nn/modules/loss.py.
    """

    _function = staticmethod(F.l1_loss)


class MSELoss(Loss):
    r"""Mirror of ``torch.nn.MSELoss``: :math:`\frac1n \sum_i (x_i - t_i)^2`.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> MSELoss()(jnp.array([1.0, 3.0]), jnp.zeros(2)).item()
    5.0

    Source: torch/nn/modules/loss.py.
    """

    _function = staticmethod(F.mse_loss)


class SmoothL1Loss(Loss):
    r"""Mirror of ``torch.nn.SmoothL1Loss``: a square up to :math:`|x - t| = \beta`, a straight line from there.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.
        beta: where the square ends.

    >>> SmoothL1Loss(beta=0.5).beta
    0.5

    Source: Girshick, 2015.
    """

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ):
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    r"""Mirror of ``torch.nn.HuberLoss``: a square up to :math:`|x - t| = \delta`, a straight line from there.

    Args:
        reduction: 'none', 'mean' or 'sum'.
        delta: where the square ends.

    >>> HuberLoss(delta=2.0).delta
    2.0

    Source: Huber, 1964.
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        if not isinstance(delta, float | int):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        super().__init__(None, None, reduction)
        self.delta = delta

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.huber_loss(input, target, self.reduction, self.delta)


class PoissonNLLLoss(Loss):
    r"""Mirror of ``torch.nn.PoissonNLLLoss``: :math:`e^x - t x`, or :math:`x - t \log(x + \varepsilon)`.

    Args:
        log_input: whether the input is the logarithm of the rate.
        full: whether to add Stirling's approximation of what depends on the target alone.
        size_average: deprecated in torch; see ``reduction``.
        eps: added to a rate before its logarithm.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> PoissonNLLLoss()(jnp.zeros(2), jnp.ones(2)).item()
    1.0

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)


class GaussianNLLLoss(Loss):
    r"""Mirror of ``torch.nn.GaussianNLLLoss``: :math:`\frac12 (\log v + (x - t)^2 / v)`.

    Args:
        full: whether to add :math:`\frac12 \log 2\pi`.
        eps: least variance.
        reduction: 'none', 'mean' or 'sum'.

    >>> import jax.numpy as jnp
    >>> GaussianNLLLoss()(jnp.ones(2), jnp.zeros(2), jnp.ones(2)).item()
    0.5

    Source: Nix and Weigend, 1994.
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Array, target: Array, var: Array | float) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class KLDivLoss(Loss):
    r"""Mirror of ``torch.nn.KLDivLoss``: :math:`t (\log t - x)`; 'batchmean' is the divergence itself.

    Args:
        size_average: deprecated in torch; see ``reduction``.
        reduce: deprecated in torch; see ``reduction``.
        reduction: 'none', 'batchmean', 'mean' or 'sum'.
        log_target: whether the target is a logarithm.

    >>> KLDivLoss(reduction="batchmean").reduction
    'batchmean'

    Source: torch/nn/modules/loss.py.
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ):
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Array, target: Array) -> Array:
        """Shapes as the function of the same name takes them."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
