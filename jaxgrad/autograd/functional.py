r"""Products with the Jacobian and the Hessian, after ``torch.autograd.functional``.

JAX's own ``jax.vjp``, ``jax.jvp``, ``jax.jacobian`` and ``jax.hessian`` compute the same numbers; these mirrors keep
torch's contract: tuples in and out, ``v`` checked, ``strict`` mode, and results that are cut off from the inputs
unless ``create_graph`` is set. Vectors times Jacobians follow torch's convention for complex numbers,
:math:`J^H v`.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxgrad._core.types import Array, InexactTree
from jaxgrad.autograd._functional import checks as check
from jaxgrad.autograd._functional.checks import Arrays
from jaxgrad.autograd._functional.jacobians import by_columns, by_rows
from jaxgrad.autograd._functional.products import pullback, pushforward

Func = Callable[..., Any]


def vjp(
    func: Func,
    inputs: InexactTree,
    v: InexactTree | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[InexactTree, InexactTree]:
    r"""Mirror of ``torch.autograd.functional.vjp``: :math:`v^T J` at ``inputs``.

    Args:
        func: takes the arrays of ``inputs``, returns an array or a tuple of arrays.
        inputs: an array or a tuple of arrays.
        v: as the output of ``func``; may be left out when that is one number.
        create_graph: False cuts outputs and result off from the inputs.
        strict: raise if the output is independent of an input, instead of returning zeros for it.

    Returns:
        ``(func_output, vjp)``, the second like ``inputs``.

    Raises:
        TypeError: an argument or output that is no array.
        RuntimeError: a ``v`` that does not fit; what strict mode finds.

    >>> import jax.numpy as jnp
    >>> vjp(lambda x: (x**2).sum(), jnp.array([1.0, 2.0]))[1].tolist()
    [2.0, 4.0]
    """
    is_inputs_tuple, inputs = check.as_tuple(inputs, "inputs", "vjp")
    fn, was_tuple = check.tupled(func, "vjp")
    found = check.connections(fn, inputs) if strict else []
    check.require_outputs(found)
    outputs, pull = pullback(fn, inputs)
    if v is not None:
        v = check.as_tuple(v, "v", "vjp")[1]
        check.validate_v(v, outputs, was_tuple[0])
    elif len(outputs) != 1 or outputs[0].size != 1:
        raise RuntimeError(
            "The vector v can only be None if the user-provided function returns a single Tensor with a single element."
        )
    if strict:
        check.require_inputs(found, len(inputs))
        if create_graph:
            check.require_graph(check.connections(lambda *x: pullback(fn, x)[1](v), inputs), "jacobian")
    result = pull(v)
    return _finish(outputs, create_graph, was_tuple[0]), _finish(result, create_graph, is_inputs_tuple)


def jvp(
    func: Func,
    inputs: InexactTree,
    v: InexactTree | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[InexactTree, InexactTree]:
    r"""Mirror of ``torch.autograd.functional.jvp``: :math:`J v` at ``inputs``.

    As in torch this is the backward of the backward, so that functions with a reverse rule only can take part;
    ``jax.jvp`` is the direct way.

    Args:
        func: takes the arrays of ``inputs``, returns an array or a tuple of arrays.
        inputs: an array or a tuple of arrays.
        v: as ``inputs``; may be left out when that is one number.
        create_graph: False cuts outputs and result off from the inputs.
        strict: raise if the output is independent of an input, instead of counting zeros for it.

    Returns:
        ``(func_output, jvp)``, both as ``func`` returns them.

    Raises:
        TypeError: an argument or output that is no array.
        RuntimeError: a ``v`` that does not fit; what strict mode finds.

    >>> import jax.numpy as jnp
    >>> jvp(lambda x: x**2, jnp.array([1.0, 2.0]), jnp.array([1.0, 1.0]))[1].tolist()
    [2.0, 4.0]
    """
    is_inputs_tuple, inputs = check.as_tuple(inputs, "inputs", "jvp")
    v = _input_vector(v, inputs, is_inputs_tuple, "jvp", "the input to the user-provided function")
    fn, was_tuple = check.tupled(func, "jvp")
    if strict:
        found = check.connections(fn, inputs)
        check.require_outputs(found)
        check.require_inputs(found, len(inputs))
        if create_graph:
            check.require_graph(check.connections(lambda *x: pushforward(fn, x, v)[1], inputs), "jacobian")
    outputs, result = pushforward(fn, inputs, v)
    return _finish(outputs, create_graph, was_tuple[0]), _finish(result, create_graph, was_tuple[0])


def vhp(
    func: Func,
    inputs: InexactTree,
    v: InexactTree | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[InexactTree, InexactTree]:
    r"""Mirror of ``torch.autograd.functional.vhp``: :math:`v^T H` of a scalar function at ``inputs``.

    Args:
        func: takes the arrays of ``inputs``, returns one array of one element.
        inputs: an array or a tuple of arrays.
        v: as ``inputs``; may be left out when that is one number.
        create_graph: False cuts outputs and result off from the inputs.
        strict: raise if the gradient is independent of an input.

    Returns:
        ``(func_output, vhp)``, the second like ``inputs``.

    Raises:
        TypeError: an argument or output that is no array.
        RuntimeError: an output of several elements, a ``v`` that does not fit; what strict mode finds.

    >>> import jax.numpy as jnp
    >>> vhp(lambda x: (x**3).sum(), jnp.array([1.0, 2.0]), jnp.array([1.0, 1.0]))[1].tolist()
    [6.0, 12.0]
    """
    outputs, grad, v, inputs, is_inputs_tuple = _scalar(func, inputs, v, strict, "vhp")
    if strict:
        found = check.connections(grad, inputs)
        check.require_jacobian(found)
        check.require_hessian(found, len(inputs), "input")
        if create_graph:
            check.require_graph(check.connections(lambda *x: pullback(grad, x)[1](v), inputs), "hessian")
    result = pullback(grad, inputs)[1](v)
    return _finish(outputs, create_graph, False), _finish(result, create_graph, is_inputs_tuple)


def hvp(
    func: Func,
    inputs: InexactTree,
    v: InexactTree | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[InexactTree, InexactTree]:
    r"""Mirror of ``torch.autograd.functional.hvp``: :math:`H v` of a scalar function at ``inputs``.

    Args:
        func: takes the arrays of ``inputs``, returns one array of one element.
        inputs: an array or a tuple of arrays.
        v: as ``inputs``; may be left out when that is one number.
        create_graph: False cuts outputs and result off from the inputs.
        strict: raise if the gradient is independent of an input.

    Returns:
        ``(func_output, hvp)``, the second like ``inputs``.

    Raises:
        TypeError: an argument or output that is no array.
        RuntimeError: an output of several elements, a ``v`` that does not fit; what strict mode finds.

    >>> import jax.numpy as jnp
    >>> hvp(lambda x: (x**3).sum(), jnp.array([1.0, 2.0]), jnp.array([1.0, 1.0]))[1].tolist()
    [6.0, 12.0]
    """
    outputs, grad, v, inputs, is_inputs_tuple = _scalar(func, inputs, v, strict, "hvp")
    if strict:
        found = check.connections(grad, inputs)
        check.require_jacobian(found)
        check.require_hessian(found, len(inputs), "grad_jacobian")
        if create_graph:
            check.require_graph(check.connections(lambda *x: pushforward(grad, x, v)[1], inputs), "hessian")
    result = pushforward(grad, inputs, v)[1]
    return _finish(outputs, create_graph, False), _finish(result, create_graph, is_inputs_tuple)


def jacobian(
    func: Func,
    inputs: InexactTree,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> InexactTree:
    """Mirror of ``torch.autograd.functional.jacobian``.

    One row after the other is one backward after the other, nothing compiled for it; inside of ``jit`` it is a loop.

    Args:
        func: takes the arrays of ``inputs``, returns an array or a tuple of arrays.
        inputs: an array or a tuple of arrays.
        create_graph: False cuts the result off from the inputs.
        strict: raise if an output is independent of an input, instead of returning zeros.
        vectorize: all rows at once by ``vmap``; False computes one after the other, in less memory.
        strategy: 'reverse-mode' row by row, or 'forward-mode' column by column (with ``vectorize=True`` only).

    Returns:
        An array of shape ``output.shape + input.shape``; with several inputs a tuple of them, with several outputs a
        tuple of those.

    Raises:
        TypeError: an argument or output that is no array.
        RuntimeError: strict mode together with vectorize or forward mode; what strict mode finds; without
            ``vectorize`` a complex output ("grad can be implicitly created only for real scalar outputs") or an empty
            one.
        NotImplementedError: forward mode without ``vectorize=True``, or with ``create_graph=True``.

    >>> import jax.numpy as jnp
    >>> jacobian(lambda x: jnp.stack([x.sum(), x[0]]), jnp.array([1.0, 2.0])).tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode" and create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strategy == "forward-mode" and strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    is_inputs_tuple, inputs = check.as_tuple(inputs, "inputs", "jacobian")
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is"
            "only implemented for `vectorize=True`."
        )
    fn, was_tuple = check.tupled(func, "jacobian")
    if strict:
        check.require_outputs(check.connections(fn, inputs))
        if vectorize:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported together. "
                "Please either set `strict=False` or `vectorize=False`."
            )
        _require_full_jacobian(fn, inputs, create_graph)
    blocks = by_columns(fn, inputs) if strategy == "forward-mode" else by_rows(fn, inputs, vectorize)
    if not create_graph:
        blocks = jax.lax.stop_gradient(blocks)
    rows = tuple(row if is_inputs_tuple else row[0] for row in blocks)
    return rows if was_tuple[0] else rows[0]


def hessian(
    func: Func,
    inputs: InexactTree,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> InexactTree:
    """Mirror of ``torch.autograd.functional.hessian``: the jacobian of the gradient of a scalar function.

    Args:
        func: takes the arrays of ``inputs``, returns one array of one element.
        inputs: an array or a tuple of arrays.
        create_graph: False cuts the result off from the inputs.
        strict: raise if the function or its gradient is independent of an input, instead of returning zeros.
        vectorize: all rows of the outer jacobian at once by ``vmap``.
        outer_jacobian_strategy: 'reverse-mode', or 'forward-mode' (with ``vectorize=True`` only).

    Returns:
        An array of shape ``input.shape + input.shape``; with several inputs a tuple of tuples of
        ``input_i.shape + input_j.shape``.

    Raises:
        TypeError: an argument or output that is no array.
        RuntimeError: an output of several elements; what strict mode finds.

    >>> import jax.numpy as jnp
    >>> hessian(lambda x: (x**3).sum(), jnp.array([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    is_inputs_tuple, inputs = check.as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    fn, was_tuple = check.tupled(func, "hessian")

    def scalar(*inputs: Array) -> Arrays:
        outputs = fn(*inputs)
        check.single_output(outputs, was_tuple[0], "hessian")
        return (outputs[0].reshape(()),)

    def gradient(*inputs: Array) -> Arrays:
        return pullback(scalar, inputs)[1](None)

    if strict:
        check.require_outputs(check.connections(scalar, inputs))
        check.require_jacobian(check.connections(gradient, inputs))
    blocks = jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return blocks if is_inputs_tuple else blocks[0][0]


def _input_vector(v: Any, inputs: Arrays, is_tuple: bool, fn_name: str, of: str) -> Arrays | None:
    if v is not None:
        vector = check.as_tuple(v, "v", fn_name)[1]
        check.validate_v(vector, inputs, is_tuple)
        return vector
    if len(inputs) != 1 or inputs[0].size != 1:
        raise RuntimeError(f"The vector v can only be None if {of} is a single Tensor with a single element.")
    return None


def _scalar(func: Func, inputs: Any, v: Any, strict: bool, fn_name: str) -> Any:
    """What ``vhp`` and ``hvp`` share: the output, its gradient as a function, and the checked arguments."""
    is_inputs_tuple, inputs = check.as_tuple(inputs, "inputs", fn_name)
    v = _input_vector(v, inputs, is_inputs_tuple, fn_name, "the input to the user-provided function")
    fn, was_tuple = check.tupled(func, fn_name)
    outputs = fn(*inputs)
    if strict:
        found = check.connections(fn, inputs)
        check.require_outputs(found)
    check.single_output(outputs, was_tuple[0], fn_name)
    if strict:
        check.require_inputs(found, len(inputs))
    return outputs, lambda *x: pullback(fn, x)[1](None), v, inputs, is_inputs_tuple


def _require_full_jacobian(fn: Callable[..., Arrays], inputs: Arrays, create_graph: bool) -> None:
    for i, reach in enumerate(check.connections(fn, inputs)):
        for j in range(len(inputs)):
            if not reach.defined >> j & 1:
                raise RuntimeError(
                    f"Output {i} of the user-provided function is independent of input {j}. "
                    "This is not allowed in strict mode."
                )
        if create_graph:
            grads = check.connections(lambda *x, i=i: pullback(lambda *x: (fn(*x)[i],), x)[1](None), inputs)
            if not all(grads):  # torch names the output here
                check.refuse_graph("jacobian", i)


def _finish(arrays: Arrays, create_graph: bool, is_tuple: bool) -> Any:
    if not create_graph:
        arrays = jax.lax.stop_gradient(arrays)
    return arrays if is_tuple else arrays[0]
