"""What is said of columns: a line each, or one for many of which the same is to be said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

ALONE = 4
"""Of more columns than this the same is said in one line."""
LISTED = 6


@dataclass(frozen=True)
class Note:
    """A column, the kind of input that it is ("" if it is left out), and why.

    {name} in `why` stands for the column, as in an option that overrules it.
    """

    column: str
    kind: str
    why: str


def noted(notes: Sequence[Note]) -> list[str]:
    """The lines, in the order of the first column of each."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for note in notes:
        alike[note.kind, note.why].append(note.column)
    lines = []
    for (kind, why), columns in alike.items():
        if len(columns) > ALONE:
            lines.append(_of_many(kind, why, columns))
        else:
            lines += [_of_one(kind, why, column) for column in columns]
    return lines


def _of_one(kind: str, why: str, column: str) -> str:
    role = f"is an input ({kind})" if kind else "is left out"
    return f"'{column}' {role}: {why.replace('{name}', column)}"


def _of_many(kind: str, why: str, columns: Sequence[str]) -> str:
    named = ", ".join(f"'{column}'" for column in columns[:LISTED])
    more = len(columns) - LISTED
    rest = f" and {more:,} more" if more > 0 else ""
    role = f"are inputs ({kind})" if kind else "are left out"
    each = why.replace("{name}", "NAME").replace("it holds", "each holds")
    return f"{named}{rest} {role}: {each}"
