"""What `compare` gives back: the run folder, a table and the sentence that names the framework to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allotrope.config import Settings
from allotrope.training.settings_race import described

EXIT_CODES = {"done": 0, "failed": 1, "interrupted": 130}
COLUMNS = ("framework", "settings", "import", "compile", "train/s", "infer/s", "memory", "to goal", "validation", "test", "losses")
WIDE = 2
"""The columns on the left that hold words; those after them hold numbers."""


@dataclass(frozen=True)
class Comparison:
    """A finished race. `json` is what its run.json holds; printed, it is a table and a sentence."""

    folder: Path
    json: dict[str, Any]

    @property
    def framework(self) -> str | None:
        """The framework to use here, None where none can be recommended."""
        found: str | None = self.json["verdict"]["framework"]
        return found

    @property
    def exit_code(self) -> int:
        """0 done, 1 where no framework could be measured, 130 where it was stopped with Ctrl-C."""
        return EXIT_CODES[self.json["status"]]

    def __str__(self) -> str:
        measured = [_cells(row) for row in self.json["frameworks"] if "training" in row]
        lines = ["", *_table([COLUMNS, *measured])] if measured else [""]
        lines += [f"{row['framework']}: {row['reason']}" for row in self.json["frameworks"] if "reason" in row]
        if self.json["accuracy_goal"] is not None:
            lines.append(f"goal: {self.json['accuracy_goal']:.2%} validation accuracy, from the import of the framework on")
        return "\n".join([*lines, "", self.json["verdict"]["sentence"], f"report: {self.folder / 'report.html'}"])


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    goal = row.get("seconds_to_accuracy")
    agrees = {True: "agree", False: "DIFFER", None: "-"}[row.get("agreement", {}).get("agrees")]
    return (
        f"{row['framework']} {row['version']}",
        described(Settings(**row["settings"])),
        f"{row['import_seconds']:.1f} s",
        f"{row['compile_seconds']:.1f} s",
        f"{row['training']['images_per_second']:,.0f}",
        f"{row['inference']['images_per_second']:,.0f}",
        "-" if row["peak_memory"] is None else f"{row['peak_memory'] / 1e9:.2f} GB",
        "-" if goal is None else f"{goal['median']:.1f} s",
        _percent(row.get("validation_accuracy")),
        _percent(row.get("test_accuracy")),
        agrees,
    )


def _percent(accuracy: Mapping[str, float] | None) -> str:
    return "-" if accuracy is None else f"{accuracy['mean']:.2%}"


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{'<' if i < WIDE else '>'}{widths[i]}}" for i, cell in enumerate(row)).rstrip() for row in rows]
