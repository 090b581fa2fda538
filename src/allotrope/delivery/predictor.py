"""Arguments of a command as inputs of a network, and its outputs as answers.

`predict` and a delivered predict.py, which carries this text, read alike. So it needs nothing but
NumPy and, for pictures, Pillow.

`columns` are what the file says of its inputs and tasks (`allotrope.columns` in its metadata). A
row of answers is {"file", "line" in a table, "answers": {task: …}}, or has the `reason` why there
are none.
"""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from allotrope.inputs.image.decoding import to_pixels
from allotrope.inputs.image.formats import FORMATS, SUFFIXES

AT_ONCE = 64
TABLES = (".csv", ".tsv", ".tab")
SEPARATORS = (",", ";", "\t", "|")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?|[+-]?\d+")
MISSING = ("", "na", "n/a", "nan", "null", "none", "nil", "-", "?", "#n/a", "missing")
MOST_PIXELS = 89_478_485
"""Pillow's own limit against decompression bombs: a quarter of a gigabyte as RGB."""
USUAL_THRESHOLD = 0.5
KINDS = ("image", "table")

Columns = Mapping[str, Sequence[Mapping[str, Any]]]
Run = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]


class ArgumentError(Exception):
    """An argument that cannot be read as a whole."""


class Unreadable(Exception):
    """A part of one example that cannot be read; its text is the reason."""


@dataclass
class Example:
    """One example: where it is from, raw inputs by name, or the `reason` why there are none."""

    origin: dict[str, Any]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    reason: str = ""


def predicted(
    columns: Columns, run: Run, arguments: Sequence[str], top: int = 5
) -> Iterator[dict[str, Any]]:
    """A row for each example that the arguments name, in their order.

    Raises: ArgumentError.
    """
    examples = (one for argument in arguments for one in read(columns, argument))
    while batch := list(islice(examples, AT_ONCE)):
        answers = iter(answered(columns, run, batch, top))
        for one in batch:
            what = {"reason": one.reason} if one.reason else next(answers)
            yield {**one.origin, **what}


def answered(
    columns: Columns, run: Run, examples: Iterable[Example], top: int
) -> Iterator[dict[str, Any]]:
    """The answers for those examples that could be read."""
    readable = [one.inputs for one in examples if not one.reason]
    if not readable:
        return
    outputs = run({name: np.stack([one[name] for one in readable]) for name in readable[0]})
    for number in range(len(readable)):
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
    """The examples that an argument names: a picture, a folder of them, or the rows of a table.

    Raises: ArgumentError.
    """
    path = Path(argument)
    if path.suffix.lower() in TABLES:
        yield from read_rows(columns["inputs"], path)
        return
    first, *others = columns["inputs"]
    if others or first["kind"] != "image":
        raise ArgumentError(
            f"'{argument}' is no table. This network takes {taken(columns)}; give a .csv file with "
            f"the columns {listed(needed(columns['inputs']))}."
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


def needed(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of a table that has all inputs."""
    return [name for each in inputs for name in each.get("columns", [each["name"]])]


def listed(names: Iterable[str]) -> str:
    """Names, each in quotes."""
    return ", ".join(f"'{name}'" for name in names)


def sorted_pictures(folder: Path) -> list[Path]:
    """Every picture below, but for hidden ones and those in folders of runs."""
    pictures = []
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        if here != folder and (here / "run.json").is_file():
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        pictures += [
            here / name
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return pictures


def read_picture(path: Path, facts: Mapping[str, Any]) -> np.ndarray:
    """Pixels uint8 [h, w, c] as an input of these `facts` takes them. Raises: Unreadable."""
    # Only here: without pictures, Pillow need not be there.
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise Unreadable("no such file")
    if not path.stat().st_size:
        raise Unreadable("the file is empty (0 bytes)")
    size = facts["height"], facts["width"], facts["channels"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=list(FORMATS)) as image:
                if image.width * image.height > MOST_PIXELS:
                    at_most = f"at most {MOST_PIXELS:,} are decoded"
                    raise Unreadable(f"{image.width}x{image.height} pixels; {at_most}")
                return np.ascontiguousarray(to_pixels(image, *size, facts.get("value_range")))
    except UnidentifiedImageError:
        raise Unreadable(f"its content is none of {', '.join(FORMATS)}") from None
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a broken file
        raise Unreadable(str(error) or type(error).__name__) from None


# --- tables


def read_rows(inputs: Sequence[Mapping[str, Any]], path: Path) -> Iterator[Example]:
    """The rows of a table, each with its line. Raises: ArgumentError."""
    cells, lines, separator = read_table(inputs, path)
    rows = [Example({"file": str(path), "line": line}) for line in lines]
    for facts in inputs:
        if facts["kind"] == "table":
            add_numbers(rows, facts, cells, separator)
    for number, one in enumerate(rows):
        # One picture after the other, when it is asked for: all at once might fill the memory.
        for facts in inputs:
            if facts["kind"] == "image" and not one.reason:
                add_picture(one, facts, path.parent, cells[facts["name"]][number])
        yield one


def read_table(
    inputs: Sequence[Mapping[str, Any]], path: Path
) -> tuple[dict[str, list[str]], list[int], str]:
    """The cells of the columns that are needed, the line of each row, and what parts cells.

    Raises: ArgumentError.
    """
    unknown = [f"'{each['name']}' ({each['kind']})" for each in inputs if each["kind"] not in KINDS]
    if unknown:
        raise ArgumentError(f"{path}: nothing here reads {', '.join(unknown)}.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be opened: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ArgumentError(f"{path}: is not in UTF-8. Save it as UTF-8.") from None
    wanted = needed(inputs)
    header, rows, separator = best_parted(path, text, wanted)
    check_header(path, header, wanted)
    if not rows:
        raise ArgumentError(f"{path}: holds a header and no rows.")
    wrong = [f"line {line} has {len(row)}" for line, row in rows if len(row) != len(header)]
    if wrong:
        more = f" and {len(wrong) - 5} more rows" if len(wrong) > 5 else ""
        raise ArgumentError(
            f"{path}: rows differ in length: the header has {len(header)} cells, "
            f"{', '.join(wrong[:5])}{more}. Put cells that hold the separator in quotes."
        )
    places = {name: header.index(name) for name in wanted}
    cells = {name: [row[place] for _, row in rows] for name, place in places.items()}
    return cells, [line for line, _ in rows], separator


def best_parted(
    path: Path, text: str, wanted: Sequence[str]
) -> tuple[list[str], list[tuple[int, list[str]]], str]:
    """Header and rows with their lines, parted by what gives most of the columns wanted."""
    tables = []
    for separator in SEPARATORS:
        try:
            rows = list(parted(text, separator))
        except csv.Error as error:
            problem = str(error)
            continue
        header = rows[0][1] if rows else []
        tables.append((len(set(header) & set(wanted)), header, rows[1:], separator))
    if not tables:
        raise ArgumentError(f"{path}: cannot be read as a table: {problem}.")
    _, header, rows, separator = max(tables, key=lambda table: table[0])
    return header, rows, separator


def parted(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield before + 1, cells
        before = reader.line_num


def check_header(path: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    """Raises: ArgumentError if a column is not there, or there twice."""
    lacking = [name for name in wanted if name not in header]
    if lacking:
        raise ArgumentError(
            f"{path}: lacks the columns {listed(lacking)}; its first line has {listed(header)}."
        )
    counts = Counter(header)
    twice = [name for name in wanted if counts[name] > 1]
    if twice:
        raise ArgumentError(f"{path}: several columns are called {listed(twice)}. Rename them.")


def add_numbers(
    rows: Sequence[Example],
    facts: Mapping[str, Any],
    cells: Mapping[str, Sequence[str]],
    separator: str,
) -> None:
    """The row of numbers of each example, or the reason why it has none."""
    names, gaps = facts["columns"], facts.get("missing", ())
    values = np.full((len(rows), len(names)), np.nan, np.float32)
    for place, name in enumerate(names):
        column = cells[name]
        comma = separator != "," and written_with_commas(column)
        for number, cell in enumerate(column):
            value, problem = number_in(cell, comma, place in gaps)
            values[number, place] = value
            if problem and not rows[number].reason:
                rows[number].reason = f"'{name}' {problem}"
    for one, row in zip(rows, values, strict=True):
        one.inputs[facts["name"]] = row


def written_with_commas(column: Sequence[str]) -> bool:
    """Whether all numbers are written as in 3,5."""
    present = [cell for cell in column if cell.lower() not in MISSING]
    return any("," in cell for cell in present) and all(map(DECIMAL_COMMA.fullmatch, present))


def number_in(cell: str, comma: bool, may_miss: bool) -> tuple[float, str]:
    """The number in a cell, and what is wrong with it if anything is."""
    if cell.lower() in MISSING:
        none = "is missing, and no row that was learned from lacked it"
        return float("nan"), "" if may_miss else none
    if comma:
        cell = cell.replace(",", ".")
    if not NUMBER.fullmatch(cell):
        return float("nan"), f"is '{cell}', expected a number"
    if abs(float(cell)) > float(np.finfo(np.float32).max):
        return float("nan"), f"is {cell}, too large for float32"
    return float(cell), ""


def add_picture(one: Example, facts: Mapping[str, Any], folder: Path, name: str) -> None:
    """The picture that a cell names, or the reason why there is none."""
    try:
        one.inputs[facts["name"]] = read_picture(inside(folder, name), facts)
    except Unreadable as error:
        one.reason = f"'{facts['name']}' is '{name}': {error}"


def inside(folder: Path, name: str) -> Path:
    """The file of this name in the folder or below. Raises: Unreadable for any other."""
    name = name.strip()
    if "/" not in name:
        name = name.replace("\\", "/")
    if not name or "\0" in name:
        raise Unreadable("no picture is named")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name):
        raise Unreadable("a web address; nothing is downloaded")
    outside = Unreadable("lies outside of the table's folder, where nothing is read")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise outside
    real, home = os.path.realpath(folder / name), os.path.realpath(folder)
    if os.path.commonpath([real, home]) != home:
        raise outside
    return folder / name
