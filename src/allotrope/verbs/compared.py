"""What `compare` gives back: run folder, table and the sentence that names the framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import Settings
from allotrope.run_words import inside
from allotrope.training.race_words import described

if TYPE_CHECKING:
    from allotrope.tasks import Metric

EXIT_CODES = {"done": 0, "failed": 1, "interrupted": 130}
COLUMNS = (
    "framework",
    "settings",
    "import",
    "compile",
    "train/s",
    "infer/s",
    "memory",
    "to goal",
    "validation",
    "test",
    "losses",
)
WIDE = 2
"""The columns on the left that hold words; those after them hold numbers."""


@dataclass(frozen=True)
class ComparedRun:
    """A finished race. `json` is what its run.json holds; printed, it is a table and a sentence."""

    folder: Path
    json: dict[str, Any]

    @property
    def framework(self) -> str | None:
        """The framework to use here, None where none can be recommended."""
        name: str | None = self.json["verdict"]["framework"]
        return name

    @property
    def exit_code(self) -> int:
        """0 done, 1 where no framework could be measured, 130 where it was stopped with Ctrl-C."""
        return EXIT_CODES[self.json["status"]]

    def __str__(self) -> str:
        from allotrope.tasks import task_of

        metric = task_of(self.json["data"]["tasks"][0]).metric
        rows, goal = inside(self.json["frameworks"]), inside(self.json)["metric_goal"]
        measured = [_cells(row, metric) for row in rows if "training" in row]
        lines = [""]
        if measured:
            lines = ["", *_table([COLUMNS, *measured])]
        lines += [f"{row['framework']}: {row['reason']}" for row in rows if "reason" in row]
        if goal is not None:
            reached = f"{metric.text(goal)} validation {metric.title}"
            lines.append(f"goal: {reached}, from the import of the framework on")
        if measured and "guess" in self.json["race"]:
            lines.append(f"without looking: {_guess(self.json['race']['guess'], metric)}")
        lines += self.json["race"].get("remarks", [])
        report = f"report: {self.folder / 'report.html'}"
        return "\n".join([*lines, "", self.json["verdict"]["sentence"], report])


def _cells(row: Mapping[str, Any], metric: Metric) -> tuple[str, ...]:
    goal = row.get("seconds_to_metric")
    agrees = {True: "agree", False: "DIFFER", None: "-"}[row.get("agreement", {}).get("agrees")]
    return (
        f"{row['framework']} {row['version']}",
        described(Settings(**row["settings"])),
        f"{row['import_seconds']:.1f} s",
        f"{row['compile_seconds']:.1f} s",
        f"{row['training']['examples_per_second']:,.0f}",
        f"{row['inference']['examples_per_second']:,.0f}",
        "-" if row["peak_memory"] is None else f"{row['peak_memory'] / 1e9:.2f} GB",
        "-" if goal is None else f"{goal['median']:.1f} s",
        _mean(row.get("validation_metric"), metric),
        _mean(row.get("test_metric"), metric),
        agrees,
    )


def _guess(guess: Mapping[str, Any], metric: Metric) -> str:
    value = guess["value"]
    text = "no" if value is None else metric.text(value)
    return f"{text} test {metric.title}, by answering {guess['words']}"


def _mean(values: Mapping[str, float] | None, metric: Metric) -> str:
    if values is None:
        return "-"
    return metric.text(values["mean"])


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:{'<' if i < WIDE else '>'}{widths[i]}}" for i, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
