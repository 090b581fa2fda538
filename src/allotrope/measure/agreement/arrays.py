"""Named arrays in one file: any dtype of ONNX, any name, in their order; nothing in it can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

Arrays = Mapping[str, np.ndarray]


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write an .npz file. NumPy's format has no bfloat16 and no smaller types: these are stored as float32, and say what they are."""
    names = np.array(list(arrays), dtype=str)
    dtypes = np.array([array.dtype.name for array in arrays.values()], dtype=str)
    stored = [array.astype(np.float32) if array.dtype.kind == "V" else array for array in arrays.values()]
    np.savez(path, *stored, names=names, dtypes=dtypes)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as file:
        pairs = zip(file["names"].tolist(), file["dtypes"].tolist(), strict=True)
        return {name: file[f"arr_{index}"].astype(_dtype(dtype), copy=False) for index, (name, dtype) in enumerate(pairs)}


def _dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


class StepFiles(Mapping[int, Arrays]):
    """The weights after some steps of a training, each step in a file of its own, read when it is asked for."""

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
