"""Pickles made to do harm, instruction by instruction, and what is said of each; beside a storage of three floats."""


def integer(value: int) -> bytes:
    """An instruction that makes an integer."""
    return b"\x8a\x0a" + value.to_bytes(10, "little", signed=True)


def numbers(*values: int) -> bytes:
    """Instructions that make a tuple of integers."""
    return b"(" + b"".join(integer(value) for value in values) + b"t"


STORAGE = b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x03tQ"
HOOKS = b"\x89ccollections\nOrderedDict\n)RtR."


def tensor(offset: bytes, shape: bytes, strides: bytes, storage: bytes = STORAGE) -> bytes:
    """Instructions that make a tensor of the storage."""
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + storage + offset + shape + strides + HOOKS


PROGRAMS = {
    "renamed through Python 2's names": (
        b"c__builtin__\neval\nX\x01\x00\x00\x001\x85R.",
        "GLOBAL eval was not an allowed",
    ),
    "a name with dots": (b"ctorch\nserialization.os.system\nX\x01\x00\x00\x001\x85R.", "was not an allowed global"),
    "a name with a null": (b"ctorch\x00\nSize\n)R.", "was not an allowed global"),
    "a name in another script": ("cbuiltins\nеval\n)R.".encode(), "was not an allowed global"),
    "a name without an end": (b"c" + b"a" * 5000, "a name without an end"),
    "a name that is a number": (b"K\x01K\x02\x93.", "STACK_GLOBAL requires str"),
    "INST": (b"(ios\nsystem\n.", "Unsupported operand 105"),
    "OBJ": (b"(cos\nsystem\no.", "blocked|Unsupported operand"),
    "EXT1": (b"\x82\x01.", "Unsupported operand 130"),
    "a call of what is no function": (b"K\x01)R.", "Trying to call reduce for unrecognized function <class 'int'>"),
    "a call of a storage class": (b"ctorch\nFloatStorage\n)R.", "Trying to call reduce"),
    "a call of a dtype": (b"ctorch\nfloat32\n)R.", "Trying to call reduce"),
    "a new object of a list": (b"])\x81.", "Can only create new object"),
    "attributes of a list": (b"]}b.", "Can only build"),
    "attributes that hide methods": (
        b"ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb.",
        "hides one of Python's",
    ),
    "items of a list": (b"]K\x01K\x02s.", "Can only SETITEMS"),
    "elements of a dict": (b"}K\x01a.", "Can only append to lists"),
    "a list as a key": (b"}]K\x01s.", "unhashable type: 'list'"),
    "a key whose hash never ends": (b")" + b"q\x00h\x00\x86" * 60 + b"q\x01}h\x01K\x01s.", "unhashable type"),
    "a memo that is not there": (b"h\x07.", "damaged"),
    "a stack that is empty": (b"R.", "damaged"),
    "a mark that is not there": (b"t.", "damaged"),
    "no end": (b"K\x01", "damaged"),
    "a string longer than the file": (b"X\xff\xff\xff\xffabc.", "Ran out of input"),
    "bytes longer than memory": (b"\x8e" + b"\xff" * 8 + b"abc.", "Ran out of input"),
    "a bytearray of a number": (
        b"c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        "bytearray",
    ),
    "a complex of strings": (b"c__builtin__\ncomplex\nX\x01\x00\x00\x001\x85R.", "given what it does not take"),
    "bytes of a dangerous codec": (
        b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00zip\x86R.",
        "unknown encoding",
    ),
    "a size of strings": (b"ctorch\nSize\n]X\x01\x00\x00\x00aa\x85R.", "torch.Size"),
    "a storage that is a module": (b"(X\x06\x00\x00\x00moduleK\x01tQ.", "Only persistent_load of storage"),
    "a storage of a path": (
        STORAGE.replace(b"\x01\x00\x00\x000", b"\x0f\x00\x00\x00../../etc/hosts") + b".",
        "failed locating file data/../../etc/hosts",
    ),
    "a storage that lies about its length": (
        tensor(integer(0), numbers(4), numbers(1), STORAGE.replace(b"K\x03tQ", b"K\x04tQ")),
        "another length",
    ),
    "a tensor beyond its storage": (tensor(integer(0), numbers(4), numbers(1)), "out of bounds for storage of size 12"),
    "an offset beyond": (tensor(integer(1), numbers(3), numbers(1)), "storage offset 1, .* out of bounds"),
    "strides beyond": (tensor(integer(0), numbers(2), numbers(3)), "out of bounds"),
    "negative strides": (tensor(integer(0), numbers(2), numbers(-1)), "overflowed"),
    "a negative offset": (tensor(integer(-1), numbers(2), numbers(1)), "overflowed"),
    "sizes whose product overflows": (tensor(integer(0), numbers(2**62, 2**62), numbers(1, 1)), "out of bounds"),
    "an expansion to exabytes": (tensor(integer(0), numbers(2**60), numbers(0)), "absurdly large"),
    "as many dimensions as numpy has not": (tensor(integer(0), numbers(*[1] * 70), numbers(*[1] * 70)), "strides and"),
    "sizes that are floats": (tensor(integer(0), b"G" + b"\x00" * 8 + b"\x85", numbers(1)), "overflowed"),
    "a list in itself": (b"]q\x00h\x00a.", "contains itself"),
    "ten thousand levels": (b"]" * 10000 + b"a" * 9999 + b".", "nested deeper than 200 levels"),
    "a billion laughs": (b"]" + b"q\x00(h\x00h\x00h\x00h\x00l".replace(b"l", b"t") * 60 + b".", "unfolds to more than"),
    "a later protocol": (b"\x80\x09K\x01.", "unsupported pickle protocol: 9"),
    "quantized numbers": (STORAGE.replace(b"FloatStorage", b"QInt8Storage") + b".", "quantized"),
}
