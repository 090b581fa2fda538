"""The members of an ensemble, one after the other, each written down before the next begins."""

from __future__ import annotations

from dataclasses import replace

from allotrope.progress import Progress, duration
from allotrope.verbs import pipeline
from allotrope.verbs.ensemble_pages import (
    EnsemblePage,
    MemberPage,
    MemberStartPage,
    all_trainings,
    member_folder,
)
from allotrope.verbs.journal import Journal
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.ensemble_members import KINDS, Making
from allotrope.verbs.pipeline.ensemble_stage import (
    Ensemble,
    ensemble_of,
    in_words,
    member_of,
    mirror_axes,
)
from allotrope.verbs.request import FitOptions


def trained_members(journal: Journal, options: FitOptions, plan: Plan, show: Progress) -> Ensemble:
    """Every member trained, and what they are together.

    Ctrl-C ends the training of the member that is under way; the ensemble is then of those so far.
    """
    assert options.ensemble is not None
    show.say(_plan_in_words(options, plan))
    trained: list[TrainedPlan] = []
    for number in range(1, options.ensemble + 1):
        trained.append(_member(journal, options, plan, trained, number, show))
        # Those that follow would hide that somebody wants an end.
        if trained[-1].interrupted:
            break
    axes = mirror_axes(plan.data, trained[0])

    def together() -> Ensemble:
        members = [member_of(number, each, axes) for number, each in enumerate(trained, 1)]
        ensemble = ensemble_of(members, plan.data, axes)
        for line in in_words(ensemble, plan.data):
            show.say(line)
        return ensemble

    ensemble = journal.value(EnsemblePage(), together)
    # The record of the run is of all trainings, also if the first is the one that stands alone.
    facts, speed = all_trainings(trained)
    alone = replace(ensemble.alone.trained, facts=facts, speed=speed)
    return replace(ensemble, alone=replace(ensemble.alone, trained=alone))


def _member(
    journal: Journal,
    options: FitOptions,
    plan: Plan,
    before: list[TrainedPlan],
    number: int,
    show: Progress,
) -> TrainedPlan:
    """A member, begun and trained."""
    assert options.ensemble is not None
    making = Making(options, plan, options.ensemble, number, tuple(before))
    page = MemberStartPage(plan, number, options.ensemble_of, options.ensemble)
    begun = journal.value(page, lambda: KINDS[options.ensemble_of](making))
    folder = member_folder(journal.run, number)

    def train() -> TrainedPlan:
        show.say(f"member {number} of {options.ensemble}")
        learned = pipeline.trained(begun.in_training, folder, show)
        # It is judged on the examples that are nobody's own.
        return replace(learned, plan=begun.plan)

    return journal.value(MemberPage(begun), train)


def _plan_in_words(options: FitOptions, plan: Plan) -> str:
    """How many members there are to be, and for how long each learns."""
    count, recipe = options.ensemble or 1, plan.recipe
    times = []
    if recipe.budget is not None:
        times.append(f"{duration(recipe.budget)} ({duration(count * recipe.budget)} in all)")
    if recipe.epochs is not None:
        times.append(f"at most {recipe.epochs:g} epochs")
    members = f"{count} members by {options.ensemble_of}" if count > 1 else "one network"
    return f"{members}, each trained for {' or '.join(times)}"
