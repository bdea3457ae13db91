"""A file that is there whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[str]:
    """A name beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    What was written is on the disk before the old file goes, so whoever looks, after whatever interruption, finds the
    old file or the new one. If the block raises, the old file stays and what was begun is removed. (A killed process
    leaves its ``.NAME.XXXXXXXX.tmp`` behind, which nothing reads.) A link stays a link.

    Raises:
        IsADirectoryError: the path is a directory.
        FileNotFoundError: there is no such folder.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "numbers")
    ...     with replacing(path) as temporary:
    ...         _ = pathlib.Path(temporary).write_text("1 2 3")
    ...     path.read_text(), len(list(pathlib.Path(folder).iterdir()))
    ('1 2 3', 1)
    """
    target = os.path.realpath(os.fspath(path))
    if os.path.isdir(target):
        raise IsADirectoryError(f"{os.fspath(path)} is a directory")
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):  # whoever writes might say it in words of its own
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(path))
    temporary = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        sync(temporary)
        with suppress(FileNotFoundError):
            os.chmod(temporary, stat.S_IMODE(os.stat(target).st_mode))
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync(folder)


def sync(path: str) -> None:
    """Have a file, or the entries of a folder, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
