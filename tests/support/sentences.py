"""Whether an error speaks to the caller, or lets Python's and JAX's own words through from deep inside."""

import re

FOREIGN = re.compile(
    r"not supported between instances|unsupported operand|has no attribute|is not iterable|is not subscriptable"
    r"|is not callable|cannot be interpreted as an integer|required positional argument|has no len"
    r"|not enough values to unpack|too many values to unpack|could not convert|invalid literal|must be real number"
    r"|unhashable type|Cannot stack|iteration over a 0-d|cannot convert float|Cannot interpret|not understood"
    r"|bad operand|can only concatenate|object does not support|inhomogeneous|truth value of an array"
    r"|is not a valid JAX (array )?type|Non-hashable|only 0-dimensional|Cannot determine dtype|got multiple values"
    r"|Abstract tracer|Error interpreting argument|argument must be a (string|bytes)|math domain|too large to convert"
    r"|tuple index out of range|list index out of range|setting an array element|does not accept dtype|int too big"
)


def foreign(error: BaseException) -> str | None:
    """The first line of an error if these are not our words, nor torch's; None if all is well."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return first if FOREIGN.search(first) or not str(error) else None


def complaint(fn, *args, **kwargs) -> str | None:
    """Call it: None if it works or says what is wrong, else what it says."""
    try:
        fn(*args, **kwargs)
    except (
        TypeError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        KeyError,
        AssertionError,
        IndexError,
        ZeroDivisionError,
    ) as error:
        said = foreign(error)
        return said and f"{type(error).__name__}: {said}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None
