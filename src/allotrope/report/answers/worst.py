"""The examples that were answered worst, with what there is to see of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from allotrope.report.record import Record
from allotrope.report.run_folder import RunFolder

MOST_LISTED = 200


@dataclass(frozen=True)
class Worst:
    """An example: its picture as a data URL and its cells, if it has such.

    What is, and was said, of it.
    """

    picture: str
    cells: tuple[tuple[str, str], ...]
    file: str
    true: str
    predicted: str
    detail: str


def worst_examples(
    rows: list[Record], folder: RunFolder, said: Callable[[Record], tuple[str, str, str]]
) -> list[Worst]:
    """Those that can be shown, in the order of run.json.

    `said` gives true, predicted and detail.
    """
    examples = []
    for row in rows[:MOST_LISTED]:
        picture, cells = folder.picture(row.text("picture")), _cells(row)
        if picture or cells:
            examples.append(Worst(picture, cells, _origin(row), *said(row)))
    return examples


def rows_alike(examples: list[Worst]) -> bool:
    """Whether they are rows of a table with the same columns, and nothing else."""
    names = {tuple(name for name, _ in each.cells) for each in examples}
    return len(names) == 1 and () not in names and not any(each.picture for each in examples)


def _cells(row: Record) -> tuple[tuple[str, str], ...]:
    return tuple((cell.text("name"), cell.text("value")) for cell in row.records("cells"))


def _origin(row: Record) -> str:
    """The file or row that it is from, or its place in the test data."""
    index = row.text("index")
    return row.text("file") or (f"test example {index}" if index else "")
