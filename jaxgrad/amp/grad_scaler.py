"""Loss scaling: small gradients of a float16 model are lifted above what float16 rounds to zero.

The loss is multiplied by a scale before the backward, the gradients are divided by it after; a step whose gradients
are not finite is skipped and shrinks the scale, a long row of finite ones lets it grow. The loop reads as torch's:

    scaler = amp.GradScaler()
    s = scaler.init()
    loss, grads = autograd.backward(lambda p, x: scaler.scale(loss_fn(p, x), s), params, x)
    grads, found_inf = scaler.unscale(grads, s)
    grads, norm = nn.utils.clip_grad_norm(grads, 1.0)
    params, opt_state = scaler.step(tx, params, grads, opt_state, found_inf)
    s = scaler.update(s, found_inf)

``train.make_train_step(..., scaler=scaler)`` writes it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Bool

from jaxgrad import optim
from jaxgrad._core.dtypes import wider_dtype
from jaxgrad._core.errors import explain
from jaxgrad._core.trees import all_finite, is_tensor, key_order, map_keeping_none, with_key_order
from jaxgrad._core.types import Array, InexactTree, PyTree
from jaxgrad._jaxpr.kept import kept_if
from jaxgrad.amp.scaler_state import GradScalerState, inverse_of, make_state, updated_scale
from jaxgrad.optim._rule.precision import pack, unpack

_NEW_SCALE = (
    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with requires_grad=False."
)


@dataclass(frozen=True)
class GradScaler:
    """Mirror of ``torch.amp.GradScaler``; what it remembers is a value that goes in and comes out.

    ``loss -> scale * loss``, ``grads -> grads / scale``; a step with a gradient that is nan or infinite changes
    nothing and multiplies the scale by ``backoff_factor``; ``growth_interval`` finite ones in a row multiply it by
    ``growth_factor``, unless that is past float32.

    What torch hides between its calls is visible here: ``unscale`` returns whether something was not finite, and
    ``step`` and ``update`` take it. So ``step`` does not unscale by itself. Everything runs under ``jit``. The state
    keeps the scale in float32 from the start, where torch's does from the first call of ``scale``.

    Args:
        device: torch's name of a kind of device. Arrays are where they are, so it chooses no number; and a scaler is
            enabled without CUDA too, where torch warns and disables one for "cuda".
        init_scale: the first scale.
        growth_factor: above 1.
        backoff_factor: below 1.
        growth_interval: a number of steps.
        enabled: False makes every call what it would be without a scaler; the state is None then.

    Raises:
        AssertionError: "The growth factor must be > 1.0."; "The backoff factor must be < 1.0."
        TypeError: another argument is of the wrong kind.

    >>> import jax.numpy as jnp
    >>> from jaxgrad import amp, autograd, optim
    >>> scaler, tx = amp.GradScaler(init_scale=1024.0), optim.SGD(0.5)
    >>> params = {"w": jnp.array([1.0, 2.0])}
    >>> opt_state, s = tx.init(params), scaler.init()
    >>> scaled, grads = autograd.backward(lambda p: scaler.scale(p["w"].sum(), s), params)
    >>> float(scaled), grads["w"].tolist()
    (3072.0, [1024.0, 1024.0])
    >>> grads, found_inf = scaler.unscale(grads, s)
    >>> params, opt_state = scaler.step(tx, params, grads, opt_state, found_inf)
    >>> s = scaler.update(s, found_inf)
    >>> params["w"].tolist(), scaler.get_scale(s)
    ([0.5, 1.5], 1024.0)
    >>> grads, found_inf = scaler.unscale({"w": jnp.array([1.0, jnp.inf])}, s)
    >>> params, opt_state = scaler.step(tx, params, grads, opt_state, found_inf)
    >>> s = scaler.update(s, found_inf)
    >>> params["w"].tolist(), scaler.get_scale(s)
    ([0.5, 1.5], 512.0)

    Source: Micikevicius et al., "Mixed Precision Training", 2018; torch/amp/grad_scaler.py.
    """

    device: str = "cuda"
    init_scale: float = 2.0**16
    growth_factor: float = 2.0
    backoff_factor: float = 0.5
    growth_interval: int = 2000
    enabled: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.device, str):
            raise TypeError(explain("device is the name of a kind of device", got=repr(self.device), expected='"cuda"'))
        if not self.enabled:
            return
        for name in ("init_scale", "growth_factor", "backoff_factor"):
            _check_number(name, getattr(self, name))
        _check_interval(self.growth_interval)
        if self.growth_factor <= 1.0:
            raise AssertionError(explain("The growth factor must be > 1.0.", got=self.growth_factor))
        if self.backoff_factor >= 1.0:
            raise AssertionError(explain("The backoff factor must be < 1.0.", got=self.backoff_factor))

    def init(self) -> GradScalerState | None:
        """The state before the first step; None for a scaler that is not enabled."""
        if not self.enabled:
            return None
        return make_state(self.init_scale, self.growth_factor, self.backoff_factor, self.growth_interval, 0)

    def scale(self, outputs: Any, state: GradScalerState | None) -> Any:
        """``scaler.scale(outputs)``: a loss, or losses in lists and tuples, times the scale.

        A half-precision scalar becomes float32, as torch promotes it; an array keeps its dtype.

        Raises:
            ValueError: "outputs must be a Tensor or an iterable of Tensors".
        """
        if not self.enabled:
            return outputs
        return _scaled(outputs, _checked(state, "scale").scale)

    def unscale(self, grads: InexactTree, state: GradScalerState | None) -> tuple[InexactTree, Bool[Array, ""]]:
        """``scaler.unscale_(optimizer)``: the gradients divided by the scale, and whether one is not finite.

        To be called once on the gradients of a step, after the last of them was accumulated. None stays None.

        Raises:
            ValueError: "Attempting to unscale FP16 gradients.": the parameters are to be float32.
            AssertionError: "No inf checks were recorded for this optimizer.": there is no gradient.
            NotImplementedError: a gradient is complex.
        """
        if not self.enabled:
            return grads, jnp.zeros((), bool)
        inverse = inverse_of(_checked(state, "unscale_").scale)
        leaves = [jnp.asarray(leaf) for leaf in jax.tree.leaves(grads)]
        if not leaves:
            raise AssertionError(explain("No inf checks were recorded for this optimizer.", got="no gradient"))
        for leaf in leaves:
            _check_unscaled(leaf.dtype)
        found_inf = ~all_finite(leaves)
        unscaled = map_keeping_none(lambda grad: _times(grad, *inverse).astype(jnp.result_type(grad)), grads)
        return with_key_order(key_order(grads), unscaled), found_inf

    def step(
        self,
        tx: optax.GradientTransformation,
        params: InexactTree,
        grads: InexactTree,
        opt_state: PyTree,
        found_inf: Array,
        lr: Any = None,
    ) -> tuple[InexactTree, PyTree]:
        """``scaler.step(optimizer)``: ``optim.step`` on unscaled gradients, or nothing where one was not finite."""

        def stepped(before: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
            return optim.step(tx, before[0], grads, before[1], lr=lr)

        if not self.enabled:
            return stepped((params, opt_state))
        skips = _any(found_inf, "No inf checks were recorded for this optimizer.")
        after, opt_state = kept_if(skips, (params, opt_state), stepped)
        return with_key_order(key_order(params), after), opt_state

    def update(self, state: GradScalerState | None, found_inf: Any, new_scale: Any = None) -> GradScalerState | None:
        """``scaler.update(new_scale)``: the next scale; ``found_inf`` of one optimizer, or a list of several.

        A ``new_scale`` is taken as it is, and the row of finite steps goes on, as in torch.

        Raises:
            AssertionError: "No inf checks were recorded prior to update."; ``new_scale`` is not one number.
        """
        if not self.enabled:
            return None
        known = _checked(state, "update")
        if new_scale is not None:
            if not (isinstance(new_scale, float) or is_tensor(new_scale)) or np.size(new_scale) != 1:
                raise AssertionError(explain(_NEW_SCALE, got=repr(new_scale)))
            return known._replace(scale=jnp.asarray(new_scale, jnp.float32).reshape(()))
        return updated_scale(known, _any(found_inf, "No inf checks were recorded prior to update."))

    def get_scale(self, state: GradScalerState | None) -> float:
        """The scale as a Python float; 1.0 for a scaler that is not enabled."""
        return float(_checked(state, "get_scale").scale) if self.enabled else 1.0

    def get_growth_factor(self, state: GradScalerState | None) -> float:
        """What the scale grows by, a Python float."""
        factor: float = unpack(self._known(state, "growth_factor").growth_factor)
        return factor

    def set_growth_factor(self, state: GradScalerState | None, new_factor: float) -> GradScalerState:
        """A state with another one; as in torch it may be any number."""
        _check_number("new_factor", new_factor)
        return self._known(state, "growth_factor")._replace(growth_factor=pack(new_factor))

    def get_backoff_factor(self, state: GradScalerState | None) -> float:
        """What the scale shrinks by, a Python float."""
        factor: float = unpack(self._known(state, "backoff_factor").backoff_factor)
        return factor

    def set_backoff_factor(self, state: GradScalerState | None, new_factor: float) -> GradScalerState:
        """A state with another one; as in torch it may be any number."""
        _check_number("new_factor", new_factor)
        return self._known(state, "backoff_factor")._replace(backoff_factor=pack(new_factor))

    def get_growth_interval(self, state: GradScalerState | None) -> int:
        """After how many finite steps in a row the scale grows, a Python int."""
        return int(unpack(self._known(state, "growth_interval").growth_interval))

    def set_growth_interval(self, state: GradScalerState | None, new_interval: int) -> GradScalerState:
        """A state with another interval."""
        _check_interval(new_interval)
        return self._known(state, "growth_interval")._replace(growth_interval=pack(new_interval))

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self.enabled

    def state_dict(self, state: GradScalerState | None) -> dict[str, Any]:
        """Torch's ``scaler.state_dict()``, of Python's numbers; empty for a scaler that is not enabled."""
        if not self.enabled:
            return {}
        return {
            "scale": self.get_scale(state),
            "growth_factor": self.get_growth_factor(state),
            "backoff_factor": self.get_backoff_factor(state),
            "growth_interval": self.get_growth_interval(state),
            "_growth_tracker": int(_checked(state, "state_dict").growth_tracker),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> GradScalerState | None:
        """The state of torch's ``scaler.state_dict()`` or of our own; its factors take the place of the scaler's.

        Raises:
            RuntimeError: "The source state dict is empty, possibly because it was saved from a disabled instance of
                GradScaler."
            KeyError: a number is missing.
        """
        if not self.enabled:
            return None
        if len(state_dict) == 0:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        names = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
        return make_state(*(state_dict[name] for name in names))

    def _known(self, state: Any, name: str) -> GradScalerState:
        if not self.enabled:
            raise AttributeError(
                explain(f"'GradScaler' object has no attribute '_{name}'", got="a scaler with enabled=False")
            )
        return _checked(state, f"get_{name}")


def _scaled(outputs: Any, scale: Array) -> Any:
    if is_tensor(outputs):
        product, dtype = _times(outputs, scale), jnp.result_type(outputs)
        keeps = np.ndim(outputs) > 0 and jnp.issubdtype(dtype, jnp.inexact)
        return product.astype(dtype) if keeps else product
    if isinstance(outputs, list | tuple):
        return type(outputs)(_scaled(each, scale) for each in outputs)
    if isinstance(outputs, Iterable) and not isinstance(outputs, str | bytes | dict):
        return map(lambda each: _scaled(each, scale), outputs)
    raise ValueError(explain("outputs must be a Tensor or an iterable of Tensors", got=type(outputs).__name__))


def _times(value: Any, *factors: Array) -> Array:
    """``value`` times float32 factors, computed in float32 or wider."""
    wide = wider_dtype(jnp.result_type(value), jnp.float32)
    product = jnp.asarray(value, wide)
    for factor in factors:
        product = product * factor.astype(wide)
    return product


def _checked(state: Any, called: str) -> GradScalerState:
    if isinstance(state, GradScalerState):
        return state
    raise AssertionError(
        explain(
            f"Attempted {called} but _scale is None.  This may indicate your script did not use "
            "scaler.scale(loss or outputs) earlier in the iteration.",
            got=f"a state of type {type(state).__name__}",
            expected="a GradScalerState",
            remedy="s = scaler.init(), then scaler.scale(loss, s), scaler.unscale(grads, s), scaler.update(s, ...)",
        )
    )


def _any(found_inf: Any, sentence: str) -> Array:
    """Whether any of the findings is so; torch's are 0.0 and 1.0."""
    found = [jnp.asarray(each) for each in jax.tree.leaves(found_inf)]
    if not found or any(each.size != 1 for each in found):
        raise AssertionError(
            explain(sentence, got=repr(found_inf), remedy="grads, found_inf = scaler.unscale(grads, state)")
        )
    return jnp.stack([each.reshape(()).astype(bool) for each in found]).any()


def _check_unscaled(dtype: Any) -> None:
    if dtype == jnp.float16:
        raise ValueError(
            explain(
                "Attempting to unscale FP16 gradients.",
                got="gradients in float16",
                remedy="keep the parameters in float32 and cast them inside the loss function",
            )
        )
    if not jnp.issubdtype(dtype, jnp.floating):
        raise NotImplementedError(explain("gradients to be unscaled are real", got=dtype))


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(explain(f"{name} is a number", got=repr(value)))


def _check_interval(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(
            f"_amp_update_scale_(): argument 'growth_interval' (position 6) must be int, not {type(value).__name__}"
        )
