"""Words that depend on how many there are, and on what examples are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

HISSING = ("s", "x", "z", "sh", "tch", "nch", "rch")
"""Ends of nouns to which not only an s is added; the ch of epoch is a k."""


def counted(number: float, noun: str, write: Callable[[float], str] = "{:,.12g}".format) -> str:
    """The number and its noun: `1 thread`, `2 threads`, `1,200 training images`."""
    return f"{write(number)} {agreeing(number, noun)}"


def agreeing(number: float, word: str, several: str | None = None) -> str:
    """The word as it stands behind the number: a noun, or a verb with its form for several."""
    if number == 1:
        return word
    if several is None:
        return plural(word)
    return several


def plural(noun: str) -> str:
    """Of a regular noun, or of words of which the last one is: `classes`, `entries`."""
    if noun.endswith(HISSING):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def significant(value: float, digits: int = 4) -> str:
    """`value` with so many significant digits, without exponent between 0.0001 and a billion.

    Thousands are set apart by commas: `56,250`, `3.410`, `0.00012`, `1.2e-7`.
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -5 < exponent < 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def example_noun(kinds: Iterable[str]) -> str:
    """What an example with inputs of these kinds is called: an image, if it is nothing else.

    A volume alike.
    """
    names = list(kinds)
    if names in (["image"], ["volume"]):
        return names[0]
    return "example"
