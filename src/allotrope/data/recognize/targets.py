"""Target columns as labels that their tasks encode, with the tasks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from allotrope.data.class_labels import to_labels
from allotrope.data.number_forms import numbers_found, parsed
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.label_spelling import with_training_spelling
from allotrope.errors import DataError
from allotrope.inputs.table.cell_numbers import NumberForm
from allotrope.tasks import Classification, MultiLabel, Regression, Task

Columns = Mapping[str, np.ndarray]
"""A column by split."""
LISTED = 8
SEPARATORS = ("|", ";", ",")
HELD_OUT = ("validation", "test")


def to_task(frame: Frame, name: str, kind: str, alone: bool) -> tuple[Task, dict[str, np.ndarray]]:
    """The task of a target column, and its labels by split.

    Labels may be missing; of a task that is `alone` only classes of training examples, from which
    fit learns by its method for few labels.
    Raises: DataError with every row that does not fit the kind.
    """
    columns = {split: part[name] for split, part in frame.splits.items()}
    task, labels = MAKERS[kind](frame, name, columns)
    if alone:
        classes = kind == Classification.kind
        needed = {split: x for split, x in labels.items() if not classes or split in HELD_OUT}
        _check_complete(frame, name, needed)
    return task, labels


def _classification(
    frame: Frame, name: str, columns: Columns
) -> tuple[Task, dict[str, np.ndarray]]:
    """Codes int64 [n], -1 if one is missing."""
    notes: list[str] = []
    flat = {split: _without_axis(column) for split, column in columns.items()}
    flat = with_training_spelling(flat, notes)
    known = {split: ~_missing(column) for split, column in flat.items()}
    there = {split: flat[split][rows] for split, rows in known.items() if rows.any()}
    if "train" not in there:
        raise DataError(
            f"{frame.name}: no training row has a label in '{name}'. Label some of each class."
        )
    try:
        codes, classes = to_labels(there, None, notes)
    except DataError as error:
        raise DataError(f"{frame.name}: target '{name}': {error}") from None
    frame.notes.extend(f"'{name}': {note}" for note in notes)
    frame.notes.extend(_alike(name, classes))
    labels = {}
    for split, rows in known.items():
        labels[split] = np.full(len(rows), -1, np.int64)
        if split in codes:
            labels[split][rows] = codes[split]
    _check_known(frame, name, classes, labels)
    return Classification(name=name, classes=classes), labels


def _alike(name: str, classes: tuple[str, ...]) -> Iterator[str]:
    """A note for all classes that differ only in case or spaces, which are rarely two."""
    by_core: dict[str, list[str]] = defaultdict(list)
    for label in classes:
        by_core["".join(str(label).split()).casefold()].append(str(label))
    several = [" and ".join(map(repr, those)) for those in by_core.values() if len(those) > 1]
    if several:
        yield (
            f"'{name}': {'; '.join(several[:LISTED])} differ only in case or spaces and are "
            "learned as classes of their own; write them alike if they are one"
        )


def _check_known(
    frame: Frame, name: str, classes: tuple[str, ...], labels: Mapping[str, np.ndarray]
) -> None:
    """Raises DataError for classes that are not among the training labels."""
    trained = set(np.unique(labels["train"]).tolist())
    known = [classes[code] for code in sorted(trained - {-1})]
    unknown = [
        f"{split}: {', '.join(strange[:LISTED])}"
        for split, codes in labels.items()
        if (strange := [classes[code] for code in np.unique(codes) if code not in trained | {-1}])
    ]
    if unknown:
        raise DataError(
            f"{frame.name}: target '{name}' has classes that are not among the training labels: "
            f"{'; '.join(unknown)}. Expected some of {', '.join(map(repr, known[:LISTED]))}. "
            "Mend or remove these rows."
        )


def _regression(frame: Frame, name: str, columns: Columns) -> tuple[Task, dict[str, np.ndarray]]:
    """Values float64 [n] or [n, k], NaN if one is missing."""
    values = {split: _values(frame, name, split, column) for split, column in columns.items()}
    infinite = _rows_if(frame, values, np.isinf)
    if infinite:
        raise DataError(
            f"{frame.name}: target '{name}' is infinite in {infinite}. Mend or remove these rows."
        )
    width = 1 if values["train"].ndim == 1 else values["train"].shape[1]
    form = NumberForm.of(frame.written.get(name, ""))
    unit = (form.before or form.after).strip()
    task = Regression(name=name, mean=(0.0,) * width, deviation=(1.0,) * width, unit=unit)
    return task, values


def _values(frame: Frame, name: str, split: str, column: np.ndarray) -> np.ndarray:
    column = _without_axis(column)
    if column.dtype.kind in "US":
        cells = column.astype("U").tolist()
        form = numbers_found(cells)
        values, strange = parsed(cells, NumberForm() if form is None else form.form)
        if len(strange):
            shown = ", ".join(
                f"'{cells[row]}' ({frame.row(split, row)})" for row in strange[:LISTED]
            )
            more = f" and {len(strange) - LISTED:,} more" if len(strange) > LISTED else ""
            raise DataError(
                f"{frame.name}: target '{name}' holds texts where numbers are expected: "
                f"{shown}{more}. Mend these rows, leave the cells empty if the number is not "
                f"known, or say --task {name}=classification."
            )
        return values
    if column.dtype.kind not in "buif" or column.ndim > 2:
        raise DataError(
            f"{frame.name}: target '{name}' is {column.dtype} {list(column.shape)}; a regression "
            "needs numbers [n] or [n, k]."
        )
    return column.astype(np.float64)


def _multilabel(frame: Frame, name: str, columns: Columns) -> tuple[Task, dict[str, np.ndarray]]:
    """Flags float32 [n, k], NaN if they are missing."""
    if columns["train"].dtype.kind in "US":
        return _from_texts(name, columns)
    wrong = [
        f"{split} {column.dtype} {list(column.shape)}"
        for split, column in columns.items()
        if column.ndim != 2 or column.dtype.kind not in "buif"
    ]
    flags = {split: column.astype(np.float32) for split, column in columns.items()}
    strange = _rows_if(frame, flags, lambda x: ~(np.isnan(x) | (x == 0) | (x == 1)))
    if wrong or strange:
        problem = ", ".join(wrong) or f"others in {strange}"
        raise DataError(
            f"{frame.name}: target '{name}' has to hold rows of flags [n, k], 0 or 1, or texts "
            f"such as 'cat|dog'; found {problem}."
        )
    numbered = tuple(f"{name}.{index}" for index in range(flags["train"].shape[1]))
    labels = frame.label_names.get(name, numbered)
    return MultiLabel(name=name, labels=labels), flags


def _from_texts(name: str, columns: Columns) -> tuple[Task, dict[str, np.ndarray]]:
    """Flags of texts such as `cat|dog`; an empty one has no label at all."""
    whole = [cell for column in columns.values() for cell in column.astype("U").tolist()]
    separator = next((each for each in SEPARATORS if any(each in cell for cell in whole)), " ")
    pattern = re.compile(rf"\s*{re.escape(separator)}\s*")

    def parts(cell: str) -> list[str]:
        return [part for part in pattern.split(cell.strip()) if part]

    labels = tuple(sorted({part for cell in whole for part in parts(cell)}))
    places = {label: place for place, label in enumerate(labels)}
    flags = {}
    for split, column in columns.items():
        flags[split] = np.zeros((len(column), len(labels)), np.float32)
        for row, cell in enumerate(column.astype("U").tolist()):
            for part in parts(cell):
                flags[split][row, places[part]] = 1
    return MultiLabel(name=name, labels=labels), flags


def _without_axis(column: np.ndarray) -> np.ndarray:
    """[n, 1] as [n]."""
    return column[:, 0] if column.ndim == 2 and column.shape[1] == 1 else column


def _missing(column: np.ndarray) -> np.ndarray:
    """Which labels [n] are not known."""
    if column.dtype.kind == "f":
        nan = np.isnan(column)
        return nan if nan.ndim == 1 else nan.any(axis=tuple(range(1, nan.ndim)))
    if column.dtype.kind in "US" and column.ndim == 1:
        return np.asarray(column == column.dtype.type())
    return np.zeros(len(column), bool)


def _check_complete(frame: Frame, name: str, labels: Mapping[str, np.ndarray]) -> None:
    """Raises DataError for rows without a label: alone they can judge nothing."""
    rows = _rows_if(frame, labels, _is_unknown)
    if rows:
        raise DataError(
            f"{frame.name}: target '{name}' has no label in {rows}. Label or remove these rows."
        )


def _is_unknown(labels: np.ndarray) -> np.ndarray:
    return labels < 0 if labels.dtype.kind == "i" else np.isnan(labels)


def _rows_if(frame: Frame, columns: Columns, wrong: Callable[[np.ndarray], np.ndarray]) -> str:
    """The rows of which `wrong` is true anywhere, in words; empty if there are none."""
    rows = []
    for split, column in columns.items():
        there = wrong(column).reshape(len(column), -1).any(axis=1)
        rows += [frame.row(split, int(row)) for row in np.flatnonzero(there)]
    more = f" and {len(rows) - LISTED:,} more" if len(rows) > LISTED else ""
    return ", ".join(rows[:LISTED]) + more


MAKERS = {
    "classification": _classification,
    "multilabel": _multilabel,
    "regression": _regression,
}
