"""What `fit` gives back: the run folder and, in a few lines, what came out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXIT_CODES = {"done": 0, "failed": 1, "target-missed": 3, "interrupted": 130}


@dataclass(frozen=True)
class FittedRun:
    """A finished run. `json` is what its run.json holds; printed, it is a summary."""

    folder: Path
    json: dict[str, Any]

    @property
    def delivered(self) -> Path | None:
        """The delivered file, None where no candidate met the target."""
        found = self.json.get("delivered")
        return None if found is None else self.folder / found["file"]

    @property
    def exit_code(self) -> int:
        """0 done, 3 where the target was missed, 130 where the training was stopped with Ctrl-C and its best was delivered."""
        return EXIT_CODES[self.json["status"]]

    def __str__(self) -> str:
        lines = ["", f"test accuracy  {_scores(self.json['test'])} on {self.json['data']['test']} images that took no part in any choice"]
        best, missed = self.json.get("delivered"), self.json.get("nearest_miss")
        if best is not None:
            lines.append(f"delivered      {self.folder / best['file']}: {_figures(best)}{_gain(best, self.json['candidates'])}")
        elif missed is not None:
            lines.append(f"delivered      nothing: no candidate meets the target. Nearest: {_figures(missed)}")
            lines.append(f"               {missed['reason']}")
        else:
            lines.append("delivered      nothing: no candidate could be measured; their reasons stand in the report")
        if self.json["status"] == "interrupted":
            lines.append(f"stopped early  go on with: allotrope fit --resume {self.folder}")
        return "\n".join([*lines, f"report         {self.folder / 'report.html'}"])


def _scores(test: Mapping[str, Any]) -> str:
    area = test.get("auc")
    return f"{test['accuracy']:.2%}" + (f", AUC {area:.4f}," if area is not None else "")


def _figures(candidate: Mapping[str, Any]) -> str:
    latency, size = candidate["latency_ms"]["median"], candidate["size_bytes"]
    return (
        f"{candidate['runtime']} {candidate['precision']}, {latency:.3g} ms an image, {candidate['throughput']:,.0f} images/s, "
        f"{size / 1e6:.3g} MB, test accuracy {candidate['test_accuracy']:.2%}"
    )


def _gain(best: Mapping[str, Any], candidates: list[dict[str, Any]]) -> str:
    baseline = next((row for row in candidates if row.get("baseline") and row.get("latency_ms")), None)
    if baseline is None or baseline["file"] == best["file"]:
        return ""
    alone, batches = baseline["latency_ms"]["median"] / best["latency_ms"]["median"], best["throughput"] / baseline["throughput"]
    usual = f"{baseline['runtime']} {baseline['precision']}"
    return f"\n               {alone:.1f}x the speed of {usual} on one image, {batches:.1f}x in batches"
