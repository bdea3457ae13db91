"""Downloading, which happens only when somebody asks for it: one attempt, checked, or one sentence."""

import hashlib
import os
import tempfile
import urllib.request
from pathlib import Path

from experiments.common.datasets import prepared
from experiments.common.datasets.catalog import CATALOG, Download, ways_to_get
from experiments.common.datasets.errors import DataUnavailable


def download(name: str, data: str | Path | None = None, *, timeout: float = 20.0) -> Path:
    """Fetch the original files of a data set and prepare them; gives the prepared directory.

    Files that are there already, with the right checksum, are not fetched again.

    Args:
        name: a name of the catalog.
        data: the data directory; None is the user's own.
        timeout: seconds without an answer after which the attempt is given up.

    Raises:
        DataUnavailable: the network does not give the files, or gives other ones.
    """
    data_dir = prepared.default_data_dir() if data is None else Path(data).expanduser()
    directory = prepared.find_prepared(name, data_dir)
    if directory is not None:
        return directory
    folder = data_dir / "downloads" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in CATALOG[name].downloads:
        try:
            _fetch(file, folder / file.file_name, timeout)
        except OSError as error:
            raise DataUnavailable(f"{file.url} cannot be had ({error}): {ways_to_get(name)}") from error
    return prepared.prepare(name, folder, data_dir)


def _fetch(file: Download, path: Path, timeout: float) -> None:
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256:
        return
    digest = hashlib.sha256()
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as out, urllib.request.urlopen(file.url, timeout=timeout) as answer:
            total, done = int(answer.headers.get("Content-Length") or 0), 0
            while piece := answer.read(1 << 18):
                out.write(piece)
                digest.update(piece)
                done += len(piece)
                print(f"\r{file.file_name}: {done / 1e6:.1f} MB" + (f" of {total / 1e6:.1f}" if total else ""), end="")
        print()
        if digest.hexdigest() != file.sha256:
            raise OSError(f"the file that came has SHA-256 {digest.hexdigest()}, expected {file.sha256}")
        os.replace(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)
