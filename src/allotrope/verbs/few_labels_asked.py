"""Whether a method for few labels goes together with what else is asked for, and with the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from allotrope.errors import UsageError

if TYPE_CHECKING:
    from allotrope.data.examples import Data

ALL_DATA = ("auto", "labels")
"""What goes with all data and everything else."""


def check_method(arguments: Mapping[str, Any]) -> None:
    """Raises: UsageError for a method beside trainings that learn from labels alone."""
    method = arguments["method"]
    asked = {
        "ensemble": arguments["ensemble"] is not None,
        "processes": arguments["processes"] > 1,
        "shares": (arguments["shares"] or 1) > 1,
    }
    if method not in ALL_DATA and any(asked.values()):
        flags = " and ".join(f"--{name}" for name, several in asked.items() if several)
        raise UsageError(
            f"--method {method} is for one network in one process, and {flags} asks for several. "
            "Leave one of them out."
        )


def check_unlabelled(method: str, data: Data) -> None:
    """Raises: UsageError for a method for unlabelled examples if it cannot be used here."""
    # Only here: what has no such method does not need it.
    from allotrope.data.examples import UNLABELLED

    if method in ALL_DATA:
        return
    problem = ""
    if UNLABELLED not in data.splits:
        problem = (
            "all examples have labels. Unlabelled ones are empty label cells of training rows, or "
            "a folder called unlabelled"
        )
    elif [task.kind for task in data.tasks] != ["classification"]:
        tasks = ", ".join(f"'{task.name}' ({task.kind})" for task in data.tasks)
        problem = f"it is for a single classification, and the data has {tasks}"
    if problem:
        raise UsageError(f"--method {method}: {problem}. Leave it out, or say --method labels.")
