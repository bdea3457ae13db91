"""A folder that is whole: every file is on the disk, and has the checksum that was written last."""

import json
import os
from collections.abc import Iterator

from jaxgrad.serialization._checksum import CHUNK, crc32
from jaxgrad.serialization.atomic import replacing, sync
from jaxgrad.serialization.errors import SerializationError

SEAL = "jaxgrad.sums"


class Unfinished(SerializationError):
    """A folder without checksums: whoever wrote it was interrupted."""


def is_sealed(folder: str) -> bool:
    """Whether the folder was finished."""
    return os.path.exists(os.path.join(folder, SEAL))


def seal(folder: str) -> None:
    """Have all files on the disk, and then their checksums: a folder without those was not finished."""
    sums = {name: checksum(os.path.join(folder, name)) for name in _files(folder)}
    for where, _, files in os.walk(folder):
        for path in [*(os.path.join(where, name) for name in files), where]:
            sync(path)
    sync(os.path.dirname(folder))
    with replacing(os.path.join(folder, SEAL)) as path, open(path, "w") as file:
        json.dump(sums, file)


def clear(folder: str) -> None:
    """Remove all files but the checksums: if that is cut off, the folder is still known as one to be removed."""
    for name in list(_files(folder)):
        os.unlink(os.path.join(folder, name))


def check_seal(folder: str) -> None:
    """Raise unless every file is what it was.

    Raises:
        Unfinished: the folder was not finished.
        SerializationError: a file is damaged or missing.
    """
    if not is_sealed(folder):
        raise Unfinished("it was not finished")
    try:
        with open(os.path.join(folder, SEAL)) as file:
            sums = json.load(file)
        for name, wanted in sums.items():
            if checksum(os.path.join(folder, name)) != wanted:
                raise SerializationError(f"the file {name} is damaged")
    except FileNotFoundError as error:
        raise SerializationError(f"the file {os.path.relpath(error.filename, folder)} is missing") from None
    except (OSError, ValueError, AttributeError) as error:
        raise SerializationError(f"its checksums cannot be read ({type(error).__name__})") from error


def checksum(path: str) -> int:
    """The CRC-32 of a file."""
    value = 0
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            value = crc32(chunk, value)
    return value


def _files(folder: str) -> Iterator[str]:
    for where, _, files in os.walk(folder):
        yield from (os.path.relpath(os.path.join(where, name), folder) for name in files if name != SEAL)
