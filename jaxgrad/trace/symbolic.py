"""Torch's symbolic sizes as forms of ours: what the axes of the arrays of a batch are called, and what holds.

Torch calls the sizes s0, s1, ... while it traces, and notes what it took for granted on the way (a branch such as
``batch < 16``, two sizes that must be equal): its guards. The graph is that of every batch that fulfils them.
"""

from collections.abc import Mapping
from typing import Any

from jaxgrad.trace.sizes import Form, Size, symbols


class NoForm(Exception):
    """A number that no form here expresses; the module is then traced for one shape."""


_NAMES = {
    "Add": "add",
    "Mul": "mul",
    "Max": "max",
    "Min": "min",
    "Pow": "pow",
    "PowByNatural": "pow",
    "FloatPow": "pow",
    "FloorDiv": "floordiv",
    "CleanDiv": "floordiv",
    "CeilDiv": "ceildiv",
    "Mod": "mod",
    "PythonMod": "mod",
    "IntTrueDiv": "truediv",
    "FloatTrueDiv": "truediv",
    "ToFloat": "float",
    "FloorToInt": "floor",
    "CeilToInt": "ceil",
    "TruncToInt": "trunc",
    "RoundToInt": "round",
    "OpaqueUnaryFn_sqrt": "sqrt",
    "OpaqueUnaryFn_log": "log",
    "OpaqueUnaryFn_log2": "log2",
    "OpaqueUnaryFn_exp": "exp",
    "Equality": "eq",
    "Unequality": "ne",
    "StrictLessThan": "lt",
    "LessThan": "le",
    "StrictGreaterThan": "gt",
    "GreaterThan": "ge",
    "And": "and",
    "Or": "or",
    "Not": "not",
    "Where": "where",
}
"""Torch's and sympy's classes of expressions by our names."""


def fakes(leaves: list[Any], free: list[set[int]]) -> tuple[list[Any], Any]:
    """Tensors without values whose ``free`` axes have a name in place of a size, and torch's record of the names."""
    from torch._dynamo.source import ConstantSource
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

    record = ShapeEnv(duck_shape=False)
    mode = FakeTensorMode(shape_env=record, allow_non_fake_inputs=True)
    made = []
    for place, each in enumerate(leaves):
        sizes: list[Any] = [
            DimDynamic.DYNAMIC if axis in free[place] else DimDynamic.STATIC for axis in range(each.dim())
        ]
        context: Any = StatelessSymbolicContext(dynamic_sizes=sizes)
        made.append(mode.from_tensor(each, source=ConstantSource(f"input {place}"), symbolic_context=context))
    return made, record


def number(value: Any) -> Any:
    """A number of torch's, as a ``Size`` where it depends on the batch.

    Raises:
        NoForm: it depends on values, as the number of places where a mask holds.
    """
    node = getattr(value, "node", None)
    if node is None:
        return value
    expression = node.shape_env.replace(node.expr)
    if not expression.free_symbols <= node.shape_env.backed_var_to_val.keys():
        raise NoForm(f"{expression}, which depends on values")
    form = form_of(expression)
    return Size(form) if symbols(form) else form


def hint(value: Any) -> int:
    """The number that the example has."""
    node = getattr(value, "node", None)
    return int(value if node is None else node.hint)


def is_symbolic(value: Any) -> bool:
    """Whether a value of torch's is a number that it has a name or an expression for."""
    from torch import SymBool, SymFloat, SymInt

    return isinstance(value, SymInt | SymFloat | SymBool)


def guards(record: Any) -> tuple[Size, ...]:
    """What must hold of the sizes for a graph to be theirs; 0 and 1 are sizes of their own in torch."""
    forms: dict[Form, None] = {}
    for each in (*record.guards, *(found for kept in record.deferred_runtime_asserts.values() for found in kept)):
        forms[form_of(record.replace(each.expr))] = None
    for symbol, bounds in record.var_to_range.items():
        name = form_of(record.replace(symbol))
        for rule, bound in (("ge", bounds.lower), ("le", bounds.upper)):
            if getattr(bound, "is_Integer", False):
                forms[rule, name, int(bound)] = None
    return tuple(Size(form) for form in forms if symbols(form))


def examples(record: Any) -> Mapping[str, int]:
    """The sizes of the example by name."""
    free = {str(symbol): symbol for symbol in record.backed_var_to_val if record.replace(symbol) == symbol}
    return {name: int(record.backed_var_to_val[symbol]) for name, symbol in free.items()}


def form_of(expression: Any) -> Form:
    """The form of an expression of sympy's.

    Raises:
        NoForm: there is none.
    """
    kind = type(expression).__name__
    if expression.is_Symbol:
        return str(expression)
    if expression.is_Integer:
        return int(expression)
    if expression.is_Rational:
        return "truediv", int(expression.p), int(expression.q)
    if expression.is_Float:
        return float(expression)
    if kind in ("BooleanTrue", "BooleanFalse"):
        return int(bool(expression))
    if kind == "Identity":
        return form_of(expression.args[0])
    if kind not in _NAMES:
        raise NoForm(f"{kind} of the size of a batch")
    return _NAMES[kind], *(form_of(each) for each in expression.args)
