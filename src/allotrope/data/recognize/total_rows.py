"""A last row that sums up those above it, as spreadsheets end with: it is no example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

SUMS = frozenset(
    (
        *("total", "totals", "grand total", "sub total", "subtotal", "sum", "overall", "all"),
        *("summe", "gesamt", "gesamtsumme", "insgesamt", "somme", "totaal", "totale", "suma"),
    )
)
MEANS = frozenset(("average", "avg", "mean", "mittelwert", "durchschnitt", "moyenne", "media"))
"""What the cell beside sums or means says, in any case."""
LEAST_ROWS = 5
NEAR = 1e-4
"""A total may be rounded."""


@dataclass(frozen=True)
class TotalRow:
    """The last row of a split: the column that it sums up, if one, and the `word` that says so.

    Without such a column it may be an example that is called so.
    """

    column: str
    what: str
    word: str


def total_row(
    texts: Mapping[str, np.ndarray], numbers: Mapping[str, np.ndarray]
) -> TotalRow | None:
    """Whether the last row of these columns [n] is one, by its word and by its numbers.

    Without a word all texts of the row have to lack, and all of its numbers to be sums.
    """
    length = len(next(chain(texts.values(), numbers.values()), ()))
    if length <= LEAST_ROWS or not numbers:
        return None
    word = _word(texts.values())
    kinds = {name: _kind(column, word) for name, column in numbers.items()}
    known = {name: kind for name, kind in kinds.items() if kind is not None}
    column = next((name for name, kind in known.items() if kind), "")
    if word:
        return TotalRow(column, known.get(column, ""), word)
    empty = all(not str(column[-1]) for column in texts.values())
    enough = len(known) >= (1 if texts else 2)
    if empty and enough and all(known.values()):
        return TotalRow(column, known[column], "")
    return None


def _word(texts: Iterable[np.ndarray]) -> str:
    """The cell of the last row that names sums or means, if no other row has it."""
    for column in texts:
        cell = str(column[-1])
        if _core(cell) in SUMS | MEANS and not np.any(column[:-1] == cell):
            return cell
    return ""


def _core(cell: str) -> str:
    return cell.strip(" :*.\t").lower().replace("-", " ")


def _kind(column: np.ndarray, word: str) -> str | None:
    """Whether the last number is the sum of those above, or their mean; nothing if neither.

    None if it is missing.
    """
    others, last = column[:-1], float(column[-1])
    if np.isnan(last):
        return None
    others = others[np.isfinite(others)]
    if len(others) < LEAST_ROWS or not np.isfinite(last) or last == 0:
        return ""
    if _core(word) in MEANS:
        return "mean" * _near(last, float(others.mean()))
    # A number that is no larger than one above may be a sum by chance.
    beyond = abs(last) > float(np.abs(others).max())
    return "sum" * (beyond and _near(last, float(others.sum())))


def _near(value: float, expected: float) -> bool:
    return abs(value - expected) <= NEAR * abs(expected)
