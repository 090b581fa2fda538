"""The confusion matrix as a heat map: where each cell goes, which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.report.formatting import count, percent, shortened
from allotrope.report.record import Record, finite

MOST_CLASSES = 120
MOST_PAIRS = 10
STRONGEST = 0.55


@dataclass(frozen=True)
class Cell:
    """One cell with a count above 0.

    `strength` is the opacity of its colour, `title` says it in words.
    """

    x: float
    y: float
    kind: str
    strength: float
    text: str
    title: str


@dataclass(frozen=True)
class Pair:
    """Examples of one class that were taken for another.

    `share` is the fraction of the true class.
    """

    true: str
    predicted: str
    count: float
    share: float


@dataclass(frozen=True)
class Matrix:
    """The heat map in pixels: rows are true classes, columns predicted ones.

    Upright column names where they are short.
    """

    width: float
    height: float
    left: float
    top: float
    cell: float
    font: float
    upright: bool
    labels: list[str]
    cells: list[Cell]
    summary: str


def read_confusion(test: Record, classes: Sequence[str]) -> tuple[list[str], list[list[float]]]:
    """Class names and counts [k, k]; both empty where run.json has no square matrix of numbers."""
    matrix = test.items("confusion")
    if not all(isinstance(row, list) for row in matrix):
        return [], []
    rows = [list(map(finite, row)) for row in matrix]
    if len(rows) < 2 or any(len(row) != len(rows) or None in row for row in rows):
        return [], []
    names = list(classes)
    if len(names) != len(rows):
        names = [str(index) for index in range(len(rows))]
    return names, [[max(0.0, value or 0.0) for value in row] for row in rows]


def confusion_matrix(names: Sequence[str], counts: Sequence[Sequence[float]]) -> Matrix | None:
    """The heat map; None for no class or more than MOST_CLASSES, where it could not be read."""
    if not names or len(names) > MOST_CLASSES:
        return None
    labels = [shortened(name, 16) for name in names]
    cell = max(9.5, min(34.0, 640 / len(names)))
    font = min(12.0, cell * 0.94)
    longest = max(len(label) for label in labels)
    # The names of columns stand upright if each fits above its own column, else they lean.
    upright = longest * font * 0.62 <= cell - 2
    left = 26 + longest * font * 0.6
    top = 30 + longest * font * 0.6
    if upright:
        top = 42.0
    right = sum(row[index] for index, row in enumerate(counts))
    total = sum(map(sum, counts))
    return Matrix(
        width=round(left + cell * len(names) + 4),
        height=round(top + cell * len(names) + 4),
        left=round(left, 1),
        top=round(top, 1),
        cell=round(cell, 2),
        font=round(font, 1),
        upright=upright,
        labels=labels,
        cells=_cells(names, counts, left, top, cell),
        summary=(
            f"Confusion matrix of {len(names)} classes: {count(right)} of {count(total)} examples "
            "on the diagonal."
        ),
    )


def confused_pairs(names: Sequence[str], counts: Sequence[Sequence[float]]) -> list[Pair]:
    """The most frequent mistakes, at most MOST_PAIRS."""
    pairs = [
        Pair(names[true], names[predicted], value, value / sum(row))
        for true, row in enumerate(counts)
        for predicted, value in enumerate(row)
        if value > 0 and true != predicted
    ]
    return sorted(pairs, key=lambda pair: (-pair.count, -pair.share))[:MOST_PAIRS]


def _cells(
    names: Sequence[str], counts: Sequence[Sequence[float]], left: float, top: float, size: float
) -> list[Cell]:
    """The diagonal is coloured by the share of its class, mistakes by that of the worst cell.

    So both can be read at once.
    """
    shares = [[value / (sum(row) or 1.0) for value in row] for row in counts]
    worst = (
        max(
            (
                share
                for true, row in enumerate(shares)
                for column, share in enumerate(row)
                if true != column
            ),
            default=0.0,
        )
        or 1.0
    )
    cells = []
    for true, row in enumerate(counts):
        for column, value in enumerate(row):
            if value <= 0:
                continue
            share = shares[true][column]
            if true == column:
                kind, strength = "right", share
            else:
                kind, strength = "wrong", share / worst
            place = (round(left + column * size, 2), round(top + true * size, 2))
            cells.append(
                Cell(
                    *place,
                    kind,
                    _opacity(strength),
                    _number(value, size),
                    _title(names[true], names[column], value, share),
                )
            )
    return cells


def _opacity(strength: float) -> float:
    return round(0.08 + (STRONGEST - 0.08) * strength, 3)


def _number(value: float, size: float) -> str:
    text = f"{value:.0f}"
    if size >= 20 and len(text) * 7 <= size - 2:
        return text
    return ""


def _title(true: str, predicted: str, value: float, share: float) -> str:
    if true == predicted:
        verb = "recognized"
    else:
        verb = f"taken for {shortened(predicted, 40)}"
    return f"{shortened(true, 40)} {verb}: {count(value)} ({percent(share, 1)} of its examples)"
