"""From a run folder to one self-contained report.html."""

from allotrope.report.page import write_report

__all__ = ["write_report"]
