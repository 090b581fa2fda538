"""Several networks that differ in their initial weights alone, and answer by their mean."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.errors import UsageError
from allotrope.inputs.contract import Input
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.text_input import Text

APART = 1_000_003
"""What lies between the seeds of members, so that those of neighbouring seeds differ."""


def check_members(inputs: Sequence[Input], members: int) -> None:
    """Raises: UsageError for members of networks that have some of their own, or one alone."""
    others = [each for each in inputs if isinstance(each, (Table, Text))]
    if members > 1 and len(others) == len(inputs):
        kinds = ", ".join(f"'{each.name}' ({each.kind})" for each in inputs)
        raise UsageError(
            f"--members {members} is for pictures and volumes, and there are none: {kinds}. The "
            "network for tables has members of its own, that for texts begins as a solved model."
        )


def seeds_of_members(seed: int, members: int) -> list[int]:
    """The seed of each; the first is that of a network alone."""
    return [seed + number * APART for number in range(members)]


def members_in_words(members: int) -> list[str]:
    """What members are for, in a line; none of a network alone."""
    if members == 1:
        return []
    return [
        f"{members} networks of this kind learn side by side, each by its own loss, and answer by "
        f"the mean of their logits, in one file: {members} times the work."
    ]
