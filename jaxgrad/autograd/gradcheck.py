"""``gradcheck``: are the derivatives of a function those of its values? After ``torch.autograd.gradcheck``.

Every derivative rule that somebody wrote by hand wants this test. It is torch's, with torch's tolerances: at the
defaults (``rtol`` 1e-3) an error of a tenth of a percent lies on the border; ask for ``rtol=1e-4`` to catch it with
certainty.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgrad.autograd._functional.products import pullback
from jaxgrad.autograd._gradcheck import jacobian as jacobian
from jaxgrad.autograd._gradcheck import messages as messages
from jaxgrad.autograd._gradcheck.extra import (
    check_batched_backward,
    check_batched_forward,
    check_multiplied_by_grad_output,
    check_undefined_grads,
)
from jaxgrad.autograd._gradcheck.jacobian import Tested, differentiable, of_differentiable
from jaxgrad.autograd._gradcheck.messages import GradcheckError

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    r"""Mirror of ``torch.autograd.gradcheck``: finite differences against the derivatives of ``func``.

    :math:`|J - J_{num}| \le \mathrm{atol} + \mathrm{rtol}\,|J_{num}|` for every element, where
    :math:`J_{num} = (f(x + \epsilon) - f(x - \epsilon)) / 2\epsilon`.

    Differs from torch: there is no ``requires_grad``, every floating point or complex array among ``inputs`` is
    checked. The random vectors of fast mode are fixed ones of numpy's.

    Args:
        func: takes the values of ``inputs``, returns an array or a tuple of arrays.
        inputs: an array or a tuple; arrays in double precision, anything else is passed on as it is.
        eps: step of the finite differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: False returns False where the check fails.
        nondet_tol: how far two runs of the same backward may differ.
        check_undefined_grad: whether backward works when nothing depends on one of several outputs.
        check_grad_dtypes: whether gradients have the dtype of their input.
        check_batched_grad: whether the backward can be batched with ``vmap``.
        check_batched_forward_grad: the same for forward mode.
        check_forward_ad: also check forward mode.
        check_backward_ad: check reverse mode.
        fast_mode: compare :math:`v^T J u` for random u and v instead of every element.
        masked: must be False, since there are no sparse arrays.

    Returns:
        True if all differences are within the tolerances.

    Raises:
        GradcheckError: the check failed.
        ValueError: no input that can be differentiated, or ``masked=True``.

    >>> with jax.enable_x64(True):
    ...     gradcheck(jnp.sin, jnp.array([0.1, 0.2]))
    True
    """
    for wanted, needed, sentence in (
        (True, check_forward_ad or check_backward_ad, messages.ONE_DIRECTION),
        (check_batched_grad, check_backward_ad, messages.BATCHED_NEEDS_BACKWARD),
        (check_batched_forward_grad, check_forward_ad, messages.BATCHED_FORWARD_NEEDS_FORWARD),
    ):
        if wanted and not needed:
            raise AssertionError(sentence)
    messages.refuse_masked(masked)
    arguments = inputs if isinstance(inputs, tuple) else tuple(inputs) if isinstance(inputs, list) else (inputs,)
    _check_inputs(arguments)
    f, _ = of_differentiable(func, arguments)
    compare = _Comparison(eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    try:
        if check_backward_ad:
            for part, name, indices in _parts_of_outputs(f):
                compare.backward(part, name, indices)
        if check_forward_ad:
            for part, name, indices in _parts_of_inputs(f):
                compare.forward(part, name, indices)
        if check_batched_forward_grad:
            check_batched_forward(f)
        if check_backward_ad:
            if check_batched_grad:
                check_batched_backward(f)
            check_multiplied_by_grad_output(f)
            if check_undefined_grad:
                check_undefined_grads(f)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Mirror of ``torch.autograd.gradgradcheck``: ``gradcheck`` of the gradients of ``func``.

    Output k of the checked function is the gradient by the k-th differentiable input (torch leaves out those that
    are None and counts the rest). ``grad_outputs`` that are not given are drawn from [-1, 1] by a fixed generator of
    numpy's.

    Args:
        func: takes the values of ``inputs``, returns an array or a tuple of arrays.
        inputs: an array or a tuple; arrays in double precision.
        grad_outputs: one array for each output; random where left out.
        eps: step of the finite differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        gen_non_contig_grad_outputs: must be False, since arrays have no strides.
        raise_exception: False returns False where the check fails.
        nondet_tol: how far two runs of the same backward may differ.
        check_undefined_grad: as in ``gradcheck``.
        check_grad_dtypes: as in ``gradcheck``.
        check_batched_grad: as in ``gradcheck``.
        check_fwd_over_rev: check forward mode over the backward.
        check_rev_over_rev: check reverse mode over the backward.
        fast_mode: as in ``gradcheck``.
        masked: must be False.

    Returns:
        True if all differences are within the tolerances.

    Raises:
        GradcheckError: the check failed.
        ValueError: an argument that has no meaning here.

    >>> with jax.enable_x64(True):
    ...     gradgradcheck(jnp.sin, jnp.array([0.1, 0.2]))
    True
    """
    for wanted, needed, sentence in (
        (True, check_fwd_over_rev or check_rev_over_rev, messages.ONE_SECOND_DIRECTION),
        (check_undefined_grad, check_rev_over_rev, messages.UNDEFINED_NEEDS_REVERSE),
        (check_batched_grad, check_rev_over_rev, messages.BATCHED_NEEDS_REVERSE),
    ):
        if wanted and not needed:
            raise AssertionError(sentence)
    if gen_non_contig_grad_outputs:
        raise ValueError("gen_non_contig_grad_outputs=True has no meaning here: JAX arrays have no strides")
    arguments = inputs if isinstance(inputs, tuple) else tuple(inputs) if isinstance(inputs, list) else (inputs,)
    f, _ = of_differentiable(func, arguments)
    if grad_outputs is None:
        given = _random_cotangents(f.outputs())
    else:
        given = tuple(grad_outputs) if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)

    def gradients(*both: Any) -> tuple[Any, ...]:
        n = len(f.inputs)
        return pullback(f.fn, both[:n])[1](tuple(jnp.asarray(each) for each in both[n:]))

    return gradcheck(
        jacobian.compiled(gradients, f.inputs + given),
        f.inputs + given,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


class _Comparison:
    """Numerical against analytical Jacobians under one set of tolerances."""

    def __init__(self, eps: float, atol: float, rtol: float, nondet_tol: float, dtypes: bool, fast: bool) -> None:
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.nondet_tol, self.dtypes, self.fast = nondet_tol, dtypes, fast

    def backward(self, f: Tested, part: str, complex_outputs: Sequence[int]) -> None:
        outputs, pull = pullback(f.fn, f.inputs)
        self._attributes(f, outputs, pull)
        if self.fast:
            u, v = jacobian.random_vectors(f.inputs), jacobian.random_vectors(outputs)
            numeric = [
                [
                    np.dot(w, d)
                    for w, d in zip(v, jacobian.directional(f, i, _shaped(each, like), self.eps), strict=True)
                ]
                for i, (each, like) in enumerate(zip(u, f.inputs, strict=True))
            ]
            analytic: list[list[Any]] = [[] for _ in f.inputs]
            for j, (w, like) in enumerate(zip(v, outputs, strict=True)):
                cotangents = [jnp.zeros_like(each) for each in outputs]
                cotangents[j] = jnp.asarray(_shaped(w, like), like.dtype)
                for block, grad, each in zip(analytic, pull(tuple(cotangents)), u, strict=True):
                    block.append(np.real(np.vdot(np.asarray(grad).reshape(-1), each)))
            scale = [[_sum(each) * _sum(w) for w in v] for each in u]
        else:
            numeric, analytic = jacobian.numerical(f, self.eps), jacobian.by_rows(f)
            scale = [[1.0] * len(outputs) for _ in f.inputs]
        self._equal(f, numeric, analytic, scale, part, complex_outputs, forward=False)

    def forward(self, f: Tested, part: str, complex_inputs: Sequence[int]) -> None:
        if self.fast:
            u = jacobian.random_vectors(f.inputs)
            shaped = [_shaped(each, like) for each, like in zip(u, f.inputs, strict=True)]
            numeric = [jacobian.directional(f, i, each, self.eps) for i, each in enumerate(shaped)]
            analytic = [
                [np.asarray(out).reshape(-1) for out in jacobian.pushed(f, i, jnp.asarray(each, f.inputs[i].dtype))]
                for i, each in enumerate(shaped)
            ]
            scale = [[_sum(each)] * len(row) for each, row in zip(u, numeric, strict=True)]
        else:
            numeric, analytic = jacobian.numerical(f, self.eps), jacobian.by_columns(f)
            scale = [[1.0] * len(row) for row in numeric]
        self._equal(f, numeric, analytic, scale, part, complex_inputs, forward=True)

    def _attributes(self, f: Tested, outputs: Sequence[Any], pull: Callable[[Any], Any]) -> None:
        for j, output in enumerate(outputs):
            for k in range(min(output.size, 1) if self.fast else output.size):
                cotangent = jacobian.unit_cotangent(outputs, j, k)
                for once, twice, like in zip(pull(cotangent), pull(cotangent), f.inputs, strict=True):
                    if self.dtypes and once.dtype != like.dtype:
                        raise GradcheckError("Gradient has dtype mismatch")
                    # as torch turns it: two nan are no difference here, and a mismatch later on
                    if once.size and np.max(np.abs(np.asarray(once) - np.asarray(twice))) > self.nondet_tol:
                        raise GradcheckError(messages.not_reentrant(self.nondet_tol))

    def _equal(
        self,
        f: Tested,
        numeric: Any,
        analytic: Any,
        scale: Any,
        part: str,
        complexes: Sequence[int],
        *,
        forward: bool,
    ) -> None:
        pairs = [(j, i) for i in range(len(numeric)) for j in range(len(numeric[i]))]
        for j, i in pairs if forward else sorted(pairs):
            a, n = np.asarray(analytic[i][j]), np.asarray(numeric[i][j])
            if np.allclose(a, n, self.rtol, self.atol * scale[i][j]):
                continue
            is_complex = (i if forward else j) in complexes
            sentence = messages.mismatch(j, i, n, a, part=part if is_complex else "", forward=forward)
            if self.fast:
                slow_n = jacobian.numerical(f, self.eps)[i][j]
                slow_a = (jacobian.by_columns(f) if forward else jacobian.by_rows(f))[i][j]
                sentence += messages.in_slow_mode(
                    slow_n, slow_a, bool(np.allclose(slow_a, slow_n, self.rtol, self.atol))
                )
            raise GradcheckError(sentence)


def _check_inputs(arguments: Sequence[Any]) -> None:
    found = [i for i, each in enumerate(arguments) if differentiable(each)]
    for i in found:
        if jnp.result_type(arguments[i]) not in (jnp.float64, jnp.complex128):
            warnings.warn(messages.not_double(i), stacklevel=3)
    if not found:
        raise ValueError(messages.NOTHING_TO_CHECK)


def _parts_of_outputs(f: Tested) -> list[tuple[Tested, str, list[int]]]:
    """The function itself, or for complex outputs its imaginary and its real part."""
    complexes = [j for j, output in enumerate(f.outputs()) if jnp.iscomplexobj(output)]
    if not complexes:
        return [(f, "", [])]

    def part(of: Callable[[Any], Any]) -> Callable[..., tuple[Any, ...]]:
        return lambda *inputs: tuple(of(each) if jnp.iscomplexobj(each) else each for each in f.fn(*inputs))

    return [
        (Tested(part(jnp.imag), f.inputs), "imaginary", complexes),
        (Tested(part(jnp.real), f.inputs), "real", complexes),
    ]


def _parts_of_inputs(f: Tested) -> list[tuple[Tested, str, list[int]]]:
    """The function itself, or for complex inputs the functions of their imaginary and of their real parts."""
    complexes = [i for i, each in enumerate(f.inputs) if jnp.iscomplexobj(each)]
    if not complexes:
        return [(f, "", [])]

    def imaginary(*parts: Any) -> tuple[Any, ...]:
        return f.fn(*(jax.lax.complex(x.real, p) if i in complexes else p for i, (x, p) in _pairs(f.inputs, parts)))

    def real(*parts: Any) -> tuple[Any, ...]:
        return f.fn(*(jax.lax.complex(p, x.imag) if i in complexes else p for i, (x, p) in _pairs(f.inputs, parts)))

    of_imaginary = tuple(x.imag if i in complexes else x for i, x in enumerate(f.inputs))
    of_real = tuple(x.real if i in complexes else x for i, x in enumerate(f.inputs))
    return [
        (Tested(imaginary, of_imaginary), "imaginary", complexes),
        (Tested(real, of_real), "real", complexes),
    ]


def _pairs(inputs: Sequence[Any], parts: Sequence[Any]) -> Any:
    return enumerate(zip(inputs, parts, strict=True))


def _shaped(vector: np.ndarray, like: Any) -> np.ndarray:
    return vector.reshape(like.shape)


def _sum(vector: np.ndarray) -> float:
    return float(np.sum(vector.real) + np.sum(vector.imag))


def _random_cotangents(outputs: Sequence[Any]) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    found = []
    for output in outputs:
        values = rng.uniform(-1, 1, output.shape)
        if jnp.iscomplexobj(output):
            values = values + 1j * rng.uniform(-1, 1, output.shape)
        found.append(jnp.asarray(values, output.dtype))
    return tuple(found)
