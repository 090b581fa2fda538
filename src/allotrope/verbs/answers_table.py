"""Answers as a table: a row for each example in its order, with the cells that it came with."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from allotrope.delivery.asked import needed
from allotrope.delivery.object_rows import cell_of, holds_objects, object_rows
from allotrope.delivery.table_rows import TABLES, best_parted
from allotrope.delivery.text_lines import encoding_of, inner_suffix, text_in
from allotrope.errors import UsageError
from allotrope.inputs.table.cell_numbers import PLAIN
from allotrope.storage import replace_file

Row = Mapping[str, Any]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet may compute."""


def check_out(out: Path) -> None:
    """Raises: UsageError if there is such a file, which may be the user's data, or no .csv."""
    if out.suffix.lower() != ".csv":
        raise UsageError(f"--out {out}: answers are written as .csv. Name such a file.")
    if out.exists():
        raise UsageError(f"--out {out}: there is such a file. Name a new one, or remove it.")


def write_answers(out: Path, rows: Sequence[Row], columns: Mapping[str, Any]) -> None:
    """Writes the rows of `predict`. Raises: RunFolderError if the file cannot be written."""
    names, cells = _cells_before(rows, columns)
    answers = [dict(_answer_cells(row, columns["tasks"])) for row in rows]
    of_answers = list(dict.fromkeys(name for one in answers for name in one))
    # A column of the table may be called as a task is, as the truth beside its answer.
    heads = [f"{name} (answer)" if name in names else name for name in of_answers]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(map(harmless, [*names, *heads]))
    for before, one in zip(cells, answers, strict=True):
        table.writerow(map(harmless, [*before, *(one.get(name, "") for name in of_answers)]))
    replace_file(out, text.getvalue().encode())


def harmless(cell: Any) -> str:
    """The cell, behind a ' if a spreadsheet would compute it as a formula and it is no number.

    After OWASP, "CSV injection": a table of answers is often opened in one.
    """
    text = str(cell)
    if text[:1] in FORMULA and len(text) > 1 and not PLAIN.fullmatch(text):
        return f"'{text}"
    return text


def _cells_before(
    rows: Sequence[Row], columns: Mapping[str, Any]
) -> tuple[list[str], list[list[str]]]:
    """The cells of the only table that all rows are from; else their files and lines."""
    files = {row["file"] for row in rows}
    path = Path(next(iter(files), ""))
    encoding = encoding_of(columns["inputs"])
    if len(files) == 1 and inner_suffix(path) in TABLES:
        header, lines, _ = best_parted(path, text_in(path, encoding), needed(columns["inputs"]))
        by_line = dict(lines)
        return header, [by_line[row["line"]] for row in rows]
    if len(files) == 1 and holds_objects(path) and "line" in rows[0]:
        objects = object_rows(path, encoding=encoding)
        header = objects.header
        values = dict(zip(objects.lines, objects.values, strict=True))
        return header, [[_cell(values[row["line"]].get(name)) for name in header] for row in rows]
    return ["file", "line"], [[row["file"], row.get("line", "")] for row in rows]


def _cell(value: Any) -> str:
    """A value as a cell; what is none, such as a list, as JSON."""
    try:
        return cell_of(value)
    except TypeError:
        return json.dumps(value, default=str)


def _answer_cells(row: Row, tasks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Names and cells: the class and probabilities, values, flags; or the reason for none."""
    if "reason" in row:
        yield "reason", row["reason"]
        return
    for task in tasks:
        name, answer = task["name"], row["answers"][task["name"]]
        if "class" in answer:
            yield name, answer["class"]
            probabilities = {guess["class"]: guess["probability"] for guess in answer["top"]}
            for each in task["classes"]:
                yield f"{name}={each}", f"{probabilities[each]:.6g}"
        elif "labels" in answer:
            for each, probability in answer["probabilities"].items():
                yield each, int(each in answer["labels"])
                yield f"P({each})", f"{probability:.6g}"
        else:
            for part, value in answer.get("values", {name: answer.get("value")}).items():
                yield part, f"{value:.9g}"
