"""The two ways in which data can fail to come: it is nowhere, or it is there and broken."""

from pathlib import Path


class DataUnavailable(Exception):
    """The data set is nowhere to be found; the text says in one sentence how it can be had."""


class DamagedData(ValueError):
    """A file of the data set is there but cannot be right: cut off, of another format, or of another length."""

    def __init__(self, path: Path, what: str):
        super().__init__(f"{path} {what}")
        self.path = path
