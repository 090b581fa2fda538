"""Reads images and labels from named arrays, whatever of the usual names these have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from allotrope.data.class_labels import to_labels
from allotrope.data.encodings import decoded
from allotrope.data.images import ImageSplit, Reading
from allotrope.data.sources.arrays.array_choice import choose_arrays
from allotrope.data.sources.arrays.array_files import loaded, stored_arrays
from allotrope.errors import DataError
from allotrope.inputs.image.pixels import to_images
from allotrope.inputs.image.ranges import ValueRange


def read_arrays(paths: Sequence[Path], name: str, asked: ValueRange | None = None) -> Reading:
    """The splits in one `.npz` file, or in several `.npz` and `.npy` files that belong together.

    Raises: DataError for a damaged file, pickled objects, missing or mismatched arrays.
    """
    place = paths[0] if len(paths) == 1 else paths[0].parent
    stored = stored_arrays(paths)
    try:
        chosen = choose_arrays(stored)
        arrays = loaded(chosen.arrays)
        images = {split: arrays[array.name] for split, array in chosen.images.items()}
        labels = {split: arrays[array.name] for split, array in chosen.labels.items()}
        names = None
        if chosen.names is not None:
            names = _names(chosen.names.name, arrays[chosen.names.name])
        return reading(name, images, labels, names, asked, chosen.notes)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None


def reading(
    name: str,
    images: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    names: tuple[str, ...] | None,
    asked: ValueRange | None = None,
    notes: Sequence[str] = (),
) -> Reading:
    """Images and labels by split name, checked and brought to uint8 and int64.

    Raises: DataError naming everything that does not fit together.
    """
    said = list(notes)
    labels = {split: _column(array) for split, array in labels.items()}
    mismatched = [
        _mismatch(split, images[split], labels[split])
        for split in images
        if _differ(images[split], labels[split])
    ]
    if mismatched:
        raise DataError("\n".join(mismatched))
    pictures, value_range = to_images(images, said, asked)
    numbers, classes = to_labels(labels, names, said)
    splits = {split: ImageSplit(pictures[split], numbers[split]) for split in pictures}
    _, height, width, channels = pictures["train"].shape
    total = sum(len(split) for split in splits.values())
    mode = "L" if channels == 1 else "RGB"
    return Reading(
        name,
        classes,
        splits,
        {(height, width): total},
        {mode: total},
        said,
        value_range=value_range,
    )


def _column(labels: np.ndarray) -> np.ndarray:
    """Labels [1, n] as [n]."""
    return labels.reshape(-1) if labels.ndim == 2 and len(labels) == 1 else labels


def _differ(images: np.ndarray, labels: np.ndarray) -> bool:
    return bool(images.ndim and labels.ndim) and len(images) != len(labels)


def _mismatch(split: str, images: np.ndarray, labels: np.ndarray) -> str:
    text = f"{split} has {len(images)} images but {len(labels)} labels; expected as many of both."
    if images.ndim >= 3 and images.shape[-1] == len(labels):
        text += (
            f" The images seem to lie along the last axis of {list(images.shape)}: store "
            "numpy.moveaxis(x, -1, 0)."
        )
    return text


def _names(key: str, names: np.ndarray) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind not in "USiu":
        raise DataError(
            f"'{key}' has dtype {names.dtype} and shape {list(names.shape)}; expected a list of "
            "texts."
        )
    texts = tuple(decoded(name)[0] if isinstance(name, bytes) else str(name) for name in names)
    if len(set(texts)) < len(texts):
        raise DataError(
            f"'{key}' names a class twice: "
            f"{', '.join(sorted({t for t in texts if texts.count(t) > 1}))}."
        )
    return texts
