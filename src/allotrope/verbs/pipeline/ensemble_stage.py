"""Trained members become one: how their answers are combined, and the files of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.measure.choice import ENSEMBLE, IN_MIRROR, MIRRORED
from allotrope.network.columns import with_columns
from allotrope.network.network import Network
from allotrope.network.rewriting.in_mirror import in_mirror
from allotrope.network.rewriting.united import united
from allotrope.network.rewriting.voting import with_vote
from allotrope.training.combining import Combination, combined
from allotrope.training.greedy_selection import standing
from allotrope.verbs.pipeline.ensemble_facts import FormAnswers, facts_of
from allotrope.verbs.pipeline.ensemble_values import SPLITS, BySplit, ByTask, Ensemble, Member
from allotrope.verbs.pipeline.rivals import Rival


def ensemble_of(
    members: Sequence[Member],
    data: Data,
    axes: Mapping[str, int],
    way: str | None = None,
    others: Mapping[str, Member] | None = None,
) -> Ensemble:
    """The members as one, by the `way` that is asked for or the best on validation data.

    `others` are networks that were made of them, such as one that learned their answers.
    """
    others = others or {}
    labels = data.validation.columns
    own = [each.answers["validation"] for each in members]
    combination = combined(data.tasks, own, labels, way)
    best = best_of(members, data)
    alone = best_of([best, *others.values()], data)
    forms = _forms(members, combination, alone, bool(axes))
    rivals = tuple(
        _rival(form, members, combination, alone, data, answers["validation"], axes)
        for form, answers in forms.items()
    )
    shown = [
        *(FormAnswers(each.form, each.tasks[0], forms[each.form]) for each in rivals),
        *(FormAnswers(name, each.tasks[0], each.answers) for name, each in others.items()),
    ]
    facts = facts_of(members, combination, best, shown, data)
    names = {each.number: name for name, each in others.items()}
    facts["alone"] = names.get(alone.number, alone.number)
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
) -> dict[str, BySplit]:
    """What each form answers; the one that costs no training in front."""
    forms: dict[str, BySplit] = {}
    if mirrored:
        forms[MIRRORED] = {split: alone.with_mirror(split) for split in SPLITS}
    # One member alone is a candidate already, in more precisions than these.
    if len(combination.used) < 2:
        return forms
    forms[ENSEMBLE] = {
        split: combination.answers([each.answers[split] for each in members]) for split in SPLITS
    }
    if mirrored:
        forms[IN_MIRROR] = {split: _in_mirror(members, combination, split) for split in SPLITS}
    return forms


def _in_mirror(members: Sequence[Member], combination: Combination, split: str) -> ByTask:
    """The mean of what all answer to examples as they are, and to mirrored ones."""
    plain = combination.answers([each.answers[split] for each in members])
    mirrored = combination.answers([(each.mirrored or {})[split] for each in members])
    return {name: (plain[name] + mirrored[name]) / 2 for name in plain}


def _rival(
    form: str,
    members: Sequence[Member],
    combination: Combination,
    alone: Member,
    data: Data,
    answers: ByTask,
    axes: Mapping[str, int],
) -> Rival:
    """The one network of a form, from raw examples to answers."""
    labels = data.validation.columns
    # Answers are averaged, which no temperature may change any more: tasks are settled for that.
    tasks = tuple(task.settled_by(answers[task.name], labels[task.name]) for task in alone.tasks)
    used, network = [alone], _finished(alone, data)
    if form != MIRRORED:
        used = [members[place] for place in combination.used]
        network = _united(used, combination, data)
    if form != ENSEMBLE:
        network = in_mirror(network, axes)
    network = with_columns(network, tasks=[task.facts() for task in tasks])
    facts = {"members": [each.number for each in used]}
    return Rival(form, network, tasks, facts, everywhere=True, answers=answers)


def _united(used: Sequence[Member], combination: Combination, data: Data) -> Network:
    """The members that count for some task; those that count for none are left out."""
    shares = {
        name: [own[place] for place in combination.used] for name, own in combination.shares.items()
    }
    networks = [_finished(each, data) for each in used]
    if combination.votes:
        ballots = {task.name: task.ballot for task in data.tasks if task.ballot is not None}
        networks = [with_vote(each, ballots) for each in networks]
    return united(networks, shares)


def _finished(member: Member, data: Data) -> Network:
    return finished(member.trained.network, data.inputs, member.tasks)
