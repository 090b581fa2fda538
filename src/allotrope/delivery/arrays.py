"""Arrays by column as inputs of a delivered network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.delivery.asked import ArgumentError, Example, listed, needed
from allotrope.delivery.predictor import AT_ONCE, Columns, Run, answered


def predicted_arrays(
    columns: Columns, run: Run, arrays: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """A row of answers for each example of arrays by column, examples along the first axis.

    All classes are named.

    Raises: ArgumentError.
    """
    inputs = raw_inputs(columns["inputs"], arrays)
    count = len(next(iter(inputs.values())))
    for start in range(0, count, AT_ONCE):
        rows = range(start, min(start + AT_ONCE, count))
        batch = [Example({}, {name: array[row] for name, array in inputs.items()}) for row in rows]
        top = max((len(task.get("classes", ())) for task in columns["tasks"]), default=1)
        for row, answers in zip(rows, answered(columns, run, batch, top), strict=True):
            yield {"file": f"[{row}]", **answers}


def raw_inputs(
    inputs: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The inputs of a network from arrays by input or by column. Raises: ArgumentError."""
    made, problems = {}, []
    for facts in inputs:
        name, columns = facts["name"], facts.get("columns", [])
        if name in arrays:
            array = np.asarray(arrays[name])
        elif columns and all(column in arrays for column in columns):
            array = np.stack([np.asarray(arrays[column]) for column in columns], axis=-1)
        else:
            problems.append(f"{listed(needed([facts]))} is lacking, found {listed(arrays)}")
            continue
        problem = misfit(facts, array)
        if problem:
            problems.append(f"'{name}' {problem}")
        elif facts["kind"] == "image":
            made[name] = array
        else:
            made[name] = array.astype(np.float32)
    if len({len(array) for array in made.values()}) > 1:
        lengths = ", ".join(f"'{name}' {len(array)}" for name, array in made.items())
        problems.append(f"lengths differ: {lengths}")
    if problems:
        raise ArgumentError(f"the arrays do not fit: {'; '.join(problems)}.")
    return made


def misfit(facts: Mapping[str, Any], array: np.ndarray) -> str:
    """What keeps an array from being an input of these `facts`; nothing if it fits."""
    if facts["kind"] == "image":
        shape = facts["height"], facts["width"], facts["channels"]
        if array.dtype == np.uint8 and array.shape[1:] == shape:
            return ""
        height, width, channels = shape
        return f"is {array.dtype} {array.shape}, expected uint8 (n, {height}, {width}, {channels})"
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.shape[1] != len(facts["columns"]):
        return f"is {array.dtype} {array.shape}, expected numbers (n, {len(facts['columns'])})"
    known = [place for place in range(array.shape[1]) if place not in facts.get("missing", ())]
    gaps = np.flatnonzero(np.isnan(array[:, known].astype(float)).any(axis=1))
    endless = np.flatnonzero(np.isinf(array.astype(np.float32)).any(axis=1))
    wrong = [("missing", gaps), ("infinite", endless)]
    return "; ".join(
        f"is {what} in rows {', '.join(map(str, rows[:5]))}" for what, rows in wrong if len(rows)
    )
