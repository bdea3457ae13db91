"""A running average of parameters as a value that a training step carries."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.selection import Where, select
from jaxgrad._core.types import Array, Buffers, Params
from jaxgrad.optim.swa_utils.averages import AvgFn, MultiAvgFn, get_swa_avg_fn


@jax.tree_util.register_pytree_node_class
@dataclasses.dataclass(frozen=True, init=False, eq=False)
class AveragedModel:
    """Mirror of ``torch.optim.swa_utils.AveragedModel``: a running average of parameters.

    The first update copies; later ones average. Buffers are copied at every update, or averaged like parameters with
    ``use_buffers``. The value is immutable: ``update_parameters`` returns the next one.

    Args:
        model: the parameters, or ``(parameters, buffers)`` as ``func.extract`` returns them. They are copied, so that
            the originals may be donated.
        device: where the averages are kept; with the parameters by default.
        avg_fn: ``avg_fn(averaged, current, num_averaged)`` of one tensor, e.g. ``get_ema_avg_fn(0.999)``; by default
            the equal average. It is also called, and its result dropped, at the first update.
        multi_avg_fn: the same of lists of tensors of one dtype; returns the list (torch's writes into it).
        use_buffers: whether buffers are averaged.
        names: which parameters are averaged: names, patterns ("head.*"), a predicate of name and parameter, or a mask.
            The others are copied at every update, as buffers are. All of them by default, as in torch.

    Raises:
        AssertionError: ``Only one of avg_fn and multi_avg_fn should be provided``.
        KeyError: a name or pattern matches no parameter.

    >>> averaged = AveragedModel({"w": jnp.array([0.0])})
    >>> for value in (1.0, 2.0, 6.0):
    ...     averaged = averaged.update_parameters({"w": jnp.array([value])})
    >>> averaged.module["w"].tolist(), int(averaged.n_averaged)
    ([3.0], 3)
    >>> averaged = AveragedModel({"w": jnp.array(0.0), "head": jnp.array(0.0)}, names="w")
    >>> for value in (1.0, 2.0):
    ...     averaged = averaged.update_parameters({"w": jnp.array(value), "head": jnp.array(value)})
    >>> averaged.module["w"].item(), averaged.module["head"].item()
    (1.5, 2.0)

    Source: Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018.
    """

    module: Params
    buffers: Buffers
    n_averaged: Array
    device: Any
    avg_fn: AvgFn | None
    multi_avg_fn: MultiAvgFn | None
    use_buffers: bool
    averaged: tuple[str, ...]

    def __init__(
        self,
        model: Params | tuple[Params, Buffers],
        device: Any = None,
        avg_fn: AvgFn | None = None,
        multi_avg_fn: MultiAvgFn | None = None,
        use_buffers: bool = False,
        *,
        names: Where = None,
    ) -> None:
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        params, buffers = _params_and_buffers(model)
        self._set(_copy(params, device), _copy(buffers, device), jnp.zeros((), jnp.int32))
        self._configure(device, avg_fn, multi_avg_fn, use_buffers, tuple(select(params, names)))

    def update_parameters(self, model: Params | tuple[Params, Buffers]) -> "AveragedModel":
        """The average with one more model in it: its parameters, or ``(parameters, buffers)``.

        Raises:
            RuntimeError: other names than at the start.
        """
        params, buffers = (_copy(each, self.device) for each in _params_and_buffers(model))
        _check_names(self.module, params, "parameters")
        _check_names(self.buffers, buffers, "buffers")
        chosen = [*self.averaged, *(self.buffers if self.use_buffers else ())]
        before, now = {**self.module, **self.buffers}, {**params, **buffers}
        averaged = self._average({name: before[name] for name in chosen}, now)
        copied = {name: value.astype(before[name].dtype) for name, value in params.items()}
        module = {name: averaged.get(name, copied[name]) for name in self.module}
        buffers = {name: averaged.get(name, value) for name, value in buffers.items()}
        _, static = self.tree_flatten()
        return self.tree_unflatten(static, (module, buffers, self.n_averaged + 1))

    def state_dict(self) -> dict[str, Array]:
        """The value under torch's keys: ``n_averaged``, and ``module.`` before every name."""
        named = {f"module.{name}": value for name, value in (self.module | self.buffers).items()}
        return {"n_averaged": self.n_averaged, **named}

    def load_state_dict(self, state_dict: dict[str, Any]) -> "AveragedModel":
        """The value that ``state_dict`` describes, with the functions of this one.

        Raises:
            RuntimeError: other names than those of this value.
        """
        _check_names(self.state_dict(), state_dict, "state_dict")
        module, buffers = (
            {name: jnp.asarray(state_dict[f"module.{name}"], old.dtype) for name, old in each.items()}
            for each in (self.module, self.buffers)
        )
        n_averaged = jnp.asarray(state_dict["n_averaged"], self.n_averaged.dtype)
        return self.tree_unflatten(self.tree_flatten()[1], (module, buffers, n_averaged))

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """The arrays, and what is static under jit."""
        static = (self.device, self.avg_fn, self.multi_avg_fn, self.use_buffers, self.averaged)
        return (self.module, self.buffers, self.n_averaged), static

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], children: tuple[Any, ...]) -> "AveragedModel":
        """The inverse of ``tree_flatten``."""
        self = object.__new__(cls)
        self._set(*children)
        self._configure(*static)
        return self

    def _set(self, module: Any, buffers: Any, n_averaged: Any) -> None:
        for name, value in (("module", module), ("buffers", buffers), ("n_averaged", n_averaged)):
            object.__setattr__(self, name, value)

    def _configure(self, *values: Any) -> None:
        names = ("device", "avg_fn", "multi_avg_fn", "use_buffers", "averaged")
        for name, value in zip(names, values, strict=True):
            object.__setattr__(self, name, value)

    def _average(self, averaged: Buffers, current: Buffers) -> Buffers:
        current = {name: current[name].astype(old.dtype) for name, old in averaged.items()}
        if self.multi_avg_fn is not None:
            new = self._multi_average(averaged, current)
        else:
            avg_fn = self.avg_fn or get_swa_avg_fn()
            new = {name: avg_fn(averaged[name], current[name], self.n_averaged) for name in averaged}
        first = self.n_averaged == 0
        return {name: jnp.where(first, current[name], new[name].astype(old.dtype)) for name, old in averaged.items()}

    def _multi_average(self, averaged: Buffers, current: Buffers) -> Buffers:
        """One call for the tensors of each dtype, as torch groups them."""
        assert self.multi_avg_fn is not None
        new: Buffers = {}
        for dtype in dict.fromkeys(value.dtype for value in averaged.values()):
            names = [name for name, value in averaged.items() if value.dtype == dtype]
            lists = [averaged[name] for name in names], [current[name] for name in names]
            values = self.multi_avg_fn(*lists, self.n_averaged)
            if not isinstance(values, (list, tuple)):
                raise TypeError(
                    explain(
                        "multi_avg_fn must return the list of averages",
                        got=type(values).__name__,
                        remedy="return the new arrays instead of writing into the first list",
                    )
                )
            new |= dict(zip(names, values, strict=True))
        return new


def _params_and_buffers(model: Any) -> tuple[Params, Buffers]:
    params, buffers = model if isinstance(model, tuple) else (model, {})
    return params, buffers


def _copy(tree: Any, device: Any) -> Any:
    copies = jax.tree.map(lambda leaf: jnp.array(leaf, copy=True), dict(tree))
    copies = {name: copies[name] for name in tree}
    return copies if device is None else {name: jax.device_put(leaf, device) for name, leaf in copies.items()}


def _check_names(expected: Any, got: Any, what: str) -> None:
    if expected.keys() != got.keys():
        raise RuntimeError(
            explain(f"the {what} have other names than the averages", got=quoted(got), expected=quoted(expected))
        )
