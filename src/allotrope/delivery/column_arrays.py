"""Arrays by column as inputs of a delivered network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.delivery.asked import ArgumentError, Example, listed, needed
from allotrope.delivery.predictor import Columns, Run, answered, read_at_once
from allotrope.delivery.text_lines import bytes_of
from allotrope.inputs.table.cell_codes import COMPACT, EPOCH_FORMS, ISO, coded, dated, texts_of
from allotrope.inputs.table.cell_numbers import NumberForm, number_in


def predicted_arrays(
    columns: Columns, run: Run, arrays: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """A row of answers for each example of arrays by column, examples along the first axis.

    All classes are named.

    Raises: ArgumentError.
    """
    inputs = raw_inputs(columns["inputs"], arrays)
    count = len(next(iter(inputs.values())))
    most = read_at_once(columns)
    for start in range(0, count, most):
        rows = range(start, min(start + most, count))
        batch = [Example({}, {name: array[row] for name, array in inputs.items()}) for row in rows]
        top = max((len(task.get("classes", ())) for task in columns["tasks"]), default=1)
        for row, answers in zip(rows, answered(columns, run, batch, top), strict=True):
            yield {"file": f"[{row}]", **answers}


def raw_inputs(
    inputs: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The inputs of a network from arrays by input or by column. Raises: ArgumentError."""
    made: dict[str, Any] = {}
    problems = []
    for facts in inputs:
        name, columns = facts["name"], facts.get("columns", [])
        if name in arrays:
            array = _with_channel(facts, texts_of_bytes(np.asarray(arrays[name])))
        elif columns and all(column in arrays for column in columns):
            wrong, array = rows_of(facts, arrays)
            if wrong:
                problems += wrong
                continue
        else:
            problems.append(f"{listed(needed([facts]))} is lacking, found {listed(arrays)}")
            continue
        problem = misfit(facts, array)
        if problem:
            problems.append(f"'{name}' {problem}")
        elif facts["kind"] == "image":
            made[name] = array
        elif facts["kind"] == "text":
            made[name] = [each if array.ndim == 2 else bytes_of(str(each)) for each in array]
        else:
            made[name] = array.astype(np.float32)
    if len({len(array) for array in made.values()}) > 1:
        lengths = ", ".join(f"'{name}' {len(array)}" for name, array in made.items())
        problems.append(f"lengths differ: {lengths}")
    if problems:
        raise ArgumentError(f"the arrays do not fit: {'; '.join(problems)}.")
    return made


def _with_channel(facts: Mapping[str, Any], array: np.ndarray) -> np.ndarray:
    """Grey pictures [n, h, w] as [n, h, w, 1], as they are read for a training."""
    if facts["kind"] == "image" and facts["channels"] == 1 and array.ndim == 3:
        return array[..., np.newaxis]
    return array


def rows_of(facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[list[str], np.ndarray]:
    """What is wrong with the columns of a table; their rows float64 [n, columns] if nothing is."""
    made, problems = [], []
    for place, name in enumerate(facts["columns"]):
        try:
            made.append(numbers_of(facts, place, plain(arrays[name])))
        except ValueError as error:
            problems.append(f"'{name}': {error}")
    lengths = [f"'{name}' {len(arrays[name])}" for name in facts["columns"]]
    if len({len(column) for column in made}) > 1:
        problems.append(f"lengths differ: {', '.join(lengths)}")
    return problems, np.stack(made, axis=-1) if not problems else np.empty(0)


def plain(values: Any) -> np.ndarray:
    """A column as numbers, dates or texts, whatever objects hold them; what is missing is empty."""
    column = texts_of_bytes(np.asarray(values))
    if column.dtype.kind == "T":
        return np.array(column.tolist(), "U")
    if column.dtype.kind != "O" or column.ndim != 1:
        return column
    missing = [cell is None or cell != cell for cell in column]
    present = [cell for cell, gap in zip(column, missing, strict=True) if not gap]
    if present and all(isinstance(cell, (int, float, np.number)) for cell in present):
        pairs = zip(column, missing, strict=True)
        return np.array([np.nan if gap else cell for cell, gap in pairs], np.float64)
    return np.array(["" if gap else str(x) for x, gap in zip(column, missing, strict=True)], "U")


def texts_of_bytes(array: np.ndarray) -> np.ndarray:
    """The array with texts where it holds the bytes of texts in UTF-8."""
    if (
        array.dtype.kind == "O"
        and array.size
        and all(isinstance(cell, bytes) for cell in array.flat)
    ):
        array = array.astype("S")
    return np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array


def numbers_of(facts: Mapping[str, Any], place: int, column: np.ndarray) -> np.ndarray:
    """A column float64 [n] of numbers, codes or days. Raises: ValueError for what is neither."""
    texts = facts["categories"][place] if facts.get("categories") else ()
    form = facts["dates"][place] if facts.get("dates") else ""
    if texts:
        return coded(texts_of(column), texts)
    if form and column.dtype.kind == "M":
        return dated(texts_of(column.astype("datetime64[us]").astype(str)), ISO)
    if form == COMPACT or (form and column.dtype.kind in "US"):
        return dated(texts_of(column), form)
    if form in EPOCH_FORMS:
        return column.astype(np.float64) / EPOCH_FORMS[form]
    if column.dtype.kind in "US":
        written = facts["written"][place] if facts.get("written") else ""
        number = NumberForm.of(written)
        return np.array([number_in(str(cell), number) for cell in column], np.float64)
    return column.astype(np.float64)


def misfit(facts: Mapping[str, Any], array: np.ndarray) -> str:
    """What keeps an array from being an input of these `facts`; nothing if it fits."""
    if facts["kind"] == "image":
        shape = facts["height"], facts["width"], facts["channels"]
        if array.dtype == np.uint8 and array.shape[1:] == shape:
            return ""
        height, width, channels = shape
        return f"is {array.dtype} {array.shape}, expected uint8 (n, {height}, {width}, {channels})"
    if facts["kind"] == "text":
        return text_misfit(array)
    if facts["kind"] == "volume":
        return volume_misfit(facts, array)
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != len(facts["columns"]):
        return f"is {array.dtype} {array.shape}, expected numbers (n, {len(facts['columns'])})"
    categories = facts.get("categories") or [()] * array.shape[1]
    # A category that is missing is one that was never seen, which the network answers to.
    known = [
        place
        for place in range(array.shape[1])
        if place not in facts.get("missing", ()) and not categories[place]
    ]
    gaps = np.flatnonzero(np.isnan(array[:, known].astype(float)).any(axis=1))
    endless = np.flatnonzero(np.isinf(array.astype(np.float32)).any(axis=1))
    wrong = [("missing", gaps), ("infinite", endless)]
    return "; ".join(
        f"is {what} in rows {', '.join(map(str, rows[:5]))}" for what, rows in wrong if len(rows)
    )


def text_misfit(array: np.ndarray) -> str:
    """What keeps an array from being texts; nothing if it is texts, or rows of their bytes."""
    if array.dtype.kind == "O" and array.ndim == 1:
        strange = [row for row, each in enumerate(array) if not isinstance(each, str)]
        listed_rows = ", ".join(map(str, strange[:5]))
        return f"is no text in rows {listed_rows}" if strange else ""
    texts = array.ndim == 1 and array.dtype.kind in "UT"
    if texts or (array.dtype == np.uint8 and array.ndim == 2):
        return ""
    return f"is {array.dtype} {array.shape}, expected texts (n,)"


def volume_misfit(facts: Mapping[str, Any], array: np.ndarray) -> str:
    """What keeps an array from being volumes of these `facts`; nothing if it fits."""
    sides = ", ".join(map(str, facts["shape"]))
    if array.dtype.kind not in "biuf" or array.shape[1:] != tuple(facts["shape"]):
        return f"is {array.dtype} {array.shape}, expected numbers (n, {sides})"
    strange = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
    return f"holds no numbers in rows {', '.join(map(str, strange[:5]))}" if len(strange) else ""
