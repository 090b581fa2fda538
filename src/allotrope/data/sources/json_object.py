"""A JSON object of a line, and what is said of lines that have none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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


def kind_in_words(value: Any) -> str:
    """What a value of an object is, for people."""
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, list):
        kinds = {kind_in_words(entry) for entry in value}
        of = kinds.pop() if len(kinds) == 1 else "values of several kinds"
        return "lists of texts" if of == "texts" or not value else f"lists of {len(value)} {of}"
    named = {str: "texts", int: "numbers", float: "numbers", dict: "objects"}
    return named.get(type(value), "nothing")


def strange_values(
    place: object, name: str, kinds: Mapping[str, Sequence[str]], usual: str = ""
) -> DataError:
    """What is said of values of several kinds, or of one that is not read.

    `kinds` are the titles of the lines of each kind; `usual` is what the other lines hold.
    """
    usual = usual or max(kinds, key=lambda kind: len(kinds[kind]))
    others = [f"{kind} in {_some(titles)}" for kind, titles in kinds.items() if kind != usual]
    holds = "; ".join([usual, *others])
    return DataError(
        f"{place}: '{name}' holds {holds}. Expected texts, numbers, true and false, or lists of "
        "texts or of as many numbers, the same in all lines."
    )


def _some(titles: Sequence[str]) -> str:
    more = f" and {len(titles) - LISTED:,} more" if len(titles) > LISTED else ""
    return ", ".join(titles[:LISTED]) + more
