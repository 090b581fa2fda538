"""What `tune` gives back: a run like those of `fit`, and in a line what the search came to."""

from __future__ import annotations

from allotrope.verbs.fitted import FittedRun


class TunedRun(FittedRun):
    """A finished search; printed, it is a summary."""

    def __str__(self) -> str:
        found_by = self.json.get("tuning", {})
        reason = found_by.get("verdict", {}).get("reason", "the search ended early")
        trials = found_by.get("trials", [])
        trained = sum(bool(trial["rungs"]) for trial in trials)
        counts = f"{len(trials)} trials, {trained} trained"
        return f"\ntuning         {counts}: {reason}{super().__str__()}"
