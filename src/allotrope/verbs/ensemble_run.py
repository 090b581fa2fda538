"""The members of an ensemble, one after the other, each written down before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from allotrope.measure.choice import ENSEMBLE
from allotrope.progress import Progress, duration
from allotrope.verbs import pipeline
from allotrope.verbs.ensemble_pages import EnsemblePage
from allotrope.verbs.journal import Journal
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.ensemble_alone import soup_of, taught_by
from allotrope.verbs.pipeline.ensemble_facts import in_words
from allotrope.verbs.pipeline.ensemble_members import (
    FOLDS,
    KINDS,
    OF_ONE_RUN,
    SOUP,
    STUDENT,
    Making,
    MemberPlan,
    on_own_fold,
    student_of,
)
from allotrope.verbs.pipeline.ensemble_stage import ensemble_of
from allotrope.verbs.pipeline.ensemble_values import Ensemble, Member, member_of, mirror_axes
from allotrope.verbs.request import FitOptions
from allotrope.verbs.several_trainings import MEMBERS, BegunPage, LearnedPage, all_trainings

DISTILLED = "distilled"


@dataclass
class EnsembleRun:
    """The trainings of an ensemble and what is made of them."""

    journal: Journal
    options: FitOptions
    plan: Plan
    show: Progress
    trained: list[TrainedPlan] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many members there are to be."""
        return self.options.ensemble or 1

    def run(self) -> Ensemble:
        """Every member trained, and what they are together.

        Ctrl-C ends the training that is under way; the ensemble is then of those so far.
        """
        self.show.say(_plan_in_words(self.options, self.plan))
        for number in range(1, self.count + 1):
            self.trained.append(self._member(number))
            # Those that follow would hide that somebody wants an end.
            if self.trained[-1].interrupted:
                break
        axes = mirror_axes(self.plan.data, self.trained[0])
        members = [member_of(number, each, axes) for number, each in enumerate(self.trained, 1)]
        others = self._alone(members, axes)
        ensemble = self.journal.value(
            EnsemblePage(self.trained), lambda: self._united(members, axes, others)
        )
        return self._as_one_training(ensemble)

    def _alone(self, members: list[Member], axes: Mapping[str, int]) -> dict[str, Member]:
        """Networks as large as one that are made of all."""
        data, others = self.plan.data, dict[str, Member]()
        if self.options.ensemble_of == SOUP:
            soup = soup_of(members, data, axes)
            if soup is not None:
                others[SOUP] = soup
        if not self.options.distill or self.trained[-1].interrupted:
            return others
        teacher = ensemble_of(members, data, {}, self.options.combine_by)
        if not teacher.rivals:
            self.show.say("one member answers as well as all: there is nothing to distil")
            return others
        student = self._student(teacher, axes)
        self.trained.append(student)
        others[DISTILLED] = member_of(self.count + 1, student, axes)
        return others

    def _united(
        self, members: list[Member], axes: Mapping[str, int], others: Mapping[str, Member]
    ) -> Ensemble:
        data = self.plan.data
        ensemble = ensemble_of(members, data, axes, self.options.combine_by, others)
        for line in in_words(ensemble, data):
            self.show.say(line)
        return ensemble

    def _member(self, number: int) -> TrainedPlan:
        """A member, begun and trained."""
        kind = self.options.ensemble_of
        making = Making(self.options, self.plan, self.count, number, tuple(self.trained))
        begun = self._begun(number, lambda: KINDS[kind](making))
        # Its fold follows from seed and number, and is drawn again instead of written.
        if kind == FOLDS:
            begun = on_own_fold(begun, self.count, self.plan.recipe.seed)

        def train() -> TrainedPlan:
            self.show.say(f"member {number} of {self.count}")
            return pipeline.trained(begun.in_training, self._folder(number), self.show)

        return self._learned(begun, train)

    def _student(self, teacher: Ensemble, axes: Mapping[str, int]) -> TrainedPlan:
        """One network that learns what the members answer together."""
        (rival,) = [each for each in teacher.rivals if each.form == ENSEMBLE]
        number = self.count + 1
        making = Making(self.options, self.plan, self.count, number)
        begun = self._begun(number, lambda: student_of(making))

        def train() -> TrainedPlan:
            self.show.say(f"one network learns what {self.count} answer")
            self._say_other_losses(begun.plan)
            data = taught_by(rival, begun.plan, axes, self.show)
            plan = replace(begun.plan, data=data)
            return pipeline.trained(plan, self._folder(number), self.show)

        return self._learned(begun, train)

    def _say_other_losses(self, plan: Plan) -> None:
        """What the student's tasks minimize in place of a loss that was asked for."""
        for task in plan.tasks:
            asked, usual = (task.takes(each.recipe.loss) for each in (self.plan, plan))
            if asked != usual:
                reason = f"{asked} takes labels, not what an ensemble answers"
                self.show.say(f"{task.name} is learned by {usual}: {reason}")

    def _begun(self, number: int, make: Callable[[], MemberPlan]) -> MemberPlan:
        """A member that is written down before it learns."""
        page = BegunPage(self.plan, number, MEMBERS)
        plan = self.journal.value(page, lambda: make().plan)
        return MemberPlan(number, plan, plan.data)

    def _learned(self, begun: MemberPlan, train: Callable[[], TrainedPlan]) -> TrainedPlan:
        """A training that is written down; what came of it is judged on examples of all."""
        page = LearnedPage(begun.plan, begun.number, MEMBERS)
        return self.journal.value(page, lambda: replace(train(), plan=begun.plan))

    def _folder(self, number: int) -> Path:
        return MEMBERS.folder(self.journal.run, number)

    def _as_one_training(self, ensemble: Ensemble) -> Ensemble:
        """With the record of all trainings, also if the first is the one that stands alone."""
        facts, speed = all_trainings(self.trained)
        alone = replace(ensemble.alone.trained, facts=facts, speed=speed)
        return replace(ensemble, alone=replace(ensemble.alone, trained=alone))


def _plan_in_words(options: FitOptions, plan: Plan) -> str:
    """How many members there are to be, and for how long each learns."""
    # What the choice of settings took of the first one's budget is taken from it alone.
    count, recipe, kind = options.ensemble or 1, plan.start.recipe, options.ensemble_of
    trainings = 1 if kind in OF_ONE_RUN else count
    times = []
    if recipe.budget is not None:
        whole = trainings * recipe.budget
        times.append(f"{duration(recipe.budget)} ({duration(whole)} in all)")
    if recipe.epochs is not None:
        times.append(f"at most {recipe.epochs:g} epochs")
    how = " or ".join(times)
    if kind in OF_ONE_RUN:
        line = f"{count} members by {kind}, of one training of {how}"
    else:
        members = f"{count} members by {kind}" if count > 1 else "one network"
        line = f"{members}, each trained for {how}"
    if not options.distill:
        return line
    return (
        f"{line}; then one network learns from them, {STUDENT:g} times as long as a member learned"
    )
