"""How the numbers of a column of texts are written: thousands, decimals, units.

1,234 is one and a quarter in half of the world and over a thousand in the other half. What is
written so is read by what else the table holds; if that does not tell, it is not guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.inputs.table.cell_numbers import INFINITE, MISSING, PLAIN, NumberForm, number_in

MARKS = {"point": ".", "comma": ","}
"""What parts decimals, by the words of the option that says it."""
MOSTLY = 0.5
"""A column in which more cells than this part are numbers is meant to hold numbers."""
FEW = 20
"""So few different cells are rather categories, if some of them are no numbers."""
TRIED = 500
"""Different cells by which it is told that a column holds no numbers at all."""
CODE = re.compile(r"0\d+", re.ASCII)
"""Digits of which the first is a zero are a code, such as that of a town."""
THOUSANDS = re.compile(r"[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|\d+)", re.ASCII)
"""A whole number, perhaps with points between its thousands."""
MONEY = r"[$€£¥₹₽₩₺₴₪฿]|(?:USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|BRL)"
CELL = re.compile(
    rf"[+\-\u2212]?(?P<before>(?:{MONEY})?)\s?"
    r"(?P<body>[+\-\u2212]?(?:\d[\d.,'\u2019 \u00a0\u202f]*(?<=[\d.,])|[.,]\d+)(?:[eE][+-]?\d+)?)"
    rf"(?P<after>\s?(?:{MONEY}|%|‰|°?[^\W\d_][\w/²³]{{0,11}}|°)?)",
)
"""A number with a sign before its unit or behind it."""
GROUPS = re.compile(r"[.,'\u2019 \u00a0\u202f]")
KNOWN_UNITS = frozenset(
    (
        *("%", "‰", "°", "°c", "°f", "mm", "cm", "m", "km", "in", "ft", "yd", "mi", "m2", "m²"),
        *("m3", "m³", "sqft", "ha", "mg", "g", "kg", "t", "lb", "oz", "ml", "cl", "l", "cc"),
        *("ms", "min", "h", "hr", "day", "week", "month", "year", "hour", "minute", "second"),
        *("w", "kw", "kwh", "hp", "bhp", "v", "hz", "khz", "mhz", "ghz", "pa", "kpa", "bar", "psi"),
        *("km/h", "kmh", "mph", "kmpl", "kb", "mb", "gb", "tb"),
    )
)
"""Units that numbers of one column may differ in, which is a mistake and no name."""


@dataclass(frozen=True)
class NumbersFound:
    """The form of a column's numbers, and the `other` one in which all may be read as well.

    `marked`: some of them have a mark that parts thousands or decimals. `codes`: they are digits
    that begin with zeros. `doubt` says what keeps them from being one quantity.
    """

    form: NumberForm
    other: NumberForm | None = None
    marked: bool = False
    codes: bool = False
    doubt: str = ""


def numbers_found(cells: Sequence[str]) -> NumbersFound | None:
    """How the numbers of a column are written; None if most of its cells are none."""
    return numbers_by_page([cells], lambda: set(cells))


def numbers_by_page(
    pages: Iterable[Sequence[str]], distinct: Callable[[], Collection[str]]
) -> NumbersFound | None:
    """As `numbers_found`, of cells by page; `distinct` are all different ones of the column.

    They are only asked for if some cells are no plain numbers: those may differ in each row.
    """
    plain = _PlainNumbers()
    if all(plain.take(set(cells)) for cells in pages):
        return plain.numbers()
    apart = MISSING | INFINITE
    present = [cell for cell in distinct() if cell.lower() not in apart]
    first = sorted(present)[:: max(len(present) // TRIED, 1)]
    if sum(CELL.fullmatch(cell) is not None for cell in first) <= MOSTLY * len(first):
        return None
    matches = [match for match in map(CELL.fullmatch, present) if match is not None]
    units = _Units.of(matches)
    if not units.certain(len(present)):
        return None
    return _by_marks(present, matches, units)


@dataclass
class _PlainNumbers:
    """Goes over cells that are numbers as programs write them.

    They may all look like thousands with points, or be digits of which some begin with a zero.
    """

    known: bool = False
    present: bool = False
    marked: bool = False
    zeros_first: bool = False
    digits: bool = True
    thousands: bool = True

    def take(self, cells: Collection[str]) -> bool:
        """Look at more cells; whether all of them are such numbers, or missing."""
        there = [cell for cell in cells if cell.lower() not in MISSING]
        present = [cell for cell in there if cell.lower() not in INFINITE]
        if not all(map(PLAIN.fullmatch, present)):
            return False
        self.known = self.known or bool(there)
        self.present = self.present or bool(present)
        self.marked = self.marked or any("." in cell for cell in present)
        self.zeros_first = self.zeros_first or any(map(CODE.fullmatch, present))
        self.digits = self.digits and all(map(str.isdigit, present))
        self.thousands = self.thousands and all(map(THOUSANDS.fullmatch, present))
        return True

    def numbers(self) -> NumbersFound | None:
        """What all cells together are."""
        if not self.present:
            return NumbersFound(NumberForm()) if self.known else None
        other = NumberForm(".", ",") if self.marked and self.thousands else None
        return NumbersFound(NumberForm(), other, self.marked, self.zeros_first and self.digits)


@dataclass(frozen=True)
class _Units:
    """How many numbers have which unit, and how it is spelled most often before and after them."""

    counts: Counter[str]
    before: str
    after: str

    @classmethod
    def of(cls, matches: Sequence[re.Match[str]]) -> _Units:
        spelled = Counter((match["before"], match["after"]) for match in matches)
        counts: Counter[str] = Counter()
        for (before, after), count in spelled.items():
            counts[_core(before + after)] += count
        main = counts.most_common(1)[0][0]
        before, after = next(key for key, _ in spelled.most_common() if _core("".join(key)) == main)
        if len(after.strip()) > len(main) > 2:
            after = after.removesuffix("s")
        return cls(counts, before, after)

    def certain(self, cells: int) -> bool:
        """Whether they make numbers of so many different cells, and not parts of names.

        A word that is no known unit may be part of a name, as in 320i and 330d; and a few texts
        that repeat, as 3G, 4G and LTE do, are rather categories.
        """
        if set(self.counts) == {""}:
            return True
        whole = self.counts.total() == cells
        if all(_is_known(unit) for unit in self.counts if unit):
            return whole or cells > FEW
        return whole and len(self.counts) == 1

    @property
    def doubt(self) -> str:
        """What numbers of different units are said to be; nothing if they have one."""
        if len(self.counts) == 1:
            return ""
        listed = ", ".join(
            f"{count:,} {f'with {unit!r}' if unit else 'without unit'}"
            for unit, count in self.counts.most_common()
        )
        return f"numbers of different units: {listed}"


def _is_known(unit: str) -> bool:
    return unit in KNOWN_UNITS or re.fullmatch(MONEY, unit, re.IGNORECASE) is not None


def _core(unit: str) -> str:
    """A unit in one spelling: of months and month the same."""
    lower = unit.strip().lower()
    return lower.removesuffix("s") if len(lower) > 2 else lower


def _by_marks(
    cells: Sequence[str], matches: Sequence[re.Match[str]], units: _Units
) -> NumbersFound | None:
    """The form by the marks in the numbers."""
    marks = Counter(mark for match in matches for mark in set(GROUPS.findall(match["body"])))
    forms = []
    for point in MARKS.values():
        groups = [mark for mark, _ in marks.most_common() if mark != point]
        forms.append(NumberForm((groups or [""])[0], point, units.before, units.after))
    counts = [_parsed(cells, form) for form in forms]
    best = counts.index(max(counts))
    if counts[best] <= MOSTLY * len(cells) and not units.doubt:
        return None
    marked = any(mark in MARKS.values() for mark in marks)
    ambiguous = counts[0] == counts[1] == len(cells) and marked
    other = forms[1] if ambiguous else None
    return NumbersFound(forms[best], other, marked, doubt=units.doubt)


def _parsed(cells: Sequence[str], form: NumberForm) -> int:
    """How many of the cells are numbers in this form."""
    count = 0
    for cell in cells:
        try:
            form.number(cell)
        except ValueError:
            continue
        count += 1
    return count


def points_of(columns: Mapping[str, NumbersFound | None]) -> dict[str, str]:
    """The mark that parts decimals in each column that tells it, by the column's name."""
    return {
        name: each.form.point
        for name, each in columns.items()
        if each is not None and each.marked and each.other is None
    }


def parsed(cells: Sequence[str], form: NumberForm) -> tuple[np.ndarray, np.ndarray]:
    """Numbers float64 [n], NaN if one is missing or none, and the rows of those that are none."""
    plain = not form.sample
    values, strange = [], []
    for row, cell in enumerate(cells):
        if plain and PLAIN.fullmatch(cell):  # by far the most frequent, and there may be millions
            values.append(float(cell))
            continue
        try:
            values.append(number_in(cell, form))
        except ValueError:
            values.append(np.nan)
            strange.append(row)
    return np.array(values, np.float64), np.array(strange, np.int64)
