"""Which local variable holds which value: short names, used again when their values are done."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from allotrope.conversion.core.source import identifier

LETTERS = ("x", "y", "z", "u", "v", "w")


class Variables:
    """Names for values while a function is written line by line.

    `last_use` is the index of the last node that needs a value.
    """

    def __init__(
        self, reserved: Iterable[str], last_use: Mapping[str, int], outer: Variables | None = None
    ) -> None:
        """`outer` are those of the function around, which this one may read."""
        self._outer = outer
        if outer is None:
            self._taken = set(reserved)
        else:
            self._taken = {*reserved, *outer.in_use()}
        self._last_use = dict(last_use)
        self._of: dict[str, str] = {}
        self._held: dict[str, set[str]] = {}

    def __contains__(self, value: str) -> bool:
        return value in self._of or (self._outer is not None and value in self._outer)

    def __getitem__(self, value: str) -> str:
        if value in self._of or self._outer is None:
            return self._of[value]
        return self._outer[value]

    def in_use(self) -> set[str]:
        """Every name that stands for something now."""
        return self._taken | {variable for variable in self._held if self.holds(variable)}

    def mark(self) -> tuple[Any, ...]:
        """What `rewind` goes back to."""
        return (
            set(self._taken),
            dict(self._last_use),
            dict(self._of),
            {name: set(values) for name, values in self._held.items()},
        )

    def rewind(self, mark: tuple[Any, ...]) -> None:
        """Everything as it was at the mark."""
        self._taken, self._last_use, self._of, self._held = mark

    def own(self, text: str) -> str:
        """A name made of the text that nothing else will have."""
        name = identifier(text, self._taken | self._held.keys())
        self._taken.add(name)
        return name

    def numbered(self, text: str) -> str:
        """The same with the first number that makes it new."""
        names = itertools.chain([text], (f"{text}{number}" for number in itertools.count(2)))
        name = next(name for name in names if name not in self._taken and name not in self._held)
        self._taken.add(name)
        return name

    def hold(self, value: str, variable: str) -> None:
        """From now on the variable holds the value, beside what it holds already."""
        self._of[value] = variable
        self._held.setdefault(variable, set()).add(value)

    def hold_input(self, value: str) -> str:
        """The parameter that an input becomes: its own name."""
        variable = identifier(value, self._taken | self._held.keys())
        if variable not in LETTERS:
            self._taken.add(variable)
        self.hold(value, variable)
        return variable

    def hold_until(self, value: str, index: int) -> str:
        """A variable for a value that is no node's output."""
        self._last_use[value] = index
        variable = self.free()
        self.hold(value, variable)
        return variable

    def holds(self, variable: str) -> bool:
        """Whether it is a variable that holds something now."""
        return bool(self._held.get(variable)) or (
            self._outer is not None and self._outer.holds(variable)
        )

    def free(self) -> str:
        """The first short name that holds nothing."""
        more = (f"{letter}{number}" for number in itertools.count(1) for letter in LETTERS)
        return next(
            name
            for name in itertools.chain(LETTERS, more)
            if name not in self._taken and not self.holds(name)
        )

    def release(self, index: int) -> None:
        """Let go of the values that no node after this one needs."""
        for values in self._held.values():
            values -= {value for value in values if self._last_use.get(value, -1) <= index}
