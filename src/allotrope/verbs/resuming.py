"""What verbs share that go on with a run: the same must be asked for, of the same data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.errors import UsageError
from allotrope.progress import Progress
from allotrope.run import Run
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.request import IN_MEMORY

if TYPE_CHECKING:
    from allotrope.data.examples import Data

FINISHED = ("done", "target-missed")
NOT_REPEATED = ("out", "resume", "quiet", "processes", "rank", "address")
"""Arguments that a run does not keep, since they say nothing of what it makes."""


def check_kind(run: Run, kind: str) -> None:
    """Raises: UsageError if another verb made the run."""
    call = run.record.call
    if call is None or call.kind == kind:
        return
    if call.kind == "compare":
        remedy = f"which cannot be resumed. Name a run that {kind} made."
    else:
        remedy = f"not by {kind}. Go on with: allotrope {call.kind} --resume {run.folder}"
    raise UsageError(f"{run.folder} was made by {call.kind}, {remedy}")


def check_unchanged(folder: Path, asked: dict[str, Any], recorded: dict[str, Any]) -> None:
    """Raises: UsageError if something else is asked for than the run was begun with."""
    changed = [name for name, value in asked.items() if recorded.get(name) != value]
    if changed:
        remedy = f"Leave out {', '.join(changed)}, or begin a new run."
        raise UsageError(f"{folder} goes on with the options that it was begun with. {remedy}")


def columns_again(data: Any, recorded: Mapping[str, Any], verb: str) -> dict[str, Any]:
    """The data again, if the run was begun with columns in memory.

    Raises: UsageError without them.
    """
    if recorded.get("data") != IN_MEMORY:
        return {}
    if data is None:
        raise UsageError(
            "the run was begun with columns in memory. Give them again: "
            f"{verb}(columns, resume=...)."
        )
    return {"data": data}


def check_same(run: Run, data: Data) -> None:
    """Raises: UsageError if the data is not of the sizes that the run was begun with."""
    recorded = run.record.data
    if recorded is None:
        return
    now = {name: len(split) for name, split in data.splits.items()}
    before = {name: recorded.data.get(name) for name in now}
    if now != before:
        raise UsageError(
            f"{run.folder} was begun with {before} examples, and the data now has {now}. "
            "Go on with the data that it was begun with, or begin a new run."
        )


def finished(run: Run, show: Progress) -> FittedRun:
    """What a run that has ended gave; its report is made good if the end came before it."""
    from allotrope.report import write_report

    show.say(f"{run.folder} is finished ({run.json['status']}): nothing is left to do")
    if not (run.folder / "report.html").is_file():
        write_report(run.folder)
    return FittedRun(run.folder, run.json)
