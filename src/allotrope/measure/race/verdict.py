"""What a race says in the end: which framework to use here and why.

A function of the rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from statistics import fmean, median
from typing import Any

from allotrope.config import Settings
from allotrope.progress import duration
from allotrope.tasks import Metric
from allotrope.training.race_words import described
from allotrope.wording import agreeing, plural

Row = Mapping[str, Any]
SHORT_OF_BEST = 0.05
"""By which share the metric may be worse than the best that was reached if no goal is asked for."""
TIE = 0.05
"""Two figures nearer than this are equal; they are also where their spreads overlap."""
LOST = 1.0
"""A framework whose metric is more points worse than the best than this, and than chance explains,
is not recommended, however fast."""


@dataclass(frozen=True)
class Verdict:
    """The framework to use, None where there is none, and the one sentence that says so."""

    framework: str | None
    sentence: str


@dataclass(frozen=True)
class _Measure:
    """What decides: `cost`, less of it is better, its relative uncertainty `spread`.

    `alone` is what to say of the others.
    """

    cost: Mapping[str, float]
    spread: Mapping[str, float]
    facts: Mapping[str, str]
    alone: str


def metric_goal(rows: Sequence[Row], asked: float | None, metric: Metric) -> float | None:
    """The value of the validation metric whose time is compared.

    None where nothing was trained and nothing asked for.
    """
    trainings = [training for row in rows for training in row.get("trainings", [])]
    values = [training["validation_metric"] for training in trainings]
    reached = [value for value in values if isfinite(value)]
    if asked is not None or not reached:
        return asked
    return metric.near(max(reached, key=metric.rank), SHORT_OF_BEST)


def outcome(row: Row, goal: float | None, metric: Metric) -> dict[str, Any]:
    """Over a row's trainings: metrics, and seconds to the goal with imports if all got there."""
    trainings = row.get("trainings", [])
    if not trainings:
        return {}
    times = [_seconds_to(goal, training, metric) for training in trainings]
    reached = [seconds for seconds in times if seconds is not None]
    return {
        "validation_metric": _summary([training["validation_metric"] for training in trainings]),
        "test_metric": _summary([training["test_metric"] for training in trainings]),
        "reached": len(reached),
        "seconds_to_metric": _summary(reached) if len(reached) == len(trainings) else None,
    }


def verdict(
    rows: Sequence[Row],
    goal: float | None,
    metric: Metric,
    validations: int | None = None,
    noun: str = "example",
) -> Verdict:
    """Which framework to use, by the metric that decides.

    `validations`: on how many examples with a label it was seen; None for so many that chance
    plays no part.
    `noun`: what an example is called.

    Only frameworks that were measured to the end, whose losses agree with those of the others and
    whose metric is not lost, can be recommended: the one that reaches the goal first; where none
    does, the one that trains fastest. Of equals the one with less memory.
    """
    whole = [row for row in rows if "reason" not in row and "training" in row]
    sound = [row for row in whole if row.get("agreement", {}).get("agrees") is not False]
    if not sound:
        return Verdict(None, _why_none(whole))
    measure = _measure(_as_good(sound, metric, validations), goal, metric, noun)
    names = sorted(measure.cost, key=lambda name: measure.cost[name])
    equal = [name for name in names if _equal(measure, names[0], name)]
    chosen = min(
        (row for row in sound if row["framework"] in equal),
        key=lambda row: row.get("peak_memory") or float("inf"),
    )
    settings = described(Settings(**chosen["settings"]))
    sentence = (
        f"Use {chosen['framework']} here ({settings}): "
        f"{_reason(chosen, measure, names, equal, sound, len(rows))}"
    )
    return Verdict(chosen["framework"], f"{sentence}{_agreement(chosen, whole)}.")


def _measure(rows: Sequence[Row], goal: float | None, metric: Metric, noun: str) -> _Measure:
    timed = {
        row["framework"]: row["seconds_to_metric"] for row in rows if row.get("seconds_to_metric")
    }
    if timed and goal is not None:
        cost = {name: figures["median"] for name, figures in timed.items()}
        reached = f"{metric.rounded(goal)} validation {metric.title}"
        facts = {
            name: f"it reaches {reached} in {_in_words(seconds)}" for name, seconds in cost.items()
        }
        return _Measure(
            cost,
            {name: (t["highest"] - t["lowest"]) / t["median"] for name, t in timed.items()},
            facts,
            "no other does",
        )
    speeds = {row["framework"]: row["training"] for row in rows}
    cost = {name: 1 / figures["examples_per_second"] for name, figures in speeds.items()}
    facts = {
        name: f"it trains {figures['examples_per_second']:,.0f} {plural(noun)}/s"
        for name, figures in speeds.items()
    }
    return _Measure(
        cost,
        {name: figures["spread"] for name, figures in speeds.items()},
        facts,
        "the others are less accurate",
    )


def _as_good(rows: Sequence[Row], metric: Metric, validations: int | None) -> list[Row]:
    """Those whose metric is about that of the best; all where nothing was trained."""
    means = {
        row["framework"]: row["validation_metric"]["mean"]
        for row in rows
        if row.get("validation_metric")
    }
    if not means:
        return list(rows)
    best = max(means.values(), key=metric.rank)
    allowed = LOST
    if validations:
        allowed = max(LOST, _chance(best, metric, validations))
    trained = [row for row in rows if row["framework"] in means]
    return [row for row in trained if _lost(metric, best, means[row["framework"]]) <= allowed]


def _lost(metric: Metric, best: float, value: float) -> float:
    """In points; nothing between values of which neither is a number."""
    if metric.rank(value) == metric.rank(best):
        return 0.0
    return metric.drop(best, value)


def _chance(value: float, metric: Metric, count: int) -> float:
    """Two standard errors of the difference of two such values seen on `count` examples, in points.

    Of shares; of errors as if they were normal, of which a root mean square varies by
    1 / sqrt(2 count) of itself. Seeds see the same examples, so they add little.
    """
    if metric.relative:
        return 200 / sqrt(count)
    return 200 * sqrt(2 * max(value * (1 - value), 0.0) / count)


def _equal(measure: _Measure, best: str, other: str) -> bool:
    margin = max(TIE, min(0.5, (measure.spread[best] + measure.spread[other]) / 2))
    return measure.cost[other] <= measure.cost[best] * (1 + margin)


def _reason(
    chosen: Row,
    measure: _Measure,
    names: Sequence[str],
    equal: Sequence[str],
    sound: Sequence[Row],
    raced: int,
) -> str:
    name = chosen["framework"]
    fact = measure.facts[name]
    if len(equal) > 1:
        others = _listed([other for other in names if other in equal and other != name])
        memory = _memory_compared(
            chosen, [row for row in sound if row["framework"] in equal and row is not chosen]
        )
        return (
            f"{fact}, as {others} {agreeing(len(equal) - 1, 'does', 'do')} within the spread of "
            f"the measurements{memory}"
        )
    if len(names) > 1:
        return (
            f"{fact}, {measure.cost[names[1]] / measure.cost[name]:.1f} times as fast as "
            f"{names[1]}, the next"
        )
    if raced == 1:
        return f"{fact}, and it was raced alone"
    if len(sound) == 1:
        return f"{fact}, and nothing else could be measured to the end"
    return f"{fact}, and {measure.alone}"


def _memory_compared(chosen: Row, others: Sequence[Row]) -> str:
    least = min((row["peak_memory"] for row in others if row.get("peak_memory")), default=None)
    if not chosen.get("peak_memory") or least is None or least <= chosen["peak_memory"]:
        return ""
    return (
        f", and takes less memory ({chosen['peak_memory'] / 1e9:.2g} GB against {least / 1e9:.2g} "
        "GB)"
    )


def _agreement(chosen: Row, whole: Sequence[Row]) -> str:
    """What is known of whether the frameworks compute the same, as the end of the sentence."""
    parted = [
        row
        for row in whole
        if row["framework"] != chosen["framework"]
        and row.get("agreement", {}).get("agrees") is False
    ]
    if parted:
        return f". Not {_listed([row['framework'] for row in parted])}: {_parting(parted)}"
    if chosen.get("agreement", {}).get("agrees"):
        others = [row["framework"] for row in whole if row["framework"] != chosen["framework"]]
        if others:
            return f"; its losses agree with those of {_listed(others)}"
        return ""
    return "; there was no other framework to compare its losses with"


def _parting(rows: Sequence[Row]) -> str:
    step = min(row["agreement"]["step"] or 1 for row in rows)
    largest = max(row["agreement"]["difference"] for row in rows)
    return (
        f"from equal weights and batches losses part at step {step} (by up to {largest:.1%}); see "
        "which is wrong with allotrope check"
    )


def _why_none(whole: Sequence[Row]) -> str:
    if not whole:
        return (
            "No framework can be recommended, because none could be measured; the reasons stand "
            "in their rows."
        )
    return f"No framework can be recommended: {_parting(whole)}."


def _seconds_to(goal: float | None, training: Mapping[str, Any], metric: Metric) -> float | None:
    if goal is None:
        return None
    reached = (
        row["seconds"]
        for row in training["history"]
        if not metric.better(goal, row["validation_metric"])
    )
    return next((training["import_seconds"] + seconds for seconds in reached), None)


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return duration(seconds)


def _summary(values: Sequence[float]) -> dict[str, float]:
    return {
        "mean": fmean(values),
        "median": median(values),
        "lowest": min(values),
        "highest": max(values),
    }


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
