"""Half precision where torch's autocast takes it, as a transformation of functions."""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad._core import castable
from jaxgrad._core.dtypes import as_dtype
from jaxgrad._core.errors import explain
from jaxgrad._jaxpr import products
from jaxgrad.amp.policy import LISTS, cast_arguments, rule_of
from jaxgrad.autograd._tape.flat_function import evaluated

F = TypeVar("F", bound=Callable[..., Any])

_DEFAULT = {"cpu": jnp.bfloat16, "cuda": jnp.float16}
_HALVES = (np.dtype(jnp.bfloat16), np.dtype(np.float16))


@dataclass(frozen=True)
class Region:
    """What an operation finds around it: by which lists and to which dtype it is cast."""

    device_type: str
    dtype: np.dtype

    def __call__(self, name: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The operation by its rule; what it is made of is outside of the region, as in torch.

        One without a rule here keeps its products as they are, and operations that it calls have their own rules.
        """
        rule = rule_of(self.device_type, name)
        if rule is not None:
            args, kwargs = cast_arguments(rule, self.dtype, fn, args, kwargs)
        with castable.within(self if rule is None else None), jax.named_scope(products.scope_name(products.OFF)):
            return fn(*args, **kwargs)


class autocast:
    """Mirror of ``torch.autocast`` as a decorator: a function whose operations run in the dtype that suits them.

    Products and convolutions are cast down to ``dtype``, what needs range or many digits runs in float32, what joins
    several arrays takes the widest of their dtypes, and all else keeps the dtype that it is given: by torch's lists
    for the kind of device. Parameters stay in float32 and so do their gradients, since a cast is differentiated like
    any operation. Apply it to the forward pass and the loss, not to the backward; ``make_train_step(autocast=...)``
    does so.

    ``amp.autocast("cpu", enabled=False)(fn)`` within is a region where nothing is cast, as the innermost always counts.
    The outermost function is traced, so that ``x @ w`` and convolutions of JAX's own are found afterwards (inside, such
    a product still says float32); JAX's other functions run in the dtypes that they are given. Differs from
    torch: it is no context manager, which would need a switch that the whole program shares, and a float32 array is
    cast wherever it is used.

    Args:
        device_type: whose lists, "cpu" or "cuda"; they differ. It need not be where the arrays are.
        dtype: bfloat16 or float16; by default bfloat16 for "cpu" and float16 for "cuda".
        enabled: False for a region where nothing is cast.
        cache_enabled: whether torch keeps the cast of a parameter for its next use. A compiler does so by itself; the
            gradients of several uses are summed in float32 here, as in torch with False (with True they are summed in
            ``dtype``).

    Raises:
        RuntimeError: ``User specified an unsupported autocast device_type '...'``; in the region, on "cuda",
            ``binary_cross_entropy``, which is unsafe.
        ValueError: ``device_type`` is no word; another dtype for "cuda". For "cpu" torch warns of it, and casts
            nothing.
        TypeError: it is used in a ``with`` statement, or called with what is no function.

    >>> from jaxgrad import amp
    >>> from jaxgrad.nn import functional as F
    >>> def fn(x, w, y):
    ...     h = F.relu(F.linear(x, w))
    ...     return h, x @ w, F.mse_loss(h, y)
    >>> out = amp.autocast("cpu")(fn)(jnp.ones((2, 3)), jnp.ones((3, 3)), jnp.ones((2, 3)))
    >>> [str(each.dtype) for each in out]
    ['bfloat16', 'bfloat16', 'float32']

    Source: torch/amp/autocast_mode.py; aten/src/ATen/autocast_mode.h.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in LISTS:
            raise RuntimeError(
                explain(
                    f"User specified an unsupported autocast device_type '{device_type}'",
                    expected='"cpu" or "cuda", whose lists are known',
                )
            )
        self.device, self.cache_enabled = device_type, cache_enabled
        self.fast_dtype = as_dtype(_DEFAULT[device_type] if dtype is None else dtype)
        self.enabled = bool(enabled) and self._supported()

    def _supported(self) -> bool:
        if self.fast_dtype in _HALVES:
            return True
        if self.device == "cuda":
            raise ValueError(explain("autocast casts to half precision", got=self.fast_dtype, expected=_HALVES))
        warnings.warn(
            "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
            "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
            stacklevel=3,
        )
        return False

    def __call__(self, func: F) -> F:
        """The function with its operations in the dtypes of torch's autocast."""
        if not callable(func):
            raise TypeError(
                explain(
                    f"autocast()(func) requires a callable, but got {type(func).__name__}.",
                    remedy="amp.autocast(device_type)(fn)(*args)",
                )
            )
        region = Region(self.device, self.fast_dtype) if self.enabled else None
        scope = products.scope_name(self.fast_dtype.name if self.enabled else products.OFF)

        def in_the_region(*args: Any, **kwargs: Any) -> Any:
            with castable.within(region), jax.named_scope(scope):
                return func(*args, **kwargs)

        @functools.wraps(func)
        def cast(*args: Any, **kwargs: Any) -> Any:
            if region is None or castable.region() is not None:  # a region around this one looks for products
                return in_the_region(*args, **kwargs)
            return evaluated(in_the_region, products.visit, args, kwargs)

        return cast  # type: ignore[return-value]

    def __enter__(self) -> NoReturn:
        raise TypeError(
            explain(
                "autocast is no context manager here: it is applied to a function",
                got="with amp.autocast(...):",
                remedy=f'out = amp.autocast("{self.device}")(fn)(*args), or make_train_step(..., autocast=...)',
            )
        )

    def __exit__(self, *exception: object) -> None: ...

    def __repr__(self) -> str:
        return f'autocast("{self.device}", dtype={self.fast_dtype}, enabled={self.enabled})'
