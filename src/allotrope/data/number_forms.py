"""How the numbers of a column of texts are written: thousands, decimals, units.

1,234 is one and a quarter in half of the world and over a thousand in the other half. What is
written so is read by what else the table holds; if that does not tell, it is not guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allotrope.inputs.table.cell_numbers import INFINITE, MISSING, PLAIN, NumberForm

MARKS = {"point": ".", "comma": ","}
"""What parts decimals, by the words of the option that says it."""
MOSTLY = 0.5
"""A column in which more cells than this part are numbers is meant to hold numbers."""
TRIED = 500
"""Different cells by which it is told that a column holds no numbers at all."""
CODE = re.compile(r"0\d+", re.ASCII)
"""Digits of which the first is a zero are a code, such as that of a town."""
MONEY = r"[$€£¥₹₽₩₺₴₪฿]|(?:USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|BRL)"
CELL = re.compile(
    rf"[+\-\u2212]?(?P<before>(?:{MONEY})?)\s?"
    r"(?P<body>[+\-\u2212]?(?:\d[\d.,'\u2019 \u00a0\u202f]*(?<=[\d.,])|[.,]\d+)(?:[eE][+-]?\d+)?)"
    rf"(?P<after>\s?(?:{MONEY}|%|‰|°?[^\W\d_][\w/²³]{{0,11}}|°)?)",
)
"""A number with a sign before its unit or behind it."""
GROUPS = re.compile(r"[.,'\u2019 \u00a0\u202f]")
KNOWN_UNITS = frozenset(
    "% ‰ ° °c °f mm cm m km in ft yd mi mg g kg t lb oz ml cl l ms min h hr w kw kwh v hz khz mhz "
    "ghz pa kpa bar psi km/h kmh mph m2 m² m3 m³ sqft ha hp bhp cc kmpl kb mb gb tb day week month "
    "year hour minute second".split()
)


@dataclass(frozen=True)
class NumbersFound:
    """The form of a column's numbers, and the `other` one in which all may be read as well.

    `marked`: some of them have a mark that parts thousands or decimals. `codes`: they are digits
    that begin with zeros.
    """

    form: NumberForm
    other: NumberForm | None = None
    marked: bool = False
    codes: bool = False


def numbers_found(cells: Sequence[str]) -> NumbersFound | None:
    """How the numbers of a column are written; None if most of its cells are none."""
    present = [cell for cell in set(cells) if _says_something(cell)]
    if not present:
        return None
    if all(map(PLAIN.fullmatch, present)):
        return _plain(present)
    first = sorted(present)[:: max(len(present) // TRIED, 1)]
    if sum(CELL.fullmatch(cell) is not None for cell in first) <= MOSTLY * len(first):
        return None
    unit = _unit(present)
    return None if unit is None else _by_marks(present, *unit)


def _says_something(cell: str) -> bool:
    lower = cell.lower()
    return lower not in MISSING and lower not in INFINITE


def _plain(cells: Sequence[str]) -> NumbersFound:
    """Numbers as programs write them; each of them may look like thousands with points."""
    marked = any("." in cell for cell in cells)
    codes = any(map(CODE.fullmatch, cells)) and all(map(str.isdigit, cells))
    comma = NumberForm(".", ",")
    if marked and _parsed(cells, comma) == len(cells):
        return NumbersFound(NumberForm(), comma, marked, codes)
    return NumbersFound(NumberForm(), None, marked, codes)


def _unit(cells: Sequence[str]) -> tuple[str, str] | None:
    """What stands before and after most numbers; None if units are so many that they are texts."""
    matches = [match for match in map(CELL.fullmatch, cells) if match is not None]
    spelled = Counter((match["before"], match["after"]) for match in matches)
    units: Counter[str] = Counter()
    for (before, after), count in spelled.items():
        units[_core(before + after)] += count
    core, count = units.most_common(1)[0]
    known = all(each in KNOWN_UNITS or re.fullmatch(MONEY, each, re.I) for each in units if each)
    # A word that is no unit may be a part of a name, such as those of 320i and 330d.
    if not known and count < len(cells):
        return None
    return next(key for key, _ in spelled.most_common() if _core("".join(key)) == core)


def _core(unit: str) -> str:
    """A unit in one spelling: of months and month the same."""
    lower = unit.strip().lower()
    return lower.removesuffix("s") if len(lower) > 2 else lower


def _by_marks(cells: Sequence[str], before: str, after: str) -> NumbersFound | None:
    """The form by the marks of numbers with this unit."""
    if _core(after) != after.strip().lower():
        after = after[: -len("s")]
    bodies = [match["body"] for match in map(CELL.fullmatch, cells) if match is not None]
    marks = Counter(mark for body in bodies for mark in set(GROUPS.findall(body)))
    forms = []
    for point in MARKS.values():
        groups = [mark for mark, _ in marks.most_common() if mark != point]
        forms.append(NumberForm(groups[0] if groups else "", point, before, after))
    counts = [_parsed(cells, form) for form in forms]
    best = counts.index(max(counts))
    if counts[best] <= MOSTLY * len(cells):
        return None
    marked = any(mark in MARKS.values() for mark in marks)
    both = counts[0] == counts[1] == len(cells) and marked
    if not marked:
        forms[0] = NumberForm(forms[0].group, ".", before, after)
    return NumbersFound(forms[best], forms[1] if both else None, marked)


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


def points_of(found: Mapping[str, NumbersFound | None]) -> dict[str, str]:
    """The mark that parts decimals in each column that tells it, by the column's name."""
    return {
        name: each.form.point
        for name, each in found.items()
        if each is not None and each.marked and each.other is None
    }
