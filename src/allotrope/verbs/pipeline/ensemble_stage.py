"""Trained members become one: how their answers are combined, what that is worth, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.frameworks.contract import Arrays
from allotrope.inputs.augmentation import augmentation_of
from allotrope.measure.choice import CALLED, ENSEMBLE, IN_MIRROR, MIRRORED
from allotrope.network.columns import with_columns
from allotrope.network.network import Network
from allotrope.network.rewriting.in_mirror import in_mirror
from allotrope.network.rewriting.united import united
from allotrope.tasks import Task
from allotrope.tasks.contract import Answers
from allotrope.training.combining import Combination, combined
from allotrope.training.greedy_selection import standing
from allotrope.training.paired_gain import Gain, paired_gain
from allotrope.verbs.pipeline.outcome import TrainedPlan, outputs
from allotrope.verbs.pipeline.rivals import Rival

SPLITS = ("validation", "test")
ByTask = Mapping[str, Answers]


@dataclass(frozen=True)
class Member:
    """A trained network with what it answers: in the user's terms, by split and task.

    `tasks` have what was settled on its own validation answers. `mirrored` is what it answers to
    mirrored examples, if these mean the same.
    """

    number: int
    trained: TrainedPlan
    tasks: tuple[Task, ...]
    answers: Mapping[str, ByTask]
    mirrored: Mapping[str, ByTask] | None = None

    def with_mirror(self, split: str) -> ByTask:
        """The mean of both answers."""
        assert self.mirrored is not None
        first, second = self.answers[split], self.mirrored[split]
        return {name: (first[name] + second[name]) / 2 for name in first}


@dataclass(frozen=True)
class Ensemble:
    """All members, how their answers are combined, and what may be delivered of that.

    `alone` is the one network that stands for itself, `facts` are for the record.
    """

    members: tuple[Member, ...]
    combination: Combination
    alone: Member
    rivals: tuple[Rival, ...]
    facts: dict[str, Any]


def mirror_axes(data: Data, trained: TrainedPlan) -> dict[str, int]:
    """The axes along which inputs are mirrored, if training mirrored examples; else none."""
    if not augmentation_of(trained.plan.recipe).flip:
        return {}
    axes = {each.name: each.mirror_axis for each in data.inputs}
    return {name: axis for name, axis in axes.items() if axis is not None}


def member_of(number: int, trained: TrainedPlan, axes: Mapping[str, int]) -> Member:
    """The trained network with its answers to validation and test data."""
    data = trained.plan.data
    raw = {split: outputs(trained, split) for split in SPLITS}
    labels = data.validation.columns
    tasks = tuple(
        task.settled(raw["validation"][task.name], labels[task.name]) for task in trained.plan.tasks
    )
    answers = {split: _answered(tasks, raw[split]) for split in SPLITS}
    if not axes:
        return Member(number, trained, tasks, answers)
    # Raw examples are turned, as the file does it: pre-processing comes behind.
    turn = partial(_turned, axes=axes)
    mirrored = {split: _answered(tasks, outputs(trained, split, turn)) for split in SPLITS}
    return Member(number, trained, tasks, answers, mirrored)


def _answered(tasks: Sequence[Task], raw: Arrays) -> dict[str, Answers]:
    return {task.name: task.answers(raw[task.name]) for task in tasks}


def _turned(inputs: Arrays, axes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Inputs [n, …] mirrored."""
    turned = {name: np.flip(inputs[name], axis) for name, axis in axes.items()}
    return {**inputs, **turned}


def ensemble_of(
    members: Sequence[Member], data: Data, axes: Mapping[str, int], way: str | None = None
) -> Ensemble:
    """The members as one, by the `way` that is asked for or the best on validation data."""
    labels = data.validation.columns
    answers = [each.answers["validation"] for each in members]
    combination = combined(data.tasks, answers, labels, way)
    alone = best_of(members, data)
    forms = _forms(members, combination, alone, bool(axes))
    rivals = tuple(
        _rival(form, networks, alone, data, answers["validation"], axes)
        for form, (networks, answers) in _networks(members, combination, alone, forms).items()
    )
    facts = _facts(members, combination, alone, forms, data)
    return Ensemble(tuple(members), combination, alone, rivals, facts)


def best_of(members: Sequence[Member], data: Data) -> Member:
    """The member whose validation answers are best by the metric that decides."""
    task = data.tasks[0]
    truth = data.validation[task.name]
    return max(
        members, key=lambda each: standing(task, each.answers["validation"][task.name], truth)
    )


def _forms(
    members: Sequence[Member], combination: Combination, alone: Member, mirrored: bool
) -> dict[str, dict[str, ByTask]]:
    """What each form answers by split; the one that costs no training in front."""
    forms: dict[str, dict[str, ByTask]] = {}
    if mirrored:
        forms[MIRRORED] = {split: alone.with_mirror(split) for split in SPLITS}
    # One member alone is a candidate already, in more precisions than these.
    if len(combination.used) < 2:
        return forms
    forms[ENSEMBLE] = {
        split: combination.answers([each.answers[split] for each in members]) for split in SPLITS
    }
    if mirrored:
        forms[IN_MIRROR] = {
            split: combination.answers([each.with_mirror(split) for each in members])
            for split in SPLITS
        }
    return forms


Parts = tuple[list[Member], dict[str, list[float]]]
"""The members of a form, and what each counts by task."""


def _networks(
    members: Sequence[Member],
    combination: Combination,
    alone: Member,
    forms: Mapping[str, dict[str, ByTask]],
) -> dict[str, tuple[Parts, dict[str, ByTask]]]:
    """What each form consists of, and what it answers; members that count nothing are left out."""
    used = combination.used
    shares = {name: [own[place] for place in used] for name, own in combination.shares.items()}
    several = [members[place] for place in used], shares
    single = [alone], {name: [1.0] for name in combination.shares}
    return {
        form: (single if form == MIRRORED else several, answers) for form, answers in forms.items()
    }


def _rival(
    form: str,
    parts: Parts,
    alone: Member,
    data: Data,
    answers: ByTask,
    axes: Mapping[str, int],
) -> Rival:
    """The one network of a form, from raw examples to answers."""
    members, shares = parts
    labels = data.validation.columns
    tasks = tuple(task.settled_by(answers[task.name], labels[task.name]) for task in alone.tasks)
    # Answers are averaged, which no temperature may change any more: tasks are settled for that.
    network = _united(members, shares, data)
    if form in (MIRRORED, IN_MIRROR):
        network = in_mirror(network, axes)
    network = with_columns(network, tasks=[task.facts() for task in tasks])
    facts = {"members": [each.number for each in members], "shares": shares}
    return Rival(form, network, tasks, facts, everywhere=True)


def _united(
    members: Sequence[Member], shares: Mapping[str, Sequence[float]], data: Data
) -> Network:
    networks = [finished(each.trained.network, data.inputs, each.tasks) for each in members]
    return networks[0] if len(networks) == 1 else united(networks, shares)


def _facts(
    members: Sequence[Member],
    combination: Combination,
    alone: Member,
    forms: Mapping[str, dict[str, ByTask]],
    data: Data,
) -> dict[str, Any]:
    """What run.json says: the members' figures, the forms', and their gains on test data."""
    task = data.tasks[0]
    return {
        "task": task.name,
        "metric": task.metric.name,
        "way": combination.way,
        "tried": list(combination.tried),
        "shares": {name: list(own) for name, own in combination.shares.items()},
        "alone": alone.number,
        "members": [
            {
                **_figures(task, data, each.answers),
                # What they were settled to is in the file: it repeats the mean from checkpoints.
                "tasks": [own.facts() for own in each.tasks],
            }
            for each in members
        ],
        "forms": [
            {
                "form": form,
                **_figures(task, data, answers),
                **_gains(task, data, answers["test"], members, alone),
            }
            for form, answers in forms.items()
        ],
    }


def _figures(task: Task, data: Data, answers: Mapping[str, ByTask]) -> dict[str, float]:
    """The metric on both splits."""
    return {
        f"{split}_metric": task.answered(answers[split][task.name], data.splits[split][task.name])
        for split in SPLITS
    }


def _gains(
    task: Task, data: Data, answers: ByTask, members: Sequence[Member], alone: Member
) -> dict[str, Any]:
    """By how much a form is better on test data than members on average, and than the best one."""
    truth = data.test[task.name]
    every = [each.answers["test"][task.name] for each in members]
    best = [alone.answers["test"][task.name]]
    # The best is that of validation data: who is best on test data nobody could have known.
    gains = {"over_mean": every, "over_best": best}
    return {
        name: asdict(paired_gain(task, answers[task.name], others, truth))
        for name, others in gains.items()
    }


def in_words(ensemble: Ensemble, data: Data) -> list[str]:
    """What came of it, in lines."""
    task, facts = data.tasks[0], ensemble.facts
    own = [each["test_metric"] for each in facts["members"]]
    mean, best = float(np.mean(own)), own[_place(ensemble)]
    lines = [
        f"members: test {task.metric.title} {task.metric_text(mean)} on average, that of the best "
        f"on validation data {task.metric_text(best)}; combined by {_way(ensemble.combination)}"
    ]
    for row in facts["forms"]:
        value, gain = task.metric_text(row["test_metric"]), Gain(**row["over_mean"])
        lines.append(
            f"{CALLED[row['form']]}: test {task.metric.title} {value}, {gain.points:+.2f} points "
            f"against the mean member (95% of resamples: {gain.low:+.2f} to {gain.high:+.2f}), "
            f"{row['over_best']['points']:+.2f} against the best"
        )
    return lines


def _place(ensemble: Ensemble) -> int:
    numbers = [each.number for each in ensemble.members]
    return numbers.index(ensemble.alone.number)


def _way(combination: Combination) -> str:
    counts = ", ".join(f"{share:.2f}" for share in next(iter(combination.shares.values())))
    return f"{combination.way} ({counts})"
