"""Words that depend on how many there are, and on what examples are."""

from __future__ import annotations

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


def example_noun(kinds: Iterable[str]) -> str:
    """What an example with inputs of these kinds is called: an image, if it is nothing else.

    A volume alike.
    """
    names = list(kinds)
    if names in (["image"], ["volume"]):
        return names[0]
    return "example"
