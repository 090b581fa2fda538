"""What the stages of `tune` give: who is in the final trainings, and what came of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.tasks.metric import Metric
from allotrope.verbs.pipeline.outcome import TrainedPlan

CLEARLY = 1.0
"""By how many standard deviations of the seeds a mean must be better than the default's."""


@dataclass(frozen=True)
class Finalist:
    """A trial that goes into the final trainings; `is_default` if it is the default recipe."""

    trial: int
    settings: Mapping[str, Any]
    is_default: bool = False


@dataclass(frozen=True)
class Final:
    """One final training: its validation metric and loss."""

    entrant: Finalist
    seed: int
    trained: TrainedPlan
    value: float
    loss: float


@dataclass(frozen=True)
class Standing:
    """An entrant over its seeds: mean and standard deviation of the validation metric."""

    entrant: Finalist
    finals: Sequence[Final]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(one.value for one in self.finals)

    @property
    def deviation(self) -> float:
        """Over the seeds; 0 of a single one."""
        values = [one.value for one in self.finals]
        return statistics.stdev(values) if len(values) > 1 else 0.0

    def best(self, metric: Metric) -> Final:
        """The seed whose network is delivered; of equal ones that of the lowest loss."""
        return max(self.finals, key=lambda one: (metric.rank(one.value), -one.loss))


@dataclass(frozen=True)
class FinalVerdict:
    """Which entrant is delivered, and why."""

    chosen: Standing
    reason: str
    standings: Sequence[Standing]

    def facts(self) -> dict[str, Any]:
        """What run.json says of it."""
        rows = [
            {
                "trial": one.entrant.trial,
                "is_default": one.entrant.is_default,
                "mean": one.mean,
                "deviation": one.deviation,
                "seeds": len(one.finals),
            }
            for one in self.standings
        ]
        chosen = self.chosen.entrant
        facts = {"trial": chosen.trial, "is_default": chosen.is_default, "reason": self.reason}
        return {**facts, "standings": rows}


def verdict(finals: Sequence[Final], metric: Metric) -> FinalVerdict:
    """The best entrant, if it beats the default by more than the seeds' spread; else the default.

    The spread is the root mean square of the two standard deviations. Whoever is the best of
    several by chance alone must not replace what is known to work.
    """
    standings = _standings(finals)
    best = max(standings, key=lambda one: metric.rank(one.mean))
    default = next((one for one in standings if one.entrant.is_default), best)
    if best is default:
        said = f"no trial is better than the default recipe ({metric.text(default.mean)})"
        return FinalVerdict(default, said, standings)
    # With one seed there is no spread, and any gain would do: there are two at least.
    spread = CLEARLY * statistics.fmean([best.deviation**2, default.deviation**2]) ** 0.5
    gain = metric.rank(best.mean) - metric.rank(default.mean)
    seeds = len(best.finals)
    compared = (
        f"trial {best.entrant.trial} has {metric.text(best.mean)} over {seeds} seeds, the default "
        f"recipe {metric.text(default.mean)} ({metric.change(default.mean, best.mean)}; the seeds "
        f"differ by {_size(spread, default.mean, metric)})"
    )
    if gain > spread:
        return FinalVerdict(best, compared, standings)
    return FinalVerdict(default, f"the default recipe is delivered: {compared}", standings)


def _standings(finals: Sequence[Final]) -> list[Standing]:
    by_trial: dict[int, list[Final]] = {}
    for one in finals:
        by_trial.setdefault(one.entrant.trial, []).append(one)
    return [Standing(each[0].entrant, each) for each in by_trial.values()]


def _size(spread: float, reference: float, metric: Metric) -> str:
    """A difference in the words of the metric."""
    worse = reference - spread if metric.higher_is_better else reference + spread
    return metric.points(metric.drop(reference, worse))
