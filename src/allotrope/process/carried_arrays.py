"""Named arrays as a file, and arrays as a part of a message; nothing in either can run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

STORED = ".stored.json"
"""How a file beside an .npz file ends that says where columns lie that stay on disk."""


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz file: any dtype of ONNX, any name, in their order.

    NumPy's format has no bfloat16 and no smaller types: these are stored as float32, and say what
    they are.
    """
    names = np.array(list(arrays), dtype=str)
    dtypes = np.array([array.dtype.name for array in arrays.values()], dtype=str)
    stored = [_storable(array) for array in arrays.values()]
    np.savez(path, *stored, names=names, dtypes=dtypes)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that `write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as file:
        pairs = zip(file["names"].tolist(), file["dtypes"].tolist(), strict=True)
        return {
            name: file[f"arr_{index}"].astype(_dtype(dtype), copy=False)
            for index, (name, dtype) in enumerate(pairs)
        }


def _storable(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "V":
        return array.astype(np.float32)
    return array


def _dtype(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def packed(arrays: Sequence[np.ndarray]) -> bytes:
    """Arrays as bytes, in order."""
    file = io.BytesIO()
    np.savez(file, *arrays)
    return file.getvalue()


def unpacked(content: bytes) -> list[np.ndarray]:
    """The arrays again."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return [file[f"arr_{index}"] for index in range(len(file.files))]


Described = list[tuple[str, str, list[int]]]
"""Name, dtype and shape of each array."""


def to_parts(arrays: Mapping[str, np.ndarray]) -> tuple[Described, list[Any]]:
    """Named arrays as what JSON can say of them, and their bytes; any dtype of ONNX."""
    described = [(name, x.dtype.name, list(x.shape)) for name, x in arrays.items()]
    # As bytes, because buffers of bfloat16 have no format.
    flat = [np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in arrays.values()]
    return described, flat


def from_parts(described: Described, parts: Sequence[Any]) -> dict[str, np.ndarray]:
    """The arrays again, in the memory of the parts."""
    return {
        name: np.frombuffer(part, _dtype(dtype)).reshape(shape)
        for (name, dtype, shape), part in zip(described, parts, strict=True)
    }
