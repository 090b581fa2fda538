"""Splits off validation and test images where the source brings none: stratified, by seed."""

from __future__ import annotations

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.images import SPLITS, Reading
from allotrope.errors import DataError, UsageError

CLASSES_SHOWN = 50


def complete_splits(reading: Reading, options: DataOptions) -> None:
    """Adds the splits that are missing to the reading, out of its training images. A test split that is there is left alone.

    Both fractions are of all images that can be split. Raises: DataError, UsageError.
    """
    missing = [name for name in SPLITS[1:] if name not in reading.splits]
    _check_fractions(options)
    _check_classes(reading, missing)
    rows = np.arange(len(reading.splits["train"]))
    labels = reading.splits["train"].labels
    taken: dict[str, np.ndarray] = {}
    for name in missing:
        fraction = getattr(options, name)
        part = stratified(labels, fraction, np.random.default_rng([options.seed, SPLITS.index(name)]), rows)
        rows, taken[name] = np.setdiff1d(rows, part), part
        reading.notes.append(f"{name}: {len(part)} images split off by seed {options.seed}, {fraction:.0%} of each class")
    if missing:
        source = reading.splits["train"]
        reading.splits["train"] = source.take(rows)
        reading.splits.update({name: source.take(part) for name, part in taken.items()})


def stratified(labels: np.ndarray, fraction: float, rng: np.random.Generator, rows: np.ndarray) -> np.ndarray:
    """Rows [m], ascending: of each class `fraction` of its labels, out of the `rows` still free; at least 1, never all of them."""
    parts = []
    for label in np.unique(labels):
        free = rows[labels[rows] == label]
        wanted = round(fraction * np.count_nonzero(labels == label))
        parts.append(rng.permutation(free)[: min(max(1, wanted), len(free) - 1)])
    return np.sort(np.concatenate(parts))


def _check_fractions(options: DataOptions) -> None:
    fractions = (options.validation, options.test)
    if not all(0 < fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise UsageError(
            f"validation {options.validation} and test {options.test}: expected two fractions above 0 that leave some images for training."
        )


def _check_classes(reading: Reading, missing: list[str]) -> None:
    if len(reading.classes) < 2:
        raise DataError(f"{reading.name}: holds only one class, {', '.join(reading.classes)!r}; telling classes apart needs at least two.")
    least = 1 + len(missing)
    counts = reading.splits["train"].counts(len(reading.classes))
    few = [f"'{name}' has {count}" for name, count in zip(reading.classes, counts, strict=True) if count < least]
    if few:
        shown = ", ".join(few[:CLASSES_SHOWN]) + (f" and {len(few) - CLASSES_SHOWN:,} more" if len(few) > CLASSES_SHOWN else "")
        purpose = " and ".join(["training", *missing]) if missing else "training"
        raise DataError(
            f"{reading.name}: classes with too few images: {shown}. "
            f"Expected at least {least} of each for {purpose}. Add images or remove these classes."
        )
