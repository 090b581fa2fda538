"""What unlabelled examples gave, by held-out labels alone, and the network that is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.data.examples import UNLABELLED
from allotrope.tasks.calibration import surprises
from allotrope.training.pseudo_labels import by_class
from allotrope.verbs.pipeline.few_labels import Method
from allotrope.verbs.pipeline.outcome import TrainedPlan
from allotrope.verbs.pipeline.unlabelled_answers import Teacher
from allotrope.wording import counted

SURE = 2.0
"""Within so many standard errors a difference may be chance, in 19 of 20 cases."""


@dataclass(frozen=True)
class FewLabels:
    """The network that is `chosen`, the `verdict` in a line, and `facts` for the record."""

    chosen: TrainedPlan
    verdict: str
    facts: dict[str, Any]


def outcome(method: Method, trained: Sequence[TrainedPlan], counts: Sequence[int]) -> FewLabels:
    """The last stage if it beats the first, labels alone, on held-out labels; else the first.

    `counts` are how many pseudo-labels of each class the last stage learned from.
    """
    stages = [Teacher(each) for each in trained]
    first, last = stages[0], stages[-1]
    beaten = _is_better(last, first)
    chosen = last if beaten else first
    verdict = _verdict(method, stages, beaten)
    facts = {
        "method": method.name,
        "reason": method.reason,
        "labels": len(first.data.train),
        "held_out": len(first.data.validation),
        "unlabelled": len(first.data.splits[UNLABELLED]),
        "stages": [_facts(each) for each in stages],
        "chosen": stages.index(chosen) + 1,
        "verdict": verdict,
        **_pseudo_labels(stages, counts),
    }
    return FewLabels(chosen.trained, verdict, facts)


def _is_better(last: Teacher, first: Teacher) -> bool:
    """By the metric that decides; of equals by a calibrated loss lower by more than chance.

    That is by more than `SURE` standard errors of the differences on the same examples. Of ten
    held-out labels networks that have learned nothing get the same, and one has the lower loss.
    """
    if last.standing[0] != first.standing[0]:
        return last.standing[0] > first.standing[0]
    gains = _surprises(first) - _surprises(last)
    return bool(gains.mean() > SURE * gains.std() / np.sqrt(len(gains)))


def _surprises(stage: Teacher) -> np.ndarray:
    """Those of held-out labels [n], of which the mean is the calibrated loss."""
    return surprises(stage.alone, stage.data.validation[stage.task.name])


def _facts(stage: Teacher) -> dict[str, Any]:
    return {"validation_metric": _metric(stage), "validation_loss": -stage.standing[1]}


def _metric(stage: Teacher) -> float:
    task = stage.data.tasks[0]
    return task.answered(stage.alone, stage.data.validation[task.name])


def _verdict(method: Method, stages: Sequence[Teacher], beaten: bool) -> str:
    first, last = stages[0], stages[-1]
    task, count = first.data.tasks[0], len(first.data.validation)
    alone = task.metric_text(_metric(first))
    if len(stages) == 1:
        return f"labels alone: {task.metric.title} {alone} on {_held_out(count)}"
    what = "is delivered" if beaten else "does not beat labels alone, which are delivered"
    return (
        f"{method.name} {what}: {task.metric.title} {task.metric_text(_metric(last))} on "
        f"{_held_out(count)}, {alone} by labels alone; calibrated loss "
        f"{_surprises(last).mean():.3g} and {_surprises(first).mean():.3g}"
    )


def _held_out(count: int) -> str:
    return counted(count, "held-out label")


def _pseudo_labels(stages: Sequence[Teacher], counts: Sequence[int]) -> dict[str, Any]:
    """How right the pseudo-labels are that the last stage learned from, by class."""
    if not counts:
        return {}
    teacher = stages[-2]
    task = teacher.data.tasks[0]
    labels = teacher.data.validation[task.name]
    names = task.counted(labels)
    rows = by_class(teacher.held_out, labels, task.size)
    return {
        "pseudo_labels": [
            {"label": name, **row, "unlabelled": count}
            for name, row, count in zip(names, rows, counts, strict=True)
        ]
    }
