"""The state of a model as torch keeps it: ``module.state_dict()`` and ``module.load_state_dict()``.

``func.extract`` lists every variable once and knows only JAX's integers. A state_dict has tied variables under each of
their names, leaves out the buffers that are not persistent, and counts batches in int64.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxgrad._core.dtypes import keep_dtype
from jaxgrad._core.errors import explain, quoted
from jaxgrad._core.listing import Variable, named_modules, named_variables
from jaxgrad._core.types import Buffers, Params, ParamsLike
from jaxgrad.func import extract

_COUNTER = "num_batches_tracked"  # torch.long, for which JAX has no place without its 64-bit mode


class Loaded(tuple[Params, Buffers]):
    """``(params, buffers)``, and torch's report of the keys that did not fit.

    Attributes:
        missing_keys: what the model has and the state_dict has not.
        unexpected_keys: what the state_dict has and the model has not.

    >>> from jaxgrad import nn, random
    >>> from jaxgrad.serialization import load_state_dict, state_dict
    >>> model = nn.Linear(2, 1, rngs=nn.Rngs(random.manual_seed(0)))
    >>> loaded = load_state_dict(model, state_dict(model) | {"more": 1}, strict=False)
    >>> params, buffers = loaded
    >>> sorted(params), loaded.missing_keys, loaded.unexpected_keys
    (['bias', 'weight'], [], ['more'])
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __new__(cls, params: Params, buffers: Buffers, missing: list[str], unexpected: list[str]) -> "Loaded":
        """The pair with its report."""
        self = super().__new__(cls, (params, buffers))
        self.missing_keys, self.unexpected_keys = missing, unexpected
        return self


def state_dict(
    model: nnx.Module, params: ParamsLike | None = None, buffers: Buffers | None = None, *, prefix: str = ""
) -> dict[str, Any]:
    """Mirror of ``torch.nn.Module.state_dict``: torch's keys in torch's order.

    Tied variables stand under each of their names, buffers that are not persistent are left out, and
    ``num_batches_tracked`` is int64 (as a numpy array, since JAX has no int64 without its 64-bit mode).

    Args:
        model: says which names there are.
        params: what has become of its parameters, the keys of ``func.extract``; those of the model without.
        buffers: the same for its buffers.
        prefix: put before every key.

    Returns:
        a dict from names to arrays, which ``write_torch`` writes and ``torch.nn.Module.load_state_dict`` takes.

    Raises:
        RuntimeError: a parameter or a buffer of the model is not among those given.

    >>> from jaxgrad import func, nn, random
    >>> model = nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> {name: value.shape for name, value in state_dict(model).items()}
    {'weight': (2, 3), 'bias': (2,)}

    Source: torch/nn/modules/module.py.
    """
    own = extract(model)
    given_params = own[0] if params is None else params
    given_buffers = own[1] if buffers is None else buffers
    first: dict[int, str] = {}
    for name, variable in named_variables(model):
        first.setdefault(id(variable), name)
    found = {}
    missing = []
    for name, variable in named_variables(model):
        if not _persistent(variable):
            continue
        source = given_params if isinstance(variable, nnx.Param) else given_buffers
        if first[id(variable)] not in source:
            missing.append(name)
            continue
        value = source[first[id(variable)]]
        is_counter = name.rpartition(".")[2] == _COUNTER
        found[prefix + name] = np.asarray(value).astype(np.int64) if is_counter else value
    if missing:
        raise RuntimeError(
            explain(
                f"Missing key(s) in params and buffers: {quoted(missing)}.",
                remedy="params, buffers = func.extract(model), and what training made of them",
            )
        )
    return found


def load_state_dict(
    model: nnx.Module,
    state_dict: Mapping[str, Any],
    strict: bool = True,
    assign: bool = False,
    *,
    strip: str | Iterable[str] = (),
) -> Loaded:
    """Mirror of ``torch.nn.Module.load_state_dict``, which returns the values instead of writing them into the model.

    Args:
        model: says which names, shapes and dtypes there are; it stays as it is.
        state_dict: torch's keys; arrays of numpy or JAX, or torch's own tensors.
        strict: whether missing and unexpected keys are an error.
        assign: keep the dtypes of the state_dict instead of those of the model.
        strip: prefixes to take off every key that has them, such as ``"module."`` (``DataParallel``) and
            ``"_orig_mod."`` (``torch.compile``, which may also stand in the middle).

    Returns:
        ``(params, buffers)`` with the keys of ``func.extract``, which also has ``missing_keys`` and
        ``unexpected_keys``. What is missing keeps the model's value. Of tied names the last one counts, as in torch.

    Raises:
        TypeError: "Expected state_dict to be dict-like, got ...", or a key that is not a string.
        RuntimeError: "Error(s) in loading state_dict for ...": keys that do not fit, shapes that differ, things that
            are no arrays.

    >>> from jaxgrad import nn, random
    >>> model = nn.Linear(3, 2, rngs=nn.Rngs(random.manual_seed(0)))
    >>> params, buffers = load_state_dict(
    ...     model, {"module.weight": np.ones((2, 3)), "module.bias": np.ones(2)}, strip="module."
    ... )
    >>> params["bias"].tolist(), buffers
    ([1.0, 1.0], {})

    Source: torch/nn/modules/module.py.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
    if odd := [key for key in state_dict if not isinstance(key, str)]:
        raise TypeError(explain("the keys of a state_dict are strings", got=f"{odd[0]!r:.50}"))
    metadata = getattr(state_dict, "_metadata", None)
    entries = _stripped(state_dict, (strip,) if isinstance(strip, str) else tuple(strip))
    params, buffers = extract(model)
    variables = dict(named_variables(model))
    first: dict[int, str] = {}
    missing, errors = [], []
    for name, variable in variables.items():
        first.setdefault(id(variable), name)
        if not _persistent(variable):
            continue
        if name not in entries:
            if not _before_counters(metadata, name):
                missing.append(name)
            continue
        target = params if isinstance(variable, nnx.Param) else buffers
        old = target[first[id(variable)]]
        try:
            target[first[id(variable)]] = _fitted(name, entries[name], old, assign)
        except ValueError as error:
            errors.append(str(error))
    unexpected = _unexpected(entries, model, variables)
    if strict:
        if unexpected:
            errors.insert(0, f"Unexpected key(s) in state_dict: {quoted(unexpected)}. ")
        if missing:
            errors.insert(0, f"Missing key(s) in state_dict: {quoted(missing)}. ")
    if errors:
        sentence = "\n\t".join([f"Error(s) in loading state_dict for {type(model).__name__}:", *errors])
        raise RuntimeError(explain(sentence, remedy=_remedy(entries, unexpected)))
    return Loaded(params, buffers, missing, unexpected)


def _persistent(variable: Variable) -> bool:
    return isinstance(variable, nnx.Param) or bool(variable.get_metadata().get("persistent", True))


def _before_counters(metadata: Any, name: str) -> bool:
    """Whether this is the counter of a module that was saved by a torch which did not count batches yet."""
    path, _, short = name.rpartition(".")
    version = ((metadata or {}).get(path) or {}).get("version")
    return short == _COUNTER and (version is None or version < 2)


def _stripped(entries: Mapping[str, Any], prefixes: tuple[str, ...]) -> dict[str, Any]:
    stripped: dict[str, Any] = {}
    for key, value in entries.items():
        name = key
        while hit := next((prefix for prefix in prefixes if prefix and name.startswith(prefix)), None):
            name = name.removeprefix(hit)
        for prefix in prefixes:
            if prefix.startswith("_"):
                name = name.replace(f".{prefix}", ".")
        if name in stripped:
            raise RuntimeError(f'two keys of the state_dict are "{name}" without their prefixes')
        stripped[name] = value
    return stripped


def _fitted(name: str, value: Any, old: Any, assign: bool) -> jax.Array:
    """The array in the model's shape and dtype.

    Raises:
        ValueError: it does not fit, in torch's words.
    """
    try:
        value = _as_array(value)
    except (NotImplementedError, RuntimeError, BufferError) as error:  # sparse, quantized, nested, without data
        raise ValueError(f'While copying the parameter named "{name}", which no array can hold: {error}') from None
    if isinstance(value, jax.ShapeDtypeStruct):
        raise ValueError(f'While copying the parameter named "{name}": Cannot copy out of meta tensor; no data!')
    if isinstance(value, np.ndarray | jax.Array) and not jnp.issubdtype(value.dtype, np.number) and value.dtype != bool:
        raise ValueError(f'While copying the parameter named "{name}": {value.dtype} is not a dtype of numbers')
    if not isinstance(value, np.ndarray | jax.Array):
        raise ValueError(
            f'While copying the parameter named "{name}", expected torch.Tensor or Tensor-like object from checkpoint '
            f"but received {type(value)}"
        )
    if old.ndim == 0 and value.shape == (1,):
        value = value[0]
    if value.shape != old.shape:
        raise ValueError(
            f"size mismatch for {name}: copying a param with shape torch.Size({list(value.shape)}) from checkpoint, "
            f"the shape in current model is torch.Size({list(old.shape)})."
        )
    integers = value.dtype.kind in "iu" and old.dtype.kind in "iu"
    value = value if getattr(value.dtype, "isnative", True) else value.astype(value.dtype.newbyteorder("="))
    dtype = keep_dtype(value.dtype) if assign and not integers else old.dtype
    if integers and value.size and (int(value.max()) > np.iinfo(dtype).max or int(value.min()) < np.iinfo(dtype).min):
        raise ValueError(f'While copying the parameter named "{name}": its numbers do not fit into {dtype}.')
    if value.dtype.kind == "c" and dtype.kind != "c":
        raise ValueError(f'While copying the parameter named "{name}": complex numbers do not fit into {dtype}.')
    return jnp.asarray(value, dtype)


def _as_array(value: Any) -> Any:
    """A tensor of torch (known by its ``detach``), as an array with memory of its own; anything else as it is."""
    if not hasattr(value, "detach") or not hasattr(value, "__dlpack__"):
        return value
    tensor = value.detach().cpu().resolve_conj().resolve_neg()
    try:
        return np.array(np.from_dlpack(tensor))
    except (BufferError, RuntimeError):  # numpy itself has no bfloat16
        return jnp.array(jax.dlpack.from_dlpack(tensor.contiguous()), copy=True)


def _unexpected(entries: Mapping[str, Any], model: nnx.Module, variables: Mapping[str, Variable]) -> list[str]:
    """The keys that name nothing, in the order in which torch meets them: module by module."""
    paths = {"": None}
    for module, _ in named_modules(model, remove_duplicate=False):
        parts = module.split(".") if module else []
        paths |= dict.fromkeys(".".join(parts[: i + 1]) + "." for i in range(len(parts)))  # lists are modules too
    known = {name for name, variable in variables.items() if _persistent(variable)}
    found = []
    for path in paths:
        for key in entries:
            if not key.startswith(path):
                continue
            head, dot, _ = key[len(path) :].partition(".")
            if f"{path}{head}." not in paths if dot else key not in known:
                found.append(key)
    return found


def _remedy(entries: Mapping[str, Any], unexpected: list[str]) -> str | None:
    for prefix in ("module.", "_orig_mod."):
        if unexpected and all(key.startswith(prefix) for key in entries):
            return f'load_state_dict(model, state_dict, strip="{prefix}")'
    return None
