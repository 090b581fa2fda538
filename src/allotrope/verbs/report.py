"""`report`: the page of a run, written again."""

from __future__ import annotations

from pathlib import Path

from allotrope.option import Option
from allotrope.verbs.declaring import takes

REPORT = (Option("folder", "the run folder that `fit` or `compare` made."),)


@takes(REPORT)
def report(folder: str | Path) -> Path:
    """Write `report.html` into a run folder, from whatever is there; gives its path.

    Example: allotrope report runs/digits-1

    Raises: RunFolderError if run.json cannot be read or the report cannot be written.
    """
    from allotrope.report import write_report

    return write_report(Path(folder))
