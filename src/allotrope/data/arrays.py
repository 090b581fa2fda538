"""Reads images and labels from named arrays, whatever of the usual names these have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from allotrope.data.array_files import StoredArray, loaded, stored_arrays
from allotrope.data.array_names import UNDERSTOOD, ArrayName, array_name, position, shared_words
from allotrope.data.images import ImageSplit, Reading
from allotrope.data.pixels import to_images, to_labels
from allotrope.data.ranges import ValueRange
from allotrope.data.text import decoded
from allotrope.errors import DataError

LISTED = 8


@dataclass
class Chosen:
    """Which arrays are images and labels, by split, and which are the names of the classes."""

    images: dict[str, StoredArray] = field(default_factory=dict)
    labels: dict[str, StoredArray] = field(default_factory=dict)
    names: StoredArray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def arrays(self) -> list[StoredArray]:
        """All of them."""
        names = [] if self.names is None else [self.names]
        return [*self.images.values(), *self.labels.values(), *names]


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
        names = (
            None if chosen.names is None else _names(chosen.names.name, arrays[chosen.names.name])
        )
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
    labels = {
        split: array.reshape(-1) if array.ndim == 2 and len(array) == 1 else array
        for split, array in labels.items()
    }
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


def choose_arrays(stored: Sequence[StoredArray]) -> Chosen:
    """The arrays to read, told by their names, and among arrays of one meaning by their shapes.

    Raises: DataError that lists the arrays with their shapes if none or several would do.
    """
    without = shared_words(array.name for array in stored)
    named = {array.name: array_name(array.name, without) for array in stored}
    chosen = _by_position(stored) if not any(named.values()) else _by_name(stored, named)
    read = {array.name for array in chosen.arrays}
    left = [str(array) for array in stored if array.name not in read]
    if left:
        more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
        chosen.notes.append(f"left out: {', '.join(left[:LISTED])}{more}")
    return chosen


def _by_name(stored: Sequence[StoredArray], named: dict[str, ArrayName | None]) -> Chosen:
    groups: dict[tuple[str, str | None], list[StoredArray]] = {}
    for array in stored:
        name = named[array.name]
        if name is not None and name.split != "unlabelled":
            groups.setdefault((name.role, name.split), []).append(array)
    groups = _named_splits(_labels_called_classes(groups), stored)
    chosen = Chosen()
    for (role, split), arrays in groups.items():
        if role == "names":
            chosen.names = _single(arrays, "names of classes", stored)
        elif split is not None and role == "images":
            chosen.images[split] = _single(_image_shaped(arrays), f"images of {split}", stored)
        elif split is not None:
            chosen.labels[split] = _single(arrays, f"labels of {split}", stored)
    _check_pairs(chosen, stored)
    return chosen


def _labels_called_classes(
    groups: dict[tuple[str, str | None], list[StoredArray]],
) -> dict[tuple[str, str | None], list[StoredArray]]:
    """`classes` as labels, if there are as many as images and no other labels."""
    images, names = groups.get(("images", None)), groups.get(("names", None))
    if not images or not names or ("labels", None) in groups or len(names) > 1:
        return groups
    if names[0].shape[:1] != images[0].shape[:1]:
        return groups
    return {
        ("labels" if role == "names" else role, split): arrays
        for (role, split), arrays in groups.items()
    }


def _named_splits(
    groups: dict[tuple[str, str | None], list[StoredArray]], stored: Sequence[StoredArray]
) -> dict[tuple[str, str | None], list[StoredArray]]:
    """Arrays without a split in their name are training data, `eval` is the split that is missing.

    Raises: DataError if other arrays are training data by their name.
    """
    splits = {split for role, split in groups if role != "names"}
    evaluation = "test" if "validation" in splits and "test" not in splits else "validation"
    renamed: dict[tuple[str, str | None], list[StoredArray]] = {}
    for (role, split), arrays in groups.items():
        if role != "names" and split is None:
            if "train" in splits and any(
                len(array.shape) > 2 or role == "labels" for array in arrays
            ):
                names = ", ".join(array.name for array in arrays)
                raise DataError(
                    f"holds training arrays by their names, and {names} beside them; which to "
                    f"learn from? {_listed(stored)}"
                )
            split = "train"
        key = (role, evaluation if split == "evaluation" else split)
        renamed.setdefault(key, []).extend(arrays)
    return renamed


def _image_shaped(arrays: list[StoredArray]) -> list[StoredArray]:
    """Of several arrays those shaped like images: scikit-learn's digits hold them flat as well."""
    shaped = [array for array in arrays if len(array.shape) in (3, 4)]
    return shaped if len(arrays) > 1 and shaped else arrays


def _single(arrays: list[StoredArray], what: str, stored: Sequence[StoredArray]) -> StoredArray:
    if len(arrays) == 1:
        return arrays[0]
    names = ", ".join(array.name for array in arrays)
    raise DataError(
        f"{names} may each be the {what}. Keep one of them, or rename the others. {_listed(stored)}"
    )


def _check_pairs(chosen: Chosen, stored: Sequence[StoredArray]) -> None:
    """Leaves out validation or test images without labels.

    Raises: DataError for anything else that lacks its partner.
    """
    for split in ("validation", "test"):
        if split in chosen.images and split not in chosen.labels and "train" in chosen.labels:
            array = chosen.images.pop(split)
            chosen.notes.append(
                f"'{array.name}' has no labels, and the images of {split} are left out"
            )
    problems = [
        f"holds {_quoted(chosen.images, split)} but {_missing(stored, 'labels', split)}"
        for split in chosen.images.keys() - chosen.labels.keys()
    ]
    problems += [
        f"holds {_quoted(chosen.labels, split)} but {_missing(stored, 'images', split)}"
        for split in chosen.labels.keys() - chosen.images.keys()
    ]
    if "train" not in chosen.images and not problems:
        problems.append("holds no training images.")
    if problems:
        raise DataError("\n".join([*sorted(problems), _listed(stored)]))


def _quoted(arrays: dict[str, StoredArray], split: str) -> str:
    return f"'{arrays[split].name}'"


def _missing(stored: Sequence[StoredArray], role: str, split: str) -> str:
    return f"no {role} of {split}, such as '{'y' if role == 'labels' else 'x'}_{split}'."


def _by_position(stored: Sequence[StoredArray]) -> Chosen:
    """Arrays without names: images by their shape, each with the labels of the same length."""
    ordered = sorted(
        (array for array in stored if position(array.name) is not None),
        key=lambda array: position(array.name) or 0,
    )
    images = [array for array in ordered if len(array.shape) >= 3]
    labels = [array for array in ordered if 1 <= len(array.shape) <= 2]
    lengths = [array.shape[0] for array in images]
    told_apart = len(set(lengths)) == len(lengths) and lengths == sorted(lengths, reverse=True)
    if (
        not images
        or len(images) > 2
        or not told_apart
        or sorted(lengths) != sorted(array.shape[0] for array in labels)
    ):
        unclear = (
            "cannot tell which of these arrays are images and labels, and of what split. "
            if ordered
            else ""
        )
        raise DataError(f"{unclear}{_listed(stored)}")
    chosen = Chosen()
    for split, array in zip(("train", "test"), images, strict=False):
        chosen.images[split] = array
        chosen.labels[split] = next(label for label in labels if label.shape[0] == array.shape[0])
    pairs = ", ".join(
        f"{split} is {chosen.images[split].name} with {chosen.labels[split].name}"
        for split in chosen.images
    )
    chosen.notes.append(f"arrays without names, told by their shapes: {pairs}")
    return chosen


def _listed(stored: Sequence[StoredArray]) -> str:
    there = ", ".join(map(str, stored)) or "nothing"
    return f"Found {there}. Expected {UNDERSTOOD}."


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
