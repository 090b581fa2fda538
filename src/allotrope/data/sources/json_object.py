"""A JSON object of a line, and what is said of lines that have none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from allotrope.errors import DataError

LISTED = 5


def json_object(line: str) -> dict[str, Any] | None:
    """The object of a line; None if it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def no_objects(path: Path, numbers: Sequence[int]) -> DataError:
    """What is said of lines without an object, or of a file without lines."""
    lines = [f"line {number}" for number in numbers]
    problem = f"no JSON object in {_some(lines)}" if numbers else "holds no lines"
    return DataError(
        f'{path}: {problem}. Expected an object a line, such as {{"text": "…", "label": "…"}}.'
    )


def strange_values(place: object, name: str, titles: Sequence[str]) -> DataError:
    """What is said of values that are no texts, in a column of texts."""
    return DataError(
        f"{place}: '{name}' holds texts, and something else in {_some(titles)}. Expected "
        "texts, numbers, or true and false in all lines."
    )


def _some(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - LISTED:,} more" if len(titles) > LISTED else ""
    return ", ".join(titles[:LISTED]) + more
