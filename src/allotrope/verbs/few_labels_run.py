"""Training with few labels, stage by stage, each written down before the next begins."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from allotrope.data.examples import UNLABELLED, Data, Examples
from allotrope.progress import Progress
from allotrope.training.learning_along import learning_along
from allotrope.training.teach import Teaching
from allotrope.verbs import pipeline
from allotrope.verbs.few_labels_pages import FewLabelsPage, MethodPage
from allotrope.verbs.journal import Journal
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.ensemble_values import mirror_axes
from allotrope.verbs.pipeline.few_labels import (
    LABELS,
    Method,
    TimeLeft,
    going_on,
    method_for,
    of_labels,
    seen_enough,
    student,
    student_start,
    width_for_all,
)
from allotrope.verbs.pipeline.few_labels_outcome import FewLabels, outcome
from allotrope.verbs.pipeline.unlabelled_answers import Teacher, drawn, taught_by, with_unlabelled
from allotrope.verbs.request import FitOptions
from allotrope.verbs.several_trainings import STAGES, BegunPage, LearnedPage, all_trainings

PSEUDO_LABELS = "pseudo_labels"


@dataclass
class FewLabelsRun:
    """Labels alone, then what the method makes of the unlabelled examples."""

    journal: Journal
    options: FitOptions
    plan: Plan
    show: Progress
    trained: list[TrainedPlan] = field(default_factory=list)

    def run(self) -> TrainedPlan:
        """The network that is better on held-out labels: by labels alone, or by the method.

        Ctrl-C ends the stage that is under way; it is then between those so far.
        """
        asked = self.options.method
        method = self.journal.value(MethodPage(), lambda: method_for(asked, self.plan))
        self.show.say(method.reason)
        self.trained.append(self._of_labels(method))
        for number in range(2, method.rounds + 2):
            if self.trained[-1].interrupted:
                break
            self.trained.append(self._student(method, number))
        page = FewLabelsPage(self.trained)
        few = self.journal.value(page, lambda: self._judged(method))
        facts, speed = all_trainings(self.trained)
        return replace(few.chosen, facts=facts, speed=speed)

    def _judged(self, method: Method) -> FewLabels:
        rows = STAGES.rows(self.journal.run)
        few = outcome(method, self.trained, rows[-1].get(PSEUDO_LABELS, ()))
        self.show.say(few.verdict)
        return few

    def _of_labels(self, method: Method) -> TrainedPlan:
        """The first stage."""

        def begin() -> Plan:
            plan = seen_enough(self.options, self.plan)
            if method.name == LABELS:
                return plan
            return of_labels(self.options, plan, width_for_all(self.options, plan))

        plan = self._begun(1, begin)
        return self._learned(plan, 1, lambda: plan.data, "labels alone")

    def _student(self, method: Method, number: int) -> TrainedPlan:
        """A stage with unlabelled examples."""
        plan = self._begun(number, lambda: self._begun_student(method, number))
        count = plan.start.details[UNLABELLED]
        unlabelled = drawn(plan.data, count, plan.recipe.seed, number)
        if method.learns_along:
            said = f"{method.name} with {count:,} unlabelled examples"
            teaching = learning_along(method.name, plan.tasks[0])
            learning = partial(with_unlabelled, plan.data, unlabelled)
            return self._learned(plan, number, learning, said, teaching)
        said = f"pseudo-labels of {count:,} examples, {number - 1} of {method.rounds}"
        return self._learned(plan, number, partial(self._labelled, number, unlabelled), said)

    def _labelled(self, number: int, unlabelled: Examples) -> Data:
        """The examples by what the network of the stage before says of them."""
        data, soft = taught_by(Teacher(self.trained[number - 2]), unlabelled)
        STAGES.enter(self.journal.run, number, {PSEUDO_LABELS: soft.counts})
        return data

    def _begun_student(self, method: Method, number: int) -> Plan:
        """How the stage learns: from what the one before it has learned."""
        before, data = self.trained[-1], self.plan.data
        budget, count = self._affordable(method)
        if number == 2:
            unlabelled = drawn(data, count, self.plan.recipe.seed, number)
            start = student_start(self.options, self.plan, unlabelled, before, method)
        else:
            start = going_on(before.plan.start, before)
        return student(self.plan, start, budget or start.recipe.budget, count)

    def _affordable(self, method: Method) -> tuple[float | None, int]:
        """Seconds of the next student, if there is a budget, and its unlabelled examples."""
        before, data = self.trained[-1], self.plan.data
        most, budget = len(data.splits[UNLABELLED]), self.plan.recipe.budget
        if self.options.budget is None or budget is None:
            return None, most
        left = budget - sum(each.facts.seconds for each in self.trained)
        views = 2 if mirror_axes(data, before) else 1
        # Of a training of hardly a step no speed is known but this.
        examples = before.facts.steps * before.plan.recipe.batch_size
        speed = before.speed or max(examples, 1) / max(before.facts.seconds, 1e-3)
        time_left = TimeLeft(left, method.rounds + 1 - len(self.trained), speed, views)
        seconds, count = time_left.affords(most)
        return (max(left, 1.0) if method.learns_along else seconds), count

    def _begun(self, number: int, make: Callable[[], Plan]) -> Plan:
        return self.journal.value(BegunPage(self.plan, number, STAGES), make)

    def _learned(
        self,
        plan: Plan,
        number: int,
        learning: Callable[[], Data],
        said: str,
        teaching: Teaching | None = None,
    ) -> TrainedPlan:
        """A stage that is written down; what came of it is judged on the data as it is."""
        folder = STAGES.folder(self.journal.run, number)

        def train() -> TrainedPlan:
            self.show.say(f"stage {number}: {said}")
            began = time.monotonic()
            data = learning()
            labelling = time.monotonic() - began
            trained = pipeline.trained(replace(plan, data=data), folder, self.show, teaching)
            facts = replace(trained.facts, seconds=trained.facts.seconds + labelling)
            return replace(trained, plan=plan, facts=facts)

        return self.journal.value(LearnedPage(plan, number, STAGES), train)
