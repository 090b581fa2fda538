"""Reads `.npz` files: `x_train, y_train, x_test, y_test` with optional validation and class names, and MedMNIST's names."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from allotrope.data.images import ImageSplit, Reading
from allotrope.data.memory import require_memory
from allotrope.data.pixels import to_images, to_labels
from allotrope.data.ranges import ValueRange
from allotrope.errors import DataError

PARTS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
CLASS_NAMES = ("class_names", "classes")
EXPECTED = "x_train, y_train, x_test, y_test (optional: x_val, y_val, class_names), or train_images, train_labels, …"


def read_arrays(path: Path, asked: ValueRange | None = None) -> Reading:
    """The splits of an `.npz` file; nothing in it is unpickled.

    Raises: DataError for a damaged file, pickled objects, missing or mismatched arrays.
    """
    contents = _contents(path)
    try:
        return reading(path.stem, *_pairs(contents), _names(contents), asked)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def reading(
    name: str,
    images: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    names: tuple[str, ...] | None,
    asked: ValueRange | None = None,
) -> Reading:
    """Images and labels by split name, checked and brought to uint8 and int64.

    Raises: DataError naming everything that does not fit together.
    """
    mismatched = [
        f"{split} has {len(images[split])} images but {len(labels[split])} labels; expected as many of both."
        for split in images
        if images[split].ndim and labels[split].ndim and len(images[split]) != len(labels[split])
    ]
    if mismatched:
        raise DataError("\n".join(mismatched))
    notes: list[str] = []
    pictures, value_range = to_images(images, notes, asked)
    numbers, classes = to_labels(labels, names, notes)
    splits = {split: ImageSplit(pictures[split], numbers[split]) for split in pictures}
    _, height, width, channels = pictures["train"].shape
    total = sum(len(split) for split in splits.values())
    mode = "L" if channels == 1 else "RGB"
    return Reading(name, classes, splits, {(height, width): total}, {mode: total}, notes, value_range=value_range)


def _contents(path: Path) -> dict[str, np.ndarray]:
    wanted = {f"{key}.npy" for part in PARTS for pair in _keys(part) for key in pair} | {f"{key}.npy" for key in CLASS_NAMES}
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist() if entry.filename in wanted)
        require_memory(size, str(path), "Use fewer or smaller images.")
        with np.load(path, allow_pickle=False) as arrays:
            contents = {}
            for key in arrays.files:
                if f"{key}.npy" in wanted:
                    contents[key] = _array(arrays, key, path)
            return contents or _nothing_known(path, arrays.files)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - zipfile and numpy may raise anything on a broken file
        raise DataError(f"{path}: not a readable .npz file ({error or type(error).__name__}). Write it again with numpy.savez.") from None


def _array(arrays: np.lib.npyio.NpzFile, key: str, path: Path) -> np.ndarray:
    try:
        return arrays[key]
    except ValueError as error:
        if "pickle" not in str(error).lower():
            raise DataError(f"{path}: array '{key}' is damaged ({error}).") from None
        raise DataError(
            f"{path}: array '{key}' holds pickled Python objects, which are never loaded because they can run code. "
            "Store it as numbers or texts, for example with numpy.asarray(x, dtype='uint8')."
        ) from None


def _nothing_known(path: Path, found: list[str]) -> dict[str, np.ndarray]:
    raise DataError(f"{path}: holds {', '.join(found) or 'nothing'}; expected {EXPECTED}.")


def _keys(part: str) -> list[tuple[str, str]]:
    names = PARTS[part]
    return [pair for name in names for pair in ((f"x_{name}", f"y_{name}"), (f"{name}_images", f"{name}_labels"))]


def _pairs(contents: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    images: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    problems = []
    for part in PARTS:
        for x, y in _keys(part):
            if x in contents and y in contents and part not in images:
                images[part], labels[part] = contents[x], contents[y]
            elif (x in contents) != (y in contents):
                found, missing = (x, y) if x in contents else (y, x)
                problems.append(f"holds '{found}' but not '{missing}'.")
    if "train" not in images and not problems:
        problems.append(f"holds no training images, only {', '.join(contents)}; expected {EXPECTED}.")
    if problems:
        raise DataError("\n".join(problems))
    return images, labels


def _names(contents: dict[str, np.ndarray]) -> tuple[str, ...] | None:
    for key in CLASS_NAMES:
        if key in contents:
            names = contents[key]
            if names.ndim != 1 or names.dtype.kind not in "USiu":
                raise DataError(f"'{key}' has dtype {names.dtype} and shape {list(names.shape)}; expected a list of texts.")
            texts = tuple(name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names)
            if len(set(texts)) < len(texts):
                raise DataError(f"'{key}' names a class twice: {', '.join(sorted({t for t in texts if texts.count(t) > 1}))}.")
            return texts
    return None
