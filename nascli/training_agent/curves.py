"""Training curves for TensorBoard, an extra."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from nascli.extras import need


class Curves(AbstractContextManager["Curves"]):
    """Writes numbers by step into `folder`, all of them by the end of the block; does nothing where it is None.

    Args:
        after: the step that a resumed training goes on from; what an interrupted one wrote behind it is void.

    Raises:
        UsageError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path | None, after: int = 0) -> None:
        self._writer: Any = None
        if folder is not None:
            need("tensorboard: true", "tensorboard", instead="leave tensorboard off")
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=after + 1 if after else None)

    def add(self, step: int, **values: float | None) -> None:
        """One point of each curve."""
        for name, value in values.items():
            if self._writer is not None and value is not None:
                self._writer.add_scalar(name, value, step)

    def __exit__(self, *error: object) -> None:
        """Write what waits, however the training ended."""
        if self._writer is not None:
            self._writer.close()
