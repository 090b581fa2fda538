"""A JSON object of which any field may be missing or of another kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """Reads the fields of a JSON object.

    What is not there, or not of the kind asked for, is empty and never an error.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)

    def value(self, *path: str) -> Any:
        """The field at `path` as it is, None where there is none."""
        value: Any = self.fields
        for name in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def number(self, *path: str) -> float | None:
        """The field at `path` where it is a finite number."""
        return finite(self.value(*path))

    def text(self, *path: str) -> str:
        """The field at `path` where it is text or a number, else the empty text."""
        value = self.value(*path)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
        return ""

    def flag(self, *path: str) -> bool:
        """Whether the field at `path` is true."""
        return self.value(*path) is True

    def record(self, *path: str) -> Record:
        """The object at `path`, an empty one where there is none."""
        value = self.value(*path)
        if isinstance(value, Mapping):
            return Record(value)
        return Record()

    def items(self, *path: str) -> list[Any]:
        """The list at `path`, an empty one where there is none."""
        value = self.value(*path)
        if isinstance(value, list | tuple):
            return list(value)
        return []

    def records(self, *path: str) -> list[Record]:
        """The objects in the list at `path`."""
        return [Record(item) for item in self.items(*path) if isinstance(item, Mapping)]

    def texts(self, *path: str) -> list[str]:
        """The texts and numbers in the list at `path`, as text."""
        return [str(item) for item in self.items(*path) if isinstance(item, str | int | float)]

    def __bool__(self) -> bool:
        """Whether there is any field."""
        return bool(self.fields)


def finite(value: Any) -> float | None:
    """`value` as a float where it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    if math.isfinite(result):
        return result
    return None


def number_pairs(items: list[Any]) -> list[tuple[float, float]]:
    """Those of the items that are lists of two finite numbers."""
    pairs = []
    for item in items:
        values = [finite(value) for value in item] if isinstance(item, list) else []
        if len(values) == 2 and values[0] is not None and values[1] is not None:
            pairs.append((values[0], values[1]))
    return pairs
