"""How unlabelled examples are learned from: the method, and what each of its stages begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from allotrope.architectures.choose import choose
from allotrope.config import Recipe
from allotrope.data.examples import UNLABELLED, Data
from allotrope.tasks.several import is_classification
from allotrope.training.speed import training_speed
from allotrope.verbs.pipeline.outcome import TrainedPlan
from allotrope.verbs.pipeline.planning import Plan, Start, speed_among, start_of
from allotrope.verbs.pipeline.unlabelled_answers import with_unlabelled
from allotrope.verbs.request import Request

LABELS, SELF_TRAINING = "labels", "self-training"
MANY_STEPS = 10_000
"""With so many steps methods whose teacher learns along come into their own."""
LARGEST_BATCH = 512
ROUNDS = 3
"""So often pseudo-labels are made, each time by what was learned from those before."""
FIRST = 0.25
"""The part of the time in which labels alone are learned."""
SHARE = 0.25
"""The part of each batch that has labels."""
LABELLING = 0.4
"""What a view of an example costs that is labelled, in examples that are trained on."""


@dataclass(frozen=True)
class Method:
    """How unlabelled examples are learned from, and why so, in a line."""

    name: str
    reason: str


def method_for(asked: str, plan: Plan) -> Method:
    """The method that was asked for; else one that suits the data and the time."""
    data = plan.data
    labels, others = len(data.train), len(data.splits[UNLABELLED])
    counts = f"{labels:,} labels and {others:,} unlabelled examples"
    if asked != "auto":
        return Method(asked, f"method '{asked}', as was asked for, of {counts}")
    if not is_classification(data.tasks):
        why = "only for a single classification it is known how unlabelled examples help"
        return Method(LABELS, _line(LABELS, counts, why))
    if others < labels:
        why = "so few unlabelled examples teach little"
        return Method(LABELS, _line(LABELS, counts, why))
    steps = affordable_steps(plan)
    why = f"about {steps:,.0f} steps are affordable"
    return Method(SELF_TRAINING, _line(SELF_TRAINING, counts, why))


def _line(method: str, counts: str, why: str) -> str:
    return f"method '{method}' of {counts}, because {why}; --method says otherwise"


def affordable_steps(plan: Plan) -> float:
    """About how many steps the time allows with all examples, by the speed that is measured."""
    count = len(plan.data.train) + len(plan.data.splits[UNLABELLED])
    batch = min(LARGEST_BATCH, 2 * math.sqrt(count))
    recipe = plan.recipe
    if recipe.budget is None:
        return (recipe.epochs or 1) * count / batch
    settings = [replace(plan.settings, compiled=False)]
    speed = training_speed(plan.network, plan.data, recipe, plan.framework, settings)
    return recipe.budget * speed / batch


def of_labels(asked: Request, plan: Plan, student: Start) -> Plan:
    """Labels alone, in the part of the time that is theirs, with a network as large as students."""
    recipe = plan.recipe
    if recipe.budget is None:
        return plan
    width = student.details["arguments"].get("width")
    recipe = replace(recipe, budget=FIRST * recipe.budget)
    if width == plan.start.details["arguments"].get("width"):
        return replace(plan, recipe=recipe)
    start = _begun(asked, plan, plan.data, plan.start.name, {"width": width})
    return replace(plan, start=start, recipe=recipe)


def student_start(asked: Request, plan: Plan) -> Start:
    """The network anew, as all examples suit it and the time; one from a file as it came."""
    if asked.has_learned:
        return replace(plan.start, recipe=_student_recipe(asked, plan.recipe, plan.recipe))
    built = plan.start.details["arguments"]
    # Another kind of network may have been found by a race, a width by the time alone.
    free = "width" in built and asked.network == "auto"
    name = asked.network if free else plan.start.name
    start = _begun(asked, plan, with_unlabelled(plan.data), name)
    return replace(start, recipe=_student_recipe(asked, plan.recipe, start.recipe))


def _begun(
    asked: Request, plan: Plan, data: Data, name: str, arguments: Mapping[str, Any] | None = None
) -> Start:
    """The network that suits some data, by the seed and the time of the plan."""
    choice = choose(
        data,
        name,
        {"flip": plan.recipe.flip, **asked.recipe},
        budget=plan.start.recipe.budget if asked.budget is not None else None,
        epochs=asked.epochs,
        seed=plan.recipe.seed,
        members=asked.members,
        speed=speed_among([plan.settings], data, plan.framework),
        arguments=arguments,
    )
    return start_of(choice)


def _student_recipe(asked: Request, alone: Recipe, recipe: Recipe) -> Recipe:
    """Few labels are few however many examples have none: those are changed as strongly."""
    augmentation = recipe.augmentation
    if "augmentation" not in asked.recipe and augmentation == "light":
        augmentation = alone.augmentation
    return replace(recipe, labelled_share=SHARE, label_smoothing=0.0, augmentation=augmentation)


def first_student(start: Start) -> Start:
    """The first of the students, with its part of their time."""
    recipe = start.recipe
    budget, epochs = _shared(recipe.budget), _shared(recipe.epochs)
    return replace(start, recipe=replace(recipe, budget=budget, epochs=epochs))


def _shared(time: float | None) -> float | None:
    return None if time is None else time / ROUNDS


def next_student(before: TrainedPlan) -> Start:
    """The network as the student before left it."""
    start = before.plan.start
    learned = {name: before.network.weights[name] for name in start.network.weights}
    return replace(start, network=start.network.with_weights(learned))


@dataclass(frozen=True)
class TimeLeft:
    """What is left of a budget for so many students that are still to come.

    `speed` is in examples a second.
    """

    seconds: float
    count: int
    speed: float
    views: int

    def next(self, plan: Plan, start: Start) -> Plan:
        """The next one, with as many unlabelled examples as it can see in its time.

        Those are labelled in that time too.
        """
        seconds = self.seconds / self.count
        seen = (1 - SHARE) * seconds * self.speed
        # Each that is seen is labelled, as far as there are so many.
        count = min(seen / (1 + LABELLING * self.views), len(plan.data.splits[UNLABELLED]))
        left = max(seconds - LABELLING * self.views * count / self.speed, 1.0)
        return with_time(plan, start, left, int(count))


def with_time(plan: Plan, start: Start, budget: float | None, count: int) -> Plan:
    """A student with so many seconds and unlabelled examples."""
    recipe = replace(start.recipe, budget=budget)
    details = {**start.details, UNLABELLED: count}
    start = replace(start, recipe=recipe, details=details)
    return replace(plan, start=start, recipe=recipe)
