"""Labels of any usual form, brought to int64 [n] from 0 with the names of the classes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.data.encodings import texts_of_bytes
from allotrope.errors import DataError

MOST_GRADES = 7
"""So many numbers one after another may be grades; more are rather digits or kinds."""


def to_labels(
    arrays: Mapping[str, np.ndarray], names: tuple[str, ...] | None, notes: list[str]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels by split name, int64 [n] from 0, and the names of the classes.

    Without `names`, the distinct labels are the classes: numbers in their order, texts sorted. What
    is missing is -1: NaN, and -1 itself if it can be no class.
    Raises: DataError naming every array that cannot be read as labels.
    """
    flat = {name: _flat(array, notes) for name, array in arrays.items()}
    absent = _absent(flat, notes)
    nothing = [name for name, rows in absent.items() if len(rows) and rows.all()]
    if nothing:
        raise DataError("\n".join(f"'{name}' holds no label; expected some." for name in nothing))
    for name, rows in absent.items():
        flat[name] = flat[name][~rows] if rows.any() else flat[name]
    numbers, classes = _numbered(flat, names, notes)
    labels = {name: np.full(len(rows), -1, np.int64) for name, rows in absent.items()}
    for name, codes in numbers.items():
        labels[name][~absent[name]] = codes
    return labels, classes


def _numbered(
    flat: Mapping[str, np.ndarray], names: tuple[str, ...] | None, notes: list[str]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The same of labels of which none is missing."""
    problems = [problem for name, array in flat.items() if (problem := _problem(name, array))]
    problems += _mixed(flat)
    if problems:
        raise DataError("\n".join(problems))
    values = np.unique(np.concatenate(list(flat.values())))
    texts = values.dtype.kind == "U"
    if not texts and values[0] == -1 and len(values) > 2:
        notes.append(
            "-1 is taken for a class like any other; leave the label empty, or write NaN, if it "
            "means that there is none"
        )
    if names is not None and not texts:
        first = _first_number(values, names, notes)
        return {name: array.astype(np.int64) - first for name, array in flat.items()}, names
    numbers = {name: np.searchsorted(values, array) for name, array in flat.items()}
    classes = tuple(str(value) if texts else str(int(value)) for value in values)
    return {name: array.astype(np.int64) for name, array in numbers.items()}, classes


def _absent(arrays: Mapping[str, np.ndarray], notes: list[str]) -> dict[str, np.ndarray]:
    """Which labels [n] are missing, by split name."""
    nothing = {name: _nan(array) for name, array in arrays.items()}
    if any(array.ndim != 1 or array.dtype.kind not in "if" for array in arrays.values()):
        return nothing
    values = np.concatenate([array[~nothing[name]] for name, array in arrays.items()])
    if not _marks_absent(values):
        return nothing
    count = int(np.count_nonzero(values == -1))
    notes.append(f"-1 is taken for a missing label, {count:,} times; write classes as texts if not")
    return {name: nothing[name] | (array == -1) for name, array in arrays.items()}


def _nan(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f" and array.ndim == 1:
        return np.asarray(np.isnan(array))
    return np.zeros(len(array) if array.ndim else 0, bool)


def _marks_absent(values: np.ndarray) -> bool:
    """Whether -1 marks what has no label: the others count from 0, as scikit-learn has it.

    Of -1, 0 and 1 alone it may be a class, unless most have it.
    """
    others = np.unique(values[values != -1])
    counting = len(others) > 1 and np.array_equal(others, np.arange(len(others)))
    share = np.mean(values == -1) if len(values) else 0.0
    return bool(counting and share and (len(others) > 2 or share > 0.5))


def may_be_grades(name: str, values: np.ndarray) -> str:
    """What else there is for labels that may be grades: 3 to 7 numbers, one after another."""
    few = 3 <= len(values) <= MOST_GRADES
    if not few or values.dtype.kind not in "iuf" or values[-1] - values[0] != len(values) - 1:
        return ""
    return (
        f"taken as classes without an order; of grades --loss ordinal learns, and --metric "
        f"{name}=quadratic_kappa judges, how far off answers are"
    )


def _first_number(values: np.ndarray, names: tuple[str, ...], notes: list[str]) -> int:
    """The number of the first name: 0, or 1 if labels go from 1 to as many as there are names."""
    if values[0] == 1 and values[-1] == len(names):
        notes.append(
            f"labels go from 1 to {len(names)}, for {len(names)} class names: 1 is '{names[0]}'"
        )
        return 1
    if values[0] < 0 or values[-1] >= len(names):
        raise DataError(
            f"labels go from {values[0]} to {values[-1]}, but class_names holds {len(names)} "
            f"names: expected 0..{len(names) - 1}."
        )
    return 0


def _flat(array: np.ndarray, notes: list[str]) -> np.ndarray:
    """One label an image, if the array has that form; bytes as texts."""
    array = texts_of_bytes(array)
    if array.ndim != 2:
        return array
    if array.shape[1] == 1:
        return array[:, 0]
    if _is_one_hot(array):
        note = "labels were one-hot; the place of the one is the class"
        notes.extend([note] if note not in notes else [])
        return array.argmax(1)
    return array


def _is_one_hot(array: np.ndarray) -> bool:
    if array.dtype.kind not in "buif" or not np.isin(array, (0, 1)).all():
        return False
    return bool((array.sum(1) == 1).all())


def _problem(name: str, array: np.ndarray) -> str | None:
    if array.ndim != 1:
        return (
            f"'{name}' has shape {list(array.shape)}; expected one class per image: [n], [n, 1] "
            "or one-hot [n, classes]."
        )
    if not array.size:
        return f"'{name}' is empty."
    if array.dtype.kind not in "buifU":
        return f"'{name}' has dtype {array.dtype}; expected integers or texts."
    if array.dtype.kind == "f" and not _are_whole(array):
        return (
            f"'{name}' holds fractions or values that are not numbers; expected one whole class "
            "number per image."
        )
    return None


def _are_whole(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all() and (array == np.rint(array)).all())


def _mixed(arrays: Mapping[str, np.ndarray]) -> list[str]:
    kinds = {name: array.dtype.kind == "U" for name, array in arrays.items()}
    if len(set(kinds.values())) < 2:
        return []
    listed = ", ".join(f"{name} {'texts' if text else 'numbers'}" for name, text in kinds.items())
    return [f"labels are texts and numbers: {listed}. Expected one of them in all splits."]
