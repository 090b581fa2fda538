"""The weights after some steps of a training, as files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from allotrope.process.carried_arrays import read_arrays

Arrays = Mapping[str, np.ndarray]


class StepFiles(Mapping[int, Arrays]):
    """The weights after some steps of a training, a file a step, read when asked for."""

    def __init__(self, folder: Path, steps: tuple[int, ...]) -> None:
        self.folder, self.steps = folder, steps

    def path(self, step: int) -> Path:
        """Where the weights after a step are."""
        return self.folder / f"step-{step:06d}.npz"

    def __getitem__(self, step: int) -> Arrays:
        if step not in self.steps:
            raise KeyError(step)
        return read_arrays(self.path(step))

    def __iter__(self) -> Iterator[int]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)
