"""Splits off validation and test examples if the source brings none: stratified, by seed."""

from __future__ import annotations

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.examples import SPLITS, UNLABELLED, Examples
from allotrope.data.reading import Reading
from allotrope.data.unlabelled import set_apart, without_label
from allotrope.errors import DataError, UsageError
from allotrope.tasks import Classification
from allotrope.wording import counted, plural

CLASSES_SHOWN = 50
MOST_HELD_OUT = 0.1
"""The part of few labels by which choices are made, at the most."""


def complete_splits(reading: Reading, options: DataOptions) -> None:
    """Adds the splits that are missing to the reading, out of its training examples.

    A test split that is there is left alone. Both fractions are of all examples that can be split;
    the first classification task decides of which classes they are. Training examples without a
    label become a split of their own; where there are such, labels are few, and validation examples
    at most a tenth of those that have one.
    Raises: DataError, UsageError.
    """
    missing = [name for name in SPLITS[1:] if name not in reading.splits]
    if reading.apart is not None:
        # The test first: of what is ordered in time it is the latest, validation what is before.
        missing.reverse()
        reading.notes.extend(reading.apart.shared())
    # All that can be wrong is said before anything is drawn.
    _check_fractions(options)
    task = next((task for task in reading.tasks if isinstance(task, Classification)), None)
    if task is not None:
        _check_classes(reading, task, missing)
    elif missing:
        _check_count(reading, missing)
    source = reading.splits["train"]
    unlabelled = without_label(reading.tasks, source.columns)
    rows = np.flatnonzero(~unlabelled)
    few_labels = len(rows) < len(source) or UNLABELLED in reading.splits
    taken: dict[str, np.ndarray] = {}
    for name in missing:
        fraction = getattr(options, name)
        # A stream a split: with a test split that is there, validation examples are drawn as
        # without it.
        stream = np.random.default_rng([options.seed, SPLITS.index(name)])
        if reading.apart is None and few_labels and name == "validation":
            labels = int(np.count_nonzero(~unlabelled))
            part = _held_out(source, task, held_out_count(labels, fraction), stream, rows)
            how = f"{len(part) / labels:.1%} of the labels"
        elif reading.apart is None:
            part = _split_off(source, task, fraction, stream, rows)
            how = f"{fraction:.0%}" + (" of each class" if task is not None else "")
        else:
            part = reading.apart.split_off(fraction, stream, rows)
            how = reading.apart.described(part)
        # Taken from the same source at the end: the next split is drawn from what is left, while
        # fractions stay those of all.
        rows, taken[name] = np.setdiff1d(rows, part), part
        reading.notes.append(
            f"{name}: {counted(len(part), reading.noun)} split off by seed {options.seed}, {how}"
        )
    set_apart(reading, np.flatnonzero(unlabelled))
    if len(rows) < len(source):
        reading.splits["train"] = source.take(rows)
        reading.splits.update({name: source.take(part) for name, part in taken.items()})
    if reading.apart is not None and task is not None:
        _check_learned(reading, task)


def _check_learned(reading: Reading, task: Classification) -> None:
    """Raises: DataError for classes that only stand in groups or times of later splits."""
    learned = set(np.unique(reading.splits["train"][task.name]).tolist())
    unlearned = [name for code, name in enumerate(task.classes) if code not in learned]
    if unlearned:
        raise DataError(
            f"{reading.name}: no training example is of {', '.join(map(repr, unlearned))}: they "
            "stand in other splits alone. Take another --seed, or leave these classes out."
        )


def _split_off(
    source: Examples,
    task: Classification | None,
    fraction: float,
    rng: np.random.Generator,
    rows: np.ndarray,
) -> np.ndarray:
    """Rows [m], ascending, out of those still free."""
    if task is not None:
        return stratified(source[task.name], fraction, rng, rows)
    wanted = max(1, round(fraction * len(source)))
    return np.sort(rng.permutation(rows)[:wanted])


def held_out_count(labels: int, fraction: float) -> int:
    """How many of so many labels choices are made by, if there are unlabelled examples too."""
    return max(1, int(min(fraction, MOST_HELD_OUT) * labels + 1e-9))


def _held_out(
    source: Examples,
    task: Classification | None,
    count: int,
    rng: np.random.Generator,
    rows: np.ndarray,
) -> np.ndarray:
    """Rows [m], ascending: `count` of them, of each class its share as far as whole rows allow.

    Of fewer rows than classes some classes have none: labels are wanted more for learning.
    """
    order = rng.permutation(rows)
    if task is None:
        return np.sort(order[:count])
    labels, turns = source[task.name][order], np.empty(len(order))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        # Where along its class each row lies: up to any place all classes have their share.
        turns[own] = (np.arange(len(own)) + rng.random()) / len(own)
        turns[own[-1]] = np.inf  # one at least stays to be learned from
    return np.sort(order[np.argsort(turns, kind="stable")[:count]])


def stratified(
    labels: np.ndarray, fraction: float, rng: np.random.Generator, rows: np.ndarray
) -> np.ndarray:
    """Rows [m], ascending: of each class `fraction` of its labels, out of the `rows` still free.

    At least 1 of each, never all of them.
    """
    parts = []
    for label in np.unique(labels):
        # Of each class for itself: by chance a rare one could be missing from a whole split.
        free = rows[labels[rows] == label]
        wanted = round(fraction * np.count_nonzero(labels == label))
        # One at least stays to be learned from, however much is wanted.
        parts.append(rng.permutation(free)[: min(max(1, wanted), len(free) - 1)])
    return np.sort(np.concatenate(parts))


def _check_fractions(options: DataOptions) -> None:
    fractions = (options.validation, options.test)
    if not all(0 < fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise UsageError(
            f"validation {options.validation} and test {options.test}: expected two fractions "
            "above 0 that leave some examples for training."
        )


def _labelled(reading: Reading) -> int:
    return int(np.count_nonzero(~without_label(reading.tasks, reading.splits["train"].columns)))


def _check_count(reading: Reading, missing: list[str]) -> None:
    count, least = _labelled(reading), 1 + len(missing)
    if count < least:
        raise DataError(
            f"{reading.name}: holds {counted(count, reading.noun)}; expected at least {least}, for "
            f"training and {' and '.join(missing)}."
        )


def _check_classes(reading: Reading, task: Classification, missing: list[str]) -> None:
    if task.size < 2:
        raise DataError(
            f"{reading.name}: holds only one class, {', '.join(task.classes)!r}; telling classes "
            "apart needs at least two."
        )
    least = 1 + len(missing)
    labels = reading.splits["train"][task.name]
    # A label below 0 stands for one that is missing.
    counts = np.bincount(labels[labels >= 0], minlength=task.size)
    # With fewer examples than splits one of them would lack the class.
    few = [
        f"'{name}' has {count}"
        for name, count in zip(task.classes, counts, strict=True)
        if count < least
    ]
    if few:
        more = f" and {len(few) - CLASSES_SHOWN:,} more" if len(few) > CLASSES_SHOWN else ""
        purpose = " and ".join(["training", *missing]) if missing else "training"
        raise DataError(
            f"{reading.name}: classes with too few {plural(reading.noun)}: "
            f"{', '.join(few[:CLASSES_SHOWN])}{more}. Expected at least {least} of each for "
            f"{purpose}. Add {plural(reading.noun)} or remove these classes."
        )
