"""What run.json says of an ensemble: figures of the members and of all together, and the gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from allotrope.data.examples import Data
from allotrope.measure.choice import ALONE, CALLED
from allotrope.tasks import Task
from allotrope.training.combining import Combination
from allotrope.training.paired_gain import Gain, paired_gain
from allotrope.verbs.pipeline.ensemble_values import SPLITS, BySplit, Ensemble, Member


@dataclass(frozen=True)
class FormAnswers:
    """What is shown of several answers as one: a name, and by what its answers are judged."""

    name: str
    task: Task
    answers: BySplit


def facts_of(
    members: Sequence[Member],
    combination: Combination,
    best: Member,
    forms: Sequence[FormAnswers],
    data: Data,
) -> dict[str, Any]:
    """By the task that decides; `forms` are what several members answer, or one made of them.

    `best` is the best member on validation data.
    """
    task = data.tasks[0]
    return {
        "task": task.name,
        "metric": task.metric.name,
        "way": combination.way,
        "tried": list(combination.tried),
        "shares": {name: list(own) for name, own in combination.shares.items()},
        "best": best.number,
        "members": [
            {
                **_figures(each.tasks[0], data, each.answers),
                # What they were settled to is in the file: it repeats the mean from checkpoints.
                "tasks": [own.facts() for own in each.tasks],
            }
            for each in members
        ],
        "forms": [
            {
                "form": each.name,
                **_figures(each.task, data, each.answers),
                **_gains(each, data, members, best),
            }
            for each in forms
        ],
    }


def _figures(task: Task, data: Data, answers: BySplit) -> dict[str, float]:
    """The metric on both splits."""
    return {
        f"{split}_metric": task.answered(answers[split][task.name], data.splits[split][task.name])
        for split in SPLITS
    }


def _gains(
    form: FormAnswers, data: Data, members: Sequence[Member], best: Member
) -> dict[str, Any]:
    """By how much a form is better on test data than members on average, and than the best one."""
    name, gains = form.task.name, {}
    # The best is that of validation data: who is best on test data nobody could have known.
    for what, compared in {"over_mean": members, "over_best": [best]}.items():
        others = [each.answers["test"][name] for each in compared]
        tasks = [each.tasks[0] for each in compared]
        own = form.answers["test"][name]
        gain = paired_gain(form.task, own, others, data.test[name], tasks=tasks)
        gains[what] = asdict(gain)
    return gains


def in_words(ensemble: Ensemble, data: Data) -> list[str]:
    """What came of it, in lines."""
    task, facts = data.tasks[0], ensemble.facts
    own = {
        each.number: row["test_metric"]
        for each, row in zip(ensemble.members, facts["members"], strict=True)
    }
    mean, best = (
        task.metric_text(value) for value in (np.mean([*own.values()]), own[facts["best"]])
    )
    title = task.metric.title
    lines = [
        f"members: test {title} {mean} on average, {best} of the best on validation data; "
        f"combined by {_way(ensemble.combination)}"
    ]
    for row in facts["forms"]:
        value, gain = task.metric_text(row["test_metric"]), Gain(**row["over_mean"])
        called = (CALLED | ALONE)[row["form"]]
        lines.append(
            f"{called}: test {title} {value}, {gain.points:+.2f} points against the mean member "
            f"(95% of resamples: {gain.low:+.2f} to {gain.high:+.2f}), "
            f"{row['over_best']['points']:+.2f} against the best"
        )
    return lines


def _way(combination: Combination) -> str:
    counts = ", ".join(f"{share:.2f}" for share in next(iter(combination.shares.values())))
    return f"{combination.way} ({counts})"
