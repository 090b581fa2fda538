"""One network made of all members: the mean of their weights, or one that learned their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.data.examples import Data
from allotrope.progress import Progress
from allotrope.shrinking.distill import answers_in
from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Encoded, Labels
from allotrope.training.batch_statistics import with_new_statistics
from allotrope.training.greedy_selection import standing
from allotrope.verbs.pipeline.asked_teacher import asked_teacher
from allotrope.verbs.pipeline.ensemble_members import SAID
from allotrope.verbs.pipeline.ensemble_values import Member, in_views, member_of
from allotrope.verbs.pipeline.first_batches import first_batches
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.rivals import Rival


def soup_of(members: Sequence[Member], data: Data, axes: Mapping[str, int]) -> Member | None:
    """The mean of the weights of those that are better so; None if no mean is better than one.

    The best member first, then each of the others, in the order of what they are worth, if with it
    the mean is no worse on validation data (the greedy soup of Wortsman et al., ICML 2022).
    """

    def worth(member: Member) -> tuple[float, float]:
        task = data.tasks[0]
        return standing(task, member.answers["validation"][task.name], data.validation[task.name])

    ordered = sorted(members, key=worth, reverse=True)
    together, soup = ordered[:1], ordered[0]
    for each in ordered[1:]:
        mean = _mean_of_weights([*together, each], axes)
        if worth(mean) >= worth(soup):
            together, soup = [*together, each], mean
    return soup if len(together) > 1 else None


def _mean_of_weights(members: Sequence[Member], axes: Mapping[str, int]) -> Member:
    """Their mean, with statistics of BatchNormalization that are of its own layers."""
    first = members[0].trained
    networks = [each.trained.network for each in members]
    mean = first.network.with_weights(
        {name: _mean([each.weights[name] for each in networks]) for name in first.network.weights}
    )
    # What a layer makes of averaged weights is not the average of what it made of each.
    batches = (each.inputs for each in first_batches(first.plan, first.plan.recipe))
    renewed = with_new_statistics(mean, batches, first.plan.framework)
    return member_of(0, replace(first, network=renewed), axes)


def _mean(arrays: Sequence[np.ndarray]) -> np.ndarray:
    if arrays[0].dtype.kind != "f":
        return arrays[0]
    return np.mean(arrays, axis=0, dtype=np.float64).astype(arrays[0].dtype)


def taught_by(rival: Rival, plan: Plan, axes: Mapping[str, int], show: Progress) -> Data:
    """The data of the plan, by what an ensemble in one file says of training examples.

    It is asked once about each as it is, and mirrored where that means the same: what it says of
    a changed or mixed example is taken for what it says of the example itself, as a label is.
    """
    data, network = plan.data, rival.network
    example = next(first_batches(plan, plan.recipe)).inputs
    with asked_teacher(network, example, plan.settings, show) as asked:
        ask = asked or answers_in(plan.framework, network, data, plan.recipe, plan.settings)
        return with_answers(data, plan.tasks, in_views(ask, data.inputs, data.train, axes))


def with_answers(data: Data, tasks: Sequence[Task], answers: Mapping[str, Answers]) -> Data:
    """The data by labels and by what is answered, in the user's terms, to training examples."""
    taught = {task.name: _taught(task, answers[task.name], data.train[task.name]) for task in tasks}
    return replace(data, taught=taught)


def _taught(task: Task, answers: Answers, labels: Labels) -> Encoded:
    """Targets of which `SAID` are the answers and the rest the labels; all of them without one."""
    said, own = task.as_targets(answers), task.encode(labels)
    if own.weights is None:
        return Encoded(SAID * said + (1 - SAID) * own.targets, None)
    known = own.weights.reshape(*own.weights.shape, *(1,) * (said.ndim - own.weights.ndim)) > 0
    share = np.where(known, np.float32(SAID), np.float32(1))
    targets = share * said + (1 - share) * own.targets
    return Encoded(targets, np.ones_like(own.weights))
