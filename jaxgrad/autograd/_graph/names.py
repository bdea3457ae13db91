"""torch's ``grad_fn`` vocabulary for JAX's primitives and functions, as tables.

torch names the operation that was called; a jaxpr knows what it was lowered to. Three tables bring them together:
primitives that are one torch operation, JAX functions that are (recognised by the frame that called them), and
products of matrices, which torch reshapes and transposes around one kernel.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jaxgrad._jaxpr.unstable import Literal

Namer = Callable[[Any], str]


def _by_axes(everything: str, some: str) -> Namer:
    def name(eqn: Any) -> str:
        return everything if len(eqn.params["axes"]) == len(eqn.invars[0].aval.shape) else some

    return name


def _power(eqn: Any) -> str:
    base, exponent = eqn.invars
    if isinstance(exponent, Literal):
        return "PowBackward0"
    return "PowBackward2" if isinstance(base, Literal) else "PowBackward1"


def _subtract(eqn: Any) -> str:
    return "RsubBackward1" if isinstance(eqn.invars[0], Literal) else "SubBackward0"


def _transpose(eqn: Any) -> str:
    return "TBackward0" if eqn.params["permutation"] == (1, 0) else "PermuteBackward0"


def _grown(eqn: Any) -> str:
    operand, result = eqn.invars[0].aval, eqn.outvars[0].aval
    return "UnsqueezeBackward0" if operand.size == result.size else "ExpandBackward0"


PRIMITIVES: dict[str, str | Namer] = {
    "abs": "AbsBackward0",
    "acos": "AcosBackward0",
    "acosh": "AcoshBackward0",
    "add": "AddBackward0",
    "add_any": "AddBackward0",
    "asin": "AsinBackward0",
    "asinh": "AsinhBackward0",
    "atan": "AtanBackward0",
    "atan2": "Atan2Backward0",
    "atanh": "AtanhBackward0",
    "broadcast_in_dim": _grown,
    "ceil": "CeilBackward0",
    "cholesky": "LinalgCholeskyExBackward0",
    "clamp": "ClampBackward0",
    "complex": "ComplexBackward0",
    "concatenate": "CatBackward0",
    "conj": "ConjBackward0",
    "conv_general_dilated": "ConvolutionBackward0",
    "convert_element_type": "ToCopyBackward0",
    "copy": "CloneBackward0",
    "cos": "CosBackward0",
    "cosh": "CoshBackward0",
    "cumlogsumexp": "LogcumsumexpBackward0",
    "cummax": "CummaxBackward0",
    "cummin": "CumminBackward0",
    "cumprod": "CumprodBackward0",
    "cumsum": "CumsumBackward0",
    "digamma": "DigammaBackward0",
    "div": "DivBackward0",
    "dynamic_slice": "SliceBackward0",
    "dynamic_update_slice": "SliceScatterBackward0",
    "erf": "ErfBackward0",
    "erf_inv": "ErfinvBackward0",
    "erfc": "ErfcBackward0",
    "exp": "ExpBackward0",
    "exp2": "Exp2Backward0",
    "expm1": "Expm1Backward0",
    "floor": "FloorBackward0",
    "gather": "IndexBackward0",
    "imag": "ImagBackward0",
    "integer_pow": "PowBackward0",
    "lgamma": "LgammaBackward0",
    "log": "LogBackward0",
    "log1p": "Log1PBackward0",
    "logistic": "SigmoidBackward0",
    "max": "MaximumBackward0",
    "min": "MinimumBackward0",
    "mul": "MulBackward0",
    "neg": "NegBackward0",
    "pad": "ConstantPadNdBackward0",
    "pow": _power,
    "real": "RealBackward0",
    "reduce_max": _by_axes("MaxBackward1", "AmaxBackward0"),
    "reduce_min": _by_axes("MinBackward1", "AminBackward0"),
    "reduce_prod": _by_axes("ProdBackward0", "ProdBackward1"),
    "reduce_sum": _by_axes("SumBackward0", "SumBackward1"),
    "reduce_window_max": "MaxPool2DWithIndicesBackward0",
    "rem": "FmodBackward1",
    "reshape": "ViewBackward0",
    "rev": "FlipBackward0",
    "round": "RoundBackward0",
    "rsqrt": "RsqrtBackward0",
    "scatter": "IndexPutBackward0",
    "scatter_add": "IndexAddBackward0",
    "select_n": "WhereBackward0",
    "sign": "SignBackward0",
    "sin": "SinBackward0",
    "sinh": "SinhBackward0",
    "slice": "SliceBackward0",
    "sort": "SortBackward0",
    "split": "SplitBackward0",
    "sqrt": "SqrtBackward0",
    "square": "PowBackward0",
    "squeeze": "SqueezeBackward1",
    "stack": "StackBackward0",
    "sub": _subtract,
    "tan": "TanBackward0",
    "tanh": "TanhBackward0",
    "top_k": "TopkBackward0",
    "transpose": _transpose,
    "triangular_solve": "LinalgSolveTriangularBackward0",
}

NOTES: dict[str, str] = {
    "transpose": "torch: TBackward0 for t(), PermuteBackward0 for .T, TransposeBackward0 for transpose()",
    "reshape": "torch: ViewBackward0, or UnsafeViewBackward0 and CloneBackward0 where memory has to move",
    "reduce_max": "torch: MaxBackward0 for max(dim), which returns indices too",
    "reduce_min": "torch: MinBackward0 for min(dim), which returns indices too",
    "conv_general_dilated": "torch: the bias is part of the same node",
    "scan": "torch unrolls the loop: one node for each operation of each step (unroll= shows them)",
    "while": "torch unrolls the loop: one node for each operation of each step",
    "cond": "torch records the branch that was taken",
    "gather": "torch: IndexBackward0, GatherBackward0 or IndexSelectBackward0, by the function called",
}
"""What to know where JAX's operation and torch's are not one to one."""


def _take(region: Sequence[Any]) -> str | tuple[str, ...]:
    """``x[...]``: one node for every axis that was indexed, the first axis first."""
    found = {eqn.primitive.name: eqn for eqn in region}
    if "gather" in found:
        return "IndexBackward0"
    if list(found) == ["broadcast_in_dim"]:
        return "UnsqueezeBackward0"
    cut = found.get("slice") or found.get("dynamic_slice")
    if cut is None:
        return "SliceBackward0"
    shape, kept = cut.invars[0].aval.shape, cut.outvars[0].aval.shape
    selected = found["squeeze"].params["dimensions"] if "squeeze" in found else ()
    axes = [axis for axis in range(len(shape)) if axis in selected or kept[axis] != shape[axis]]
    return tuple("SelectBackward0" if axis in selected else "SliceBackward0" for axis in axes) or "SliceBackward0"


def _first(region: Sequence[Any], name: str) -> Any:
    return next((eqn for eqn in region if eqn.primitive.name == name), None)


def _mean(region: Sequence[Any]) -> str:
    total = _first(region, "reduce_sum")
    return "MeanBackward1" if total and len(total.params["axes"]) < len(total.invars[0].aval.shape) else "MeanBackward0"


def _reduced(region: Sequence[Any]) -> str:
    """A reduction, whose kept axes torch has no node for."""
    return primitive_name(next((eqn for eqn in region if eqn.primitive.name.startswith("reduce_")), region[0]))[0]


FUNCTIONS: dict[str, str | Callable[[Sequence[Any]], str | tuple[str, ...]]] = {
    "celu": "CeluBackward0",
    "clip": "ClampBackward1",
    "diagonal": "DiagonalBackward0",
    "elu": "EluBackward0",
    "gelu": "GeluBackward0",
    "glu": "GluBackward0",
    "hard_tanh": "HardtanhBackward0",
    "leaky_relu": "LeakyReluBackward0",
    "log_sigmoid": "LogSigmoidBackward0",
    "log_softmax": "LogSoftmaxBackward0",
    "logaddexp": "LogaddexpBackward0",
    "logsumexp": "LogsumexpBackward0",
    "max": _reduced,
    "mean": _mean,
    "min": _reduced,
    "mish": "MishBackward0",
    "norm": "LinalgVectorNormBackward0",
    "prod": _reduced,
    "relu": "ReluBackward0",
    "relu6": "HardtanhBackward0",
    "rewriting_take": _take,
    "selu": "EluBackward0",
    "silu": "SiluBackward0",
    "softmax": "SoftmaxBackward0",
    "softplus": "SoftplusBackward0",
    "std": "StdBackward0",
    "sum": _reduced,
    "take_along_axis": "GatherBackward0",
    "tile": "RepeatBackward0",
    "trace": "TraceBackward0",
    "var": "VarBackward0",
    "where": "WhereBackward0",
}
"""Functions of ``jax.numpy`` and ``jax.nn`` whose many equations are one operation in torch."""


def primitive_name(eqn: Any) -> tuple[str, str | None]:
    """torch's name for one equation, and a note where the two do not correspond one to one."""
    primitive = eqn.primitive.name
    found = PRIMITIVES.get(primitive)
    if found is None:
        words = primitive.replace("-", "_").split("_")
        invented = "".join(word.capitalize() for word in words) + "Backward"
        return invented, NOTES.get(primitive, "torch has no operation of this name")
    return (found if isinstance(found, str) else found(eqn)), NOTES.get(primitive)


def function_name(function: str, region: Sequence[Any]) -> str | tuple[str, ...]:
    """torch's name for a call of a JAX function; several where torch has a chain, the first operation first."""
    found = FUNCTIONS[function]
    return found if isinstance(found, str) else found(region)


class Product(NamedTuple):
    """A product of matrices as torch records it: what happens to each operand, the kernel, what happens after."""

    kernel: str
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    note: str | None = None


def product(eqn: Any, *, with_bias: bool = False, transposed: bool = False) -> Product:
    """torch's nodes for a ``dot_general``.

    Args:
        eqn: the equation.
        with_bias: whether it is a linear layer's, whose kernel adds the bias.
        transposed: whether the right operand was transposed before (a linear layer's weight).
    """
    (left_axes, right_axes), (left_batch, _) = eqn.params["dimension_numbers"]
    left, right = (atom.aval.ndim for atom in eqn.invars)
    if left_batch:
        shaped = ("ExpandBackward0", "ViewBackward0")
        if left == right == 3 and left_axes == (2,) and right_axes == (1,):
            return Product("BmmBackward0", shaped, shaped, ("UnsafeViewBackward0",))
        return Product("BmmBackward0", note="torch reshapes and permutes both operands around a bmm")
    if left == right == 1:
        return Product("DotBackward0")
    if left == 2 and right == 1 and left_axes == (1,):
        return Product("MvBackward0")
    if right != 2 or len(right_axes) != 1 or (left > 2 and left_axes != (left - 1,)):
        return Product("BmmBackward0", note="torch reshapes and permutes both operands around a bmm")
    kernel = "AddmmBackward0" if with_bias else "MmBackward0"
    weight = ("TBackward0",) if transposed or right_axes == (1,) else ()
    if left == 2:
        return Product(kernel, ("TBackward0",) if left_axes == (0,) else (), weight)
    if with_bias:
        return Product(kernel, ("ViewBackward0",), weight, ("ViewBackward0",))
    if left == 1:
        return Product(kernel, ("UnsqueezeBackward0",), weight, ("SqueezeBackward4",))
    return Product(kernel, ("ViewBackward0",), weight, ("UnsafeViewBackward0",))
