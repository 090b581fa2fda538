"""Rows of tables as examples; the files are hostile. A delivered predict.py carries this text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.delivery.asked import (
    ArgumentError,
    Example,
    Unreadable,
    inside,
    listed,
    needed,
    read_picture,
)
from allotrope.delivery.object_rows import PlainNumber, holds_objects, object_cells
from allotrope.delivery.scans import add_volume
from allotrope.delivery.text_lines import bytes_of, encoding_of, text_in
from allotrope.inputs.image.formats import SUFFIXES
from allotrope.inputs.table.cell_codes import ISO, coded, days, texts_of
from allotrope.inputs.table.cell_numbers import INFINITE, MISSING, NumberForm, number_in

TABLES = (".csv", ".tsv", ".tab")
SEPARATORS = (",", ";", "\t", "|")
LARGEST_CELL = 16_000_000
"""Characters of a cell; Python's own limit is 131,072."""
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?|[+-]?\d+")
THOUSANDS = re.compile(r"[+-]?([1-9]\d{0,2},\d{3}|\d{1,3})")
"""What may be a number of three decimals after a comma, or of thousands."""
KINDS = ("image", "table", "text", "volume")


def read_rows(inputs: Sequence[Mapping[str, Any]], path: Path) -> Iterator[Example]:
    """The rows of a table, each with its line. Raises: ArgumentError."""
    reasons: dict[int, str] = {}
    if holds_objects(path):
        check_kinds(inputs, path)
        cells, objects = object_cells(path, needed(inputs), counted_in(inputs), encoding_of(inputs))
        lines, separator, reasons = objects.lines, ",", objects.reasons
    else:
        cells, lines, separator = read_table(inputs, path)
    rows = [
        Example({"file": str(path), "line": line}, reason=reasons.get(line, "")) for line in lines
    ]
    for facts in inputs:
        if facts["kind"] == "table":
            add_numbers(rows, facts, cells, separator)
        if facts["kind"] == "text":
            for one, cell in zip(rows, cells[facts["name"]], strict=True):
                one.inputs[facts["name"]] = bytes_of(cell)
    for number, one in enumerate(rows):
        # One file after the other, when it is asked for: all at once might fill the memory.
        for facts in inputs:
            if facts["kind"] in ADDING and not one.reason:
                ADDING[facts["kind"]](one, facts, path.parent, cells[facts["name"]][number])
        yield one


def read_table(
    inputs: Sequence[Mapping[str, Any]], path: Path
) -> tuple[dict[str, list[str]], list[int], str]:
    """The cells of the columns that are needed, the line of each row, and what parts cells.

    Raises: ArgumentError.
    """
    check_kinds(inputs, path)
    text = text_in(path, encoding_of(inputs))
    wanted = needed(inputs)
    header, rows, separator = best_parted(path, text, wanted)
    renamed = only_files(inputs, header, rows, path.parent)
    header = [renamed.get(name, name) for name in header]
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


def check_kinds(inputs: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Raises: ArgumentError for inputs that no table can hold."""
    unknown = [f"'{each['name']}' ({each['kind']})" for each in inputs if each["kind"] not in KINDS]
    if unknown:
        raise ArgumentError(f"{path}: nothing here reads {', '.join(unknown)}.")


def counted_in(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of numbers, not of texts or dates."""
    names = []
    for facts in inputs:
        for place, name in enumerate(facts.get("columns", ())):
            texts = facts["categories"][place] if facts.get("categories") else ()
            form = facts["dates"][place] if facts.get("dates") else ""
            if not texts and not form:
                names.append(name)
    return names


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
        header, rows = named(rows, wanted)
        tables.append((len(set(header) & set(wanted)), header, rows, separator))
    if not tables:
        raise ArgumentError(f"{path}: cannot be read as a table: {problem}.")
    _, header, rows, separator = max(tables, key=lambda table: table[0])
    return header, rows, separator


def named(
    rows: list[tuple[int, list[str]]], wanted: Sequence[str]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows below it; columns are col1, col2, … if what was learned from had no header.

    Such a file may lack a header too: its first row names none of the columns then.
    """
    first = rows[0][1] if rows else []
    numbered = all(re.fullmatch(r"col\d+", name) for name in wanted)
    if numbered and first and not set(first) & set(wanted):
        return [f"col{number}" for number in range(1, len(first) + 1)], rows
    return first, rows[1:]


def only_files(
    inputs: Sequence[Mapping[str, Any]],
    header: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    folder: Path,
) -> dict[str, str]:
    """The only column that names files, as the network's only picture or volume, by any name."""
    files = [facts for facts in inputs if facts["kind"] in ADDING]
    if len(files) != 1 or files[0]["name"] in header:
        return {}
    ends = tuple(SUFFIXES) if files[0]["kind"] == "image" else ()

    def names_one(row: Sequence[str], place: int) -> bool:
        cell = row[place] if place < len(row) else ""
        # A volume may be a folder, of any name.
        return cell.lower().endswith(ends) if ends else bool(cell) and (folder / cell).exists()

    naming = [
        name
        for place, name in enumerate(header)
        if 2 * sum(names_one(row, place) for _, row in rows) > len(rows)
    ]
    return {naming[0]: files[0]["name"]} if len(naming) == 1 else {}


def parted(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not empty."""
    csv.field_size_limit(LARGEST_CELL)
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
    if not any(header):
        raise ArgumentError(f"{path}: is empty. Expected the columns {listed(wanted)}.")
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
    """The row of numbers and codes of each example, or the reason why it has none."""
    names = facts["columns"]
    values = np.full((len(rows), len(names)), np.nan, np.float32)
    for place, name in enumerate(names):
        column = cells[name]
        comma = separator != "," and written_with_commas(column)
        for number, (value, problem) in enumerate(read_column(facts, place, column, comma)):
            values[number, place] = value
            if problem and not rows[number].reason:
                rows[number].reason = f"'{name}' {problem}"
    for one, row in zip(rows, values, strict=True):
        one.inputs[facts["name"]] = row


def read_column(
    facts: Mapping[str, Any], place: int, column: Sequence[str], comma: bool
) -> Iterator[tuple[float, str]]:
    """The number or code in each cell of a column, and what is wrong with it if anything is."""
    texts = facts["categories"][place] if facts.get("categories") else ()
    form = facts["dates"][place] if facts.get("dates") else ""
    written = facts["written"][place] if facts.get("written") else ""
    # Plain numbers of training may be written with decimal commas in another file.
    number = NumberForm.of(written) if written or not comma else NumberForm(point=",")
    may_miss = place in facts.get("missing", ())
    if texts:
        for code in coded(texts_of(np.array(column)), texts).tolist():
            yield code, ""
    for cell in () if texts else column:
        if form and cell.lower() not in MISSING:
            yield date_in(cell, form)
        else:
            form_of_cell = NumberForm() if isinstance(cell, PlainNumber) else number
            yield number_of(cell, form_of_cell, may_miss)


def date_in(cell: str, form: str) -> tuple[float, str]:
    """The days since 1970 of a date, and what is wrong with it if anything is."""
    try:
        return days(cell, form), ""
    except ValueError:
        like = "a date such as 2026-11-26" if form == ISO else f"a date written as {form}"
        return float("nan"), f"is '{cell}', expected {like}"


def written_with_commas(column: Sequence[str]) -> bool:
    """Whether all numbers are written as in 3,5; 1,234 alone may be over a thousand."""
    present = [cell for cell in column if cell.lower() not in MISSING]
    if all(map(THOUSANDS.fullmatch, present)):
        return False
    return all(map(DECIMAL_COMMA.fullmatch, present))


def number_of(cell: str, form: NumberForm, may_miss: bool) -> tuple[float, str]:
    """The number in a cell, and what is wrong with it if anything is."""
    try:
        value = number_in(cell, form)
    except ValueError:
        like = f"a number written as {form.sample}" if form.sample else "a number"
        return float("nan"), f"is '{cell[:40]}', expected {like}"
    if np.isnan(value):
        none = "is missing, and no row that was learned from lacked it"
        return value, "" if may_miss else none
    if np.isinf(value) and cell.lower() in INFINITE:
        return value, f"is '{cell}', expected a number"
    if abs(value) > float(np.finfo(np.float32).max):
        return float("nan"), f"is {cell[:40]}, too large for float32"
    return value, ""


def add_picture(one: Example, facts: Mapping[str, Any], folder: Path, name: str) -> None:
    """The picture that a cell names, or the reason why there is none."""
    try:
        one.inputs[facts["name"]] = read_picture(inside(folder, name), facts)
    except Unreadable as error:
        one.reason = f"'{facts['name']}' is '{name}': {error}"


ADDING = {"image": add_picture, "volume": lambda *asked: add_volume(*asked)}
"""What reads the files that cells name, by kind of input; volumes only if there are some."""
