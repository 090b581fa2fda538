"""Arrays of any usual dtype and layout, brought to uint8 [n, h, w, c] images and int64 labels; says what it changed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.errors import DataError

CHANNELS = (1, 3)
SHAPES = "[n, h, w], [n, h, w, 1], [n, h, w, 3], [n, 1, h, w] or [n, 3, h, w]"


def to_images(arrays: Mapping[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    """Images by split name: uint8 [n, h, w, c], all with one size.

    The range of values is judged over all splits together, so that they stay comparable.
    Raises: DataError naming every array that cannot be read as images.
    """
    problems = [problem for name, array in arrays.items() if (problem := _image_problem(name, array))]
    if problems:
        raise DataError("\n".join(problems))
    ordered = {name: _channels_last(array) for name, array in arrays.items()}
    if any(_is_channels_first(array) for array in arrays.values()):
        notes.append("images were [n, c, h, w]; brought to [n, h, w, c]")
    if len({array.shape[1:] for array in ordered.values()}) > 1:
        found = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        raise DataError(f"images differ in size between the splits: {found}. Expected one height, width and number of channels.")
    return _to_bytes(ordered, notes)


def to_labels(
    arrays: Mapping[str, np.ndarray], names: tuple[str, ...] | None, notes: list[str]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels by split name, int64 [n] from 0, and the names of the classes.

    Without `names`, the distinct labels are the classes: numbers in their order, texts sorted.
    Raises: DataError naming every array that cannot be read as labels.
    """
    flat = {name: _flat_labels(array, notes) for name, array in arrays.items()}
    problems = [problem for name, array in flat.items() if (problem := _label_problem(name, array))]
    if problems:
        raise DataError("\n".join(problems))
    values = np.unique(np.concatenate(list(flat.values())))
    if names is None or values.dtype.kind in "US":
        return {name: np.searchsorted(values, array).astype(np.int64) for name, array in flat.items()}, _class_names(values)
    if values[0] < 0 or values[-1] >= len(names):
        raise DataError(
            f"labels go from {values[0]} to {values[-1]}, but class_names holds {len(names)} names: expected 0..{len(names) - 1}."
        )
    return {name: array.astype(np.int64) for name, array in flat.items()}, names


def _image_problem(name: str, array: np.ndarray) -> str | None:
    shape = list(array.shape)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[-1] not in CHANNELS and array.shape[1] not in CHANNELS):
        return f"'{name}' has shape {shape}; expected {SHAPES}."
    if 0 in array.shape:
        return f"'{name}' is empty: shape {shape}."
    if array.dtype.kind not in "buif":
        return f"'{name}' has dtype {array.dtype}; expected uint8 (0..255) or floating point (0..1 or 0..255)."
    return None


def _is_channels_first(array: np.ndarray) -> bool:
    return array.ndim == 4 and array.shape[-1] not in CHANNELS


def _channels_last(array: np.ndarray) -> np.ndarray:
    if array.ndim == 3:
        return array[..., None]
    return array.transpose(0, 2, 3, 1) if _is_channels_first(array) else array


def _to_bytes(arrays: Mapping[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    if all(array.dtype == np.uint8 for array in arrays.values()):
        return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    low = min(float(array.min()) for array in arrays.values())
    high = max(float(array.max()) for array in arrays.values())
    dtypes = "/".join(sorted({str(array.dtype) for array in arrays.values()}))
    scale = _scale(arrays, low, high, dtypes)
    notes.append(f"images were {dtypes} from {low:g} to {high:g}; brought to uint8 (times {scale:.4g})")
    return {name: np.rint(array.astype(np.float32) * np.float32(scale)).astype(np.uint8, order="C") for name, array in arrays.items()}


def _scale(arrays: Mapping[str, np.ndarray], low: float, high: float, dtypes: str) -> float:
    floating = any(array.dtype.kind == "f" for array in arrays.values())
    boolean = all(array.dtype.kind == "b" for array in arrays.values())
    if low >= 0 and high <= 1 and (floating or boolean):
        return 255.0
    if low >= 0 and high <= 255:
        return 1.0
    if low >= 0 and high <= 65535 and all(array.dtype == np.uint16 for array in arrays.values()):
        return 1 / 257
    raise DataError(
        f"images of dtype {dtypes} hold values from {low:g} to {high:g}; expected 0..1 or 0..255 (uint16: 0..65535). "
        "Undo any normalization: it is part of the network here."
    )


def _flat_labels(array: np.ndarray, notes: list[str]) -> np.ndarray:
    if array.ndim != 2:
        return array
    if array.shape[1] == 1:
        return array[:, 0]
    if array.dtype.kind in "buif" and np.isin(array, (0, 1)).all() and (array.sum(1) == 1).all():
        note = "labels were one-hot; the place of the one is the class"
        notes.extend([note] if note not in notes else [])
        return array.argmax(1)
    return array


def _label_problem(name: str, array: np.ndarray) -> str | None:
    if array.ndim != 1:
        return f"'{name}' has shape {list(array.shape)}; expected one class per image: [n], [n, 1] or one-hot [n, classes]."
    if not array.size:
        return f"'{name}' is empty."
    if array.dtype.kind not in "buifUS":
        return f"'{name}' has dtype {array.dtype}; expected integers or texts."
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        return f"'{name}' holds fractions or values that are not numbers; expected one whole class number per image."
    return None


def _class_names(values: np.ndarray) -> tuple[str, ...]:
    if values.dtype.kind == "S":
        return tuple(value.decode("utf-8", "replace") for value in values)
    return tuple(str(value) if values.dtype.kind == "U" else str(int(value)) for value in values)
