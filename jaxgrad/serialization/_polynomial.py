"""Checksums of two pieces put together, as arithmetic: where the library that does it is missing.

A CRC-32 is the rest of a polynomial over the field of two elements, divided by another of degree 32. So the rest of
bytes that ``n`` others follow is multiplied by ``x`` to the power of ``8 n``, and that of the others is added.
"""

from functools import cache

_DIVISOR = 0xEDB88320  # of degree 32; the highest of the 32 bits is the coefficient of x**0
_ONE = 1 << 31


def combine(first: int, second: int, size: int) -> int:
    """The checksum of two pieces of which these are the checksums, the second one ``size`` bytes long.

    >>> import zlib
    >>> combine(zlib.crc32(b"ja"), zlib.crc32(b"x"), 1) == zlib.crc32(b"jax")
    True
    """
    return _times(_shift(size), first) ^ second


@cache
def _shift(size: int) -> int:
    """``x ** (8 size)``, by squaring; pieces have few lengths."""
    power, square = _ONE, _ONE >> 8
    while size:
        if size & 1:
            power = _times(power, square)
        square = _times(square, square)
        size >>= 1
    return power


def _times(one: int, other: int) -> int:
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ (_DIVISOR if other & 1 else 0)  # times x
    return product
