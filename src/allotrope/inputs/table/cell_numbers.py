"""What a cell says if it holds a number: how numbers of a column are written, and their values.

A delivered predict.py carries this text, so that it reads as the training did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

MISSING = frozenset(
    (
        *("", "na", "n/a", "n.a.", "n.a", "nan", "null", "none", "nil", "missing"),
        *("-", "--", ".", "?"),
        *("#n/a", "#na", "#null!", "#div/0!", "#value!", "#ref!", "#name?", "#num!"),
    )
)
"""What stands for a number that is missing, in any case; the last ones are a spreadsheet's."""
INFINITE = frozenset(("inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"))
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
"""A number as programs write it."""
SAMPLE = re.compile(r"(?P<before>.*?)1(?P<group>\D?)234(?P<point>[.,])5(?P<after>.*)", re.DOTALL)
MINUS = "\u2212"
"""The sign of typesetters."""


@dataclass(frozen=True)
class NumberForm:
    """How numbers are written: what parts thousands ("" if nothing does) and decimals, and a unit.

    The unit stands `before` the number or `after` it.
    """

    group: str = ""
    point: str = "."
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, sample: str) -> NumberForm:
        """The form in which 1234.5 is written so; "" is the plain one."""
        match = SAMPLE.fullmatch(sample)
        return cls() if match is None else cls(**match.groupdict())

    @property
    def sample(self) -> str:
        """How 1234.5 is written; nothing if it is written plainly."""
        if (self.group, self.point, self.before, self.after) == ("", ".", "", ""):
            return ""
        return f"{self.before}1{self.group}234{self.point}5{self.after}"

    def number(self, cell: str) -> float:
        """The number in a cell; its unit may lack. Raises: ValueError if it is not written so."""
        body = self._body(cell)
        if self.group:
            body = self._without_groups(body)
        if self.point == ",":
            # A point would part thousands there, and was taken away if it does.
            body = body.replace(".", "?").replace(",", ".")
        if not PLAIN.fullmatch(body):
            raise ValueError(f"'{cell}' is no number")
        return float(body)

    def _body(self, cell: str) -> str:
        """The cell without its unit; a sign may stand before the unit or behind it."""
        text = cell.replace(MINUS, "-")
        if not self.before and not self.after:
            return text
        sign = text[:1] if text[:1] in ("+", "-") else ""
        text = text.removeprefix(sign).removeprefix(self.before.strip())
        for unit in (f"{self.after.strip()}s", self.after.strip()):
            text = text.removesuffix(unit)
        return sign + text.strip()

    @cached_property
    def _grouped(self) -> re.Pattern[str]:
        group, point = re.escape(self.group), re.escape(self.point)
        return re.compile(rf"([+-]?[1-9]\d{{0,2}}(?:{group}\d{{3}})+)({point}\d*)?", re.ASCII)

    def _without_groups(self, body: str) -> str:
        grouped = self._grouped.fullmatch(body)
        if grouped is None:
            return body
        return grouped[1].replace(self.group, "") + (grouped[2] or "")


def number_in(cell: str, form: NumberForm) -> float:
    """The number in a cell, NaN if it says that there is none. Raises: ValueError."""
    lower = cell.lower()
    if lower in MISSING:
        return float("nan")
    return float(cell) if lower in INFINITE else form.number(cell)
