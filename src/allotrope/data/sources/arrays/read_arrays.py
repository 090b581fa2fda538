"""Reads images and labels from named arrays, whatever of the usual names these have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.class_labels import may_be_grades, to_labels
from allotrope.data.encodings import decoded, texts_of_bytes
from allotrope.data.examples import IMAGE, LABEL, UNLABELLED
from allotrope.data.reading import PicturesFound, Reading, labelled, labelled_pictures
from allotrope.data.recognize.frame import Frame, holds_voxels
from allotrope.data.recognize.frames import by_names, checked, with_split_column
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.arrays.array_choice import Chosen, choose_arrays
from allotrope.data.sources.arrays.array_files import StoredArray, loaded, stored_arrays
from allotrope.data.sources.arrays.array_names import array_name, position, shared_words
from allotrope.data.sources.arrays.stored_images import Report, image_keeper
from allotrope.data.sources.arrays.unpacked import Unpacker
from allotrope.data.sources.volumes.read_volumes import VOLUME
from allotrope.errors import DataError
from allotrope.inputs.image.pixels import Keep, in_memory, to_images
from allotrope.inputs.image.ranges import ValueRange
from allotrope.wording import counted


def read_arrays(
    paths: Sequence[Path], name: str, options: DataOptions, report: Report = lambda line: None
) -> Reading:
    """The splits in one `.npz` file, or in several `.npz` and `.npy` files that belong together.

    Raises: DataError for a damaged file, pickled objects, missing or mismatched arrays.
    """
    place = paths[0] if len(paths) == 1 else paths[0].parent
    stored = stored_arrays(paths)
    keep = image_keeper(paths, options, report)
    unpacker = Unpacker.asked_for(options, report)
    try:
        if options.target or options.task or options.input:
            return _of_columns(name, stored, options, keep, unpacker)
        if _may_be_columns(stored):
            with suppress(DataError):  # then it is said what images and labels would be called
                return _of_columns(name, stored, options, keep, unpacker)
        return _of_images(name, choose_arrays(stored), options, keep, unpacker)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None


def _of_columns(
    name: str,
    stored: Sequence[StoredArray],
    options: DataOptions,
    keep: Keep,
    unpacker: Unpacker,
) -> Reading:
    arrays = {key: texts_of_bytes(array) for key, array in loaded(stored, unpacker).items()}
    frame = Frame(name, by_names(name, arrays), keep=keep)
    return read_frame(checked(with_split_column(frame)), options)


def _may_be_columns(stored: Sequence[StoredArray]) -> bool:
    """Whether arrays may be columns of any names, as these are not those of images and labels."""
    without = shared_words(array.name for array in stored)
    said = {array.name: array_name(array.name, without) for array in stored}
    if any(position(name) is not None for name in said) or len(stored) < 2:
        return False
    roles = {name.role for name in said.values() if name is not None}
    pictured = any(len(array.shape) in (3, 4) for array in stored)
    lengths = {array.shape[:1] for array in stored}
    return pictured and len(lengths) == 1 and not {"images", "labels"} <= roles


def _of_images(
    name: str, chosen: Chosen, options: DataOptions, keep: Keep, unpacker: Unpacker
) -> Reading:
    """The reading of images and labels by their names."""
    arrays = loaded(chosen.arrays, unpacker)
    images = {split: arrays[array.name] for split, array in chosen.images.items()}
    labels = {split: arrays[array.name] for split, array in chosen.labels.items()}
    names = None
    if chosen.names is not None:
        names = _names(chosen.names.name, arrays[chosen.names.name])
    column = VOLUME if all(map(holds_voxels, images.values())) else IMAGE
    others = any(_are_quantities(part) or _are_flags(part) for part in labels.values())
    if column == VOLUME or (names is None and others):
        said = {split: _called(labels[split], names) for split in images}
        splits = {split: {column: images[split], LABEL: said[split]} for split in images}
        frame = Frame(name, splits, notes=list(chosen.notes), keep=keep)
        return read_frame(checked(frame), options)
    if chosen.unlabelled is not None:
        images[UNLABELLED] = arrays[chosen.unlabelled.name]
    return reading(name, images, labels, names, options.value_range, chosen.notes, keep)


def _are_quantities(labels: np.ndarray) -> bool:
    """Whether labels are finite fractions, which are no classes."""
    if labels.dtype.kind != "f" or not np.isfinite(labels).all():
        return False
    return bool((labels != np.rint(labels)).any())


def _are_flags(labels: np.ndarray) -> bool:
    """Whether labels are rows of 0 and 1 of which some have several ones, or none."""
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "buif":
        return False
    differ = (labels.min(axis=0) != labels.max(axis=0)).any()
    return bool(np.isin(labels, (0, 1)).all() and differ and (labels.sum(axis=1) != 1).any())


def _called(labels: np.ndarray, names: tuple[str, ...] | None) -> np.ndarray:
    """Labels [n, 1] as [n], and codes by their names if there are such."""
    flat = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    whole = flat.ndim == 1 and flat.dtype.kind in "iu"
    if names is None or not whole or flat.min() < 0 or flat.max() >= len(names):
        return flat
    return np.asarray(names)[flat]


def reading(
    name: str,
    images: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    names: tuple[str, ...] | None,
    asked: ValueRange | None = None,
    notes: Sequence[str] = (),
    keep: Keep = in_memory,
) -> Reading:
    """Images and labels by split name, checked and brought to uint8 and int64.

    Unlabelled images have no labels.
    Raises: DataError naming everything that does not fit together.
    """
    said = list(notes)
    labels = {split: _column(array) for split, array in labels.items()}
    mismatched = [
        _mismatch(split, images[split], labels[split])
        for split in labels
        if _differ(images[split], labels[split])
    ]
    if mismatched:
        raise DataError("\n".join(mismatched))
    pictures, value_range = to_images(images, said, asked, keep)
    numbers, classes = to_labels(labels, names, said)
    if UNLABELLED in images:
        numbers[UNLABELLED] = np.full(len(images[UNLABELLED]), -1, np.int64)
    splits = {split: labelled(pictures[split], numbers[split]) for split in pictures}
    _, height, width, channels = pictures["train"].shape
    total = sum(len(split) for split in splits.values())
    mode = "L" if channels == 1 else "RGB"
    facts = PicturesFound({(height, width): total}, {mode: total})
    made = labelled_pictures(name, splits, classes, facts, value_range)
    if names is None and all(array.dtype.kind in "iuf" for array in labels.values()):
        said.extend(_of_grades(labels))
    made.notes.extend(said)
    return made


def _of_grades(labels: Mapping[str, np.ndarray]) -> list[str]:
    """That numbers of classes may be grades, in a line; none if they are not."""
    values = np.unique(np.concatenate([array.reshape(-1) for array in labels.values()]))
    grades = may_be_grades(LABEL, values)
    if not grades:
        return []
    return [f"'{LABEL}' has {len(values)} classes by number, {grades}"]


def _column(labels: np.ndarray) -> np.ndarray:
    """Labels [1, n] as [n]."""
    return labels.reshape(-1) if labels.ndim == 2 and len(labels) == 1 else labels


def _differ(images: np.ndarray, labels: np.ndarray) -> bool:
    return bool(images.ndim and labels.ndim) and len(images) != len(labels)


def _mismatch(split: str, images: np.ndarray, labels: np.ndarray) -> str:
    text = (
        f"{split} has {counted(len(images), 'image')} but {counted(len(labels), 'label')}; "
        "expected as many of both."
    )
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
