"""A JSON object of a line, and what is said of lines that have none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from allotrope.errors import DataError

LISTED = 5
NumberedObject = tuple[int, dict[str, Any] | None]


LINE, ENTRY = "line", "entry"
"""What holds an object: a line, or an entry of a list of them."""


def numbered_objects(lines: Sequence[str]) -> tuple[str, Iterator[NumberedObject]]:
    """What holds objects, and the number and the object of each; None for what is none."""
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("["):
        entries = _parsed("\n".join(lines))
        if isinstance(entries, list):
            objects = (entry if isinstance(entry, dict) else None for entry in entries)
            return ENTRY, enumerate(objects, 1)
    numbered = enumerate(lines, 1)
    return LINE, ((number, json_object(line)) for number, line in numbered if line.strip())


def json_object(line: str) -> dict[str, Any] | None:
    """The object of a line; None if it is none."""
    row = _parsed(line)
    return row if isinstance(row, dict) else None


def _parsed(text: str) -> Any:
    """What a text says in JSON; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def no_objects(path: Path, numbers: Sequence[int], noun: str = LINE) -> DataError:
    """What is said of lines or entries without an object, or of a file without any."""
    lines = [f"{noun} {number}" for number in numbers]
    problem = f"no JSON object in {_some(lines)}" if numbers else "holds no lines with objects"
    return DataError(
        f'{path}: {problem}. Expected an object a line, such as {{"text": "…", "label": "…"}}, or '
        "a list of them."
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
