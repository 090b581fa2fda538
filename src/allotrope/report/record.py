"""A JSON object of which any field may be missing or of another kind, because a run may end at any moment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Record:
    """Reads the fields of a JSON object; what is not there, or not of the kind asked for, is empty and never an error."""

    fields: Mapping[str, Any] = field(default_factory=dict)

    def value(self, *path: str) -> Any:
        """The field at `path` as it is, None where there is none."""
        found: Any = self.fields
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def number(self, *path: str) -> float | None:
        """The field at `path` where it is a finite number."""
        return finite(self.value(*path))

    def text(self, *path: str) -> str:
        """The field at `path` where it is text or a number, else the empty text."""
        found = self.value(*path)
        return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""

    def flag(self, *path: str) -> bool:
        """Whether the field at `path` is true."""
        return self.value(*path) is True

    def record(self, *path: str) -> Record:
        """The object at `path`, an empty one where there is none."""
        found = self.value(*path)
        return Record(found) if isinstance(found, Mapping) else Record()

    def items(self, *path: str) -> list[Any]:
        """The list at `path`, an empty one where there is none."""
        found = self.value(*path)
        return list(found) if isinstance(found, list | tuple) else []

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
    return result if math.isfinite(result) else None
