"""The numbers of a run in TensorBoard's files."""

import os
from typing import Any

from jaxgrad._core.optional import require


class TensorBoard:
    """``log=`` of ``fit``: every number as a scalar, by tensorboardX.

    Args:
        folder: where the files go; ``tensorboard --logdir FOLDER`` shows them.
        options: further arguments of ``tensorboardX.SummaryWriter``.

    Raises:
        ImportError: tensorboardX is not installed: ``pip install 'jaxgrad[tensorboard]'``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, TensorBoard(folder) as log:
    ...     log(1, {"train/loss": 0.5})
    """

    def __init__(self, folder: str | os.PathLike[str], **options: Any):
        module = require("tensorboardX", extra="tensorboard", purpose="writing for TensorBoard")
        self._writer: Any = module.SummaryWriter(os.fspath(folder), **options)

    def __call__(self, step: int, values: dict[str, float]) -> None:
        """Numbers under their names, at a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Bring everything to the disk."""
        self._writer.close()

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()
