"""Arguments of a command as inputs of a network, and its outputs as answers.

`predict` and a delivered predict.py, which carries this text, read alike. So it needs nothing but
NumPy and, for pictures, Pillow; for volumes, nibabel or pydicom.

`columns` are what the file says of its inputs and tasks (`allotrope.columns` in its metadata). A
row of answers is {"file", "line" in a table, "answers": {task: …}}, or has the `reason` why there
are none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.delivery.asked import (
    ArgumentError,
    Example,
    Unreadable,
    listed,
    needed,
    read_picture,
    sorted_pictures,
)
from allotrope.delivery.object_rows import holds_objects
from allotrope.delivery.scans import read_scans
from allotrope.delivery.table_rows import TABLES, read_rows
from allotrope.delivery.text_lines import OBJECTS, groups, inner_suffix, read_texts, together
from allotrope.inputs.image.formats import SUFFIXES

AT_ONCE = 64
"""So many examples are answered together."""
TEXTS_READ = 8 * AT_ONCE
"""So many texts are read, so that those of like lengths are answered together."""
USUAL_THRESHOLD = 0.5

Columns = Mapping[str, Sequence[Mapping[str, Any]]]
Run = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]


def predicted(
    columns: Columns, run: Run, arguments: Sequence[str], top: int = 5
) -> Iterator[dict[str, Any]]:
    """A row for each example that the arguments name, in their order.

    Raises: ArgumentError.
    """
    examples = (one for argument in arguments for one in read(columns, argument))
    while batch := list(islice(examples, read_at_once(columns))):
        answers = iter(answered(columns, run, batch, top))
        for one in batch:
            what = {"reason": one.reason} if one.reason else next(answers)
            yield {**one.origin, **what}


def answered(
    columns: Columns, run: Run, examples: Iterable[Example], top: int
) -> Iterator[dict[str, Any]]:
    """The answers for those examples that could be read, in their order."""
    readable = [one.inputs for one in examples if not one.reason]
    answers: dict[int, dict[str, Any]] = {}
    for group in groups(readable, AT_ONCE):
        inputs = {name: together([readable[i][name] for i in group]) for name in readable[0]}
        answers |= zip(group, said(columns, run(inputs), len(group), top), strict=True)
    yield from (answers[number] for number in range(len(readable)))


def read_at_once(columns: Columns) -> int:
    """How many examples are read before they are answered."""
    kinds = {each["kind"] for each in columns["inputs"]}
    return TEXTS_READ if kinds & {"text", "tokens"} else AT_ONCE


def said(
    columns: Columns, outputs: Mapping[str, np.ndarray], count: int, top: int
) -> Iterator[dict[str, Any]]:
    """The answers that so many rows of outputs are."""
    for number in range(count):
        of_tasks = {task["name"]: outputs[task["name"]][number] for task in columns["tasks"]}
        strange = [name for name, output in of_tasks.items() if not np.isfinite(output).all()]
        if strange:
            yield {"reason": f"the network's answer to {listed(strange)} is no number"}
            continue
        answers = {t["name"]: answer(t, of_tasks[t["name"]], top) for t in columns["tasks"]}
        yield {"answers": answers, **single_guess(answers)}


# --- what a network answers


def answer(task: Mapping[str, Any], output: np.ndarray, top: int) -> dict[str, Any]:
    """The answer to one task in its own terms; `output` [size] is what the delivered file gives."""
    numbers = [float(number) for number in output.ravel()]
    if task["kind"] == "classification":
        order = np.argsort(-output.ravel(), kind="stable")[:top]
        best = [{"class": task["classes"][i], "probability": numbers[i]} for i in order]
        return {**best[0], "top": best}
    if task["kind"] == "multilabel":
        thresholds = task.get("thresholds") or [USUAL_THRESHOLD] * len(numbers)
        named = list(zip(task["labels"], numbers, thresholds, strict=True))
        labels = [label for label, number, threshold in named if number >= threshold]
        return {"labels": labels, "probabilities": {label: number for label, number, _ in named}}
    unit = {"unit": task["unit"]} if task.get("unit") else {}
    if len(numbers) == 1:
        return {"value": numbers[0], **unit}
    parts = task.get("parts") or [f"{task['name']}[{i}]" for i in range(len(numbers))]
    return {"values": dict(zip(parts, numbers, strict=True)), **unit}


def single_guess(answers: Mapping[str, Any]) -> dict[str, Any]:
    """`top` of a network that only tells classes apart, in the row itself."""
    (first, *others) = answers.values()
    return {} if others or "top" not in first else {"top": first["top"]}


def in_words(row: Mapping[str, Any]) -> str:
    """A row for people, in one line."""
    if "reason" in row:
        return f"cannot be read: {row['reason']}"
    answers = row["answers"]
    if "top" in row:
        return ", ".join(f"{guess['class']} {guess['probability']:.1%}" for guess in row["top"])
    return "; ".join(f"{name}: {one_in_words(one)}" for name, one in answers.items())


def one_in_words(one: Mapping[str, Any]) -> str:
    """One answer, as short as it can be said."""
    if "class" in one:
        return f"{one['class']} {one['probability']:.1%}"
    if "labels" in one:
        probabilities = one["probabilities"]
        shown = [f"{label} {probabilities[label]:.1%}" for label in one["labels"]]
        return ", ".join(shown) or "none"
    values = one.get("values") or {"": one["value"]}
    numbers = [f"{name} {number:.6g}".strip() for name, number in values.items()]
    return " ".join([", ".join(numbers), one.get("unit", "")]).strip()


def origin_in_words(row: Mapping[str, Any]) -> str:
    """Where a row is from: `a.png`, or `rows.csv:3`."""
    return f"{row['file']}:{row['line']}" if "line" in row else str(row["file"])


# --- what is asked


def read(columns: Columns, argument: str) -> Iterator[Example]:
    """The examples that an argument names: a picture, a volume, a folder of them, or table rows.

    For a network that takes a text alone, the text itself or a file with a text a line.

    Raises: ArgumentError.
    """
    path = Path(argument)
    first, *others = columns["inputs"]
    text_alone = first["kind"] == "text" and not others
    lines = text_alone and inner_suffix(path) in OBJECTS
    if inner_suffix(path) in TABLES or (holds_objects(path) and not lines):
        yield from read_rows(columns["inputs"], path)
        return
    if text_alone:
        yield from read_texts(first, argument)
        return
    if not others and first["kind"] == "volume":
        yield from read_scans(first, path)
        return
    if others or first["kind"] != "image":
        raise ArgumentError(
            f"'{argument}' is no table. This network takes {taken(columns)}; give a .csv, "
            f".jsonl or .parquet file with the columns {listed(needed(columns['inputs']))}."
        )
    files = sorted_pictures(path) if path.is_dir() else [path]
    if not files:
        raise ArgumentError(
            f"no picture is in {argument}. Expected files that end in {', '.join(SUFFIXES)}."
        )
    for file in files:
        one = Example({"file": str(file)})
        try:
            one.inputs[first["name"]] = read_picture(file, first)
        except Unreadable as error:
            one.reason = str(error)
        yield one


def taken(columns: Columns) -> str:
    """The inputs in words."""
    return " and ".join(f"'{each['name']}' ({each['kind']})" for each in columns["inputs"])
