"""How unlabelled examples are learned from: the method, and what each of its stages begins with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from allotrope.architectures.choose import choose
from allotrope.config import Recipe
from allotrope.data.examples import UNLABELLED, Data, Examples
from allotrope.tasks.several import is_classification
from allotrope.training.speed import training_speed
from allotrope.verbs.pipeline.outcome import TrainedPlan
from allotrope.verbs.pipeline.planning import Plan, Start, speed_among, start_of
from allotrope.verbs.pipeline.unlabelled_answers import with_unlabelled
from allotrope.verbs.request import Request

LABELS, SELF_TRAINING, FREEMATCH = "labels", "self-training", "freematch"
MANY_STEPS = 10_000
"""With so many steps methods whose teacher learns along come into their own."""
LARGEST_BATCH = 512
ROUNDS = 3
"""So often pseudo-labels are made, each time by what was learned from those before."""
FIRST = 0.25
"""The part of the time in which labels alone are learned."""
STEPS = 1000
"""So many steps labels alone may take. With 100 labels of digits, 74 and 86 % of the test were
right after 100 steps and 91 and 94 % after 1,000 (`benchmarks/few_labels.py digits --methods labels
--epochs 20`, and 200; draws 0 and 1)."""
SHARE = 0.25
"""The part of each batch that has labels."""
LABELLING = 0.4
"""What a view of an example costs that is labelled, in examples that are trained on."""


@dataclass(frozen=True)
class Method:
    """How unlabelled examples are learned from, and why so, in a line."""

    name: str
    reason: str

    @property
    def rounds(self) -> int:
        """How many trainings follow that by labels alone."""
        return {LABELS: 0, SELF_TRAINING: ROUNDS}.get(self.name, 1)

    @property
    def learns_along(self) -> bool:
        """Whether the teacher is the network that learns."""
        return self.name not in (LABELS, SELF_TRAINING)

    @property
    def may_collapse(self) -> bool:
        """Whether nothing keeps its answers from becoming all alike but the held-out labels.

        The last weights of FixMatch and mean teacher knew 62 and 59 % of digits where labels alone
        knew 74 %, and FreeMatch 95 % (`few_labels.py digits --epochs 20 --threads 1`, draw 0).
        """
        return self.learns_along and self.name != FREEMATCH


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
    method = SELF_TRAINING if steps < MANY_STEPS else FREEMATCH
    why = f"about {steps:,.0f} steps are affordable, where {MANY_STEPS:,} are many"
    return Method(method, _line(method, counts, why))


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


def seen_enough(asked: Request, plan: Plan) -> Plan:
    """The plan with so many epochs that few labels make enough steps, if none are asked for.

    Only what is changed each time that it is seen teaches more so.
    """
    recipe = plan.recipe
    if asked.epochs is not None or recipe.epochs is None or recipe.augmentation == "none":
        return plan
    enough = STEPS * recipe.batch_size / len(plan.data.train)
    return replace(plan, recipe=replace(recipe, epochs=max(recipe.epochs, float(round(enough)))))


def width_for_all(asked: Request, plan: Plan) -> dict[str, Any]:
    """The width that suits all examples and the time, if that is free: students see them all."""
    built = plan.start.details["arguments"]
    if "width" not in built or asked.has_learned:
        return {}
    if asked.network != "auto":
        return {"width": built["width"]}
    start = _begun(asked, plan, with_unlabelled(plan.data), asked.network)
    return {"width": start.details["arguments"]["width"]}


def of_labels(asked: Request, plan: Plan, arguments: Mapping[str, Any]) -> Plan:
    """Labels alone, in the part of the time that is theirs, with the network of the students.

    Where examples are changed each time that they are seen, no weights are chosen by the few
    held-out labels: what was chosen by them would look better on them than it is. Of CIFAR-10 the
    best of 142 epochs had 15 of 25 right, and 38 % of all others; a student with 52 % of those had
    11 right (`few_labels.py cifar-250`, draw 1). Others may be learned by heart in the end: of
    SST-2 the last weights of one draw knew 3.4 points less than the best (draw 2).
    """
    recipe = plan.recipe
    if recipe.augmentation != "none":
        recipe = replace(recipe, selection="last")
    if recipe.budget is not None:
        recipe = replace(recipe, budget=FIRST * recipe.budget)
    if all(plan.start.details["arguments"][name] == value for name, value in arguments.items()):
        return replace(plan, recipe=recipe)
    start = _begun(asked, plan, plan.data, plan.start.name, arguments)
    return replace(plan, start=start, recipe=recipe)


def student_start(
    asked: Request, plan: Plan, unlabelled: Examples, before: TrainedPlan, method: Method
) -> Start:
    """The network as the stage before left it, with the recipe for so many examples.

    It begins anew if so many examples are better learned by another one, such as one that knows
    more words.
    """
    if asked.has_learned:
        start = replace(plan.start, recipe=plan.recipe)
    else:
        built = before.plan.start.details["arguments"]
        width = {name: value for name, value in built.items() if name == "width"}
        data = with_unlabelled(plan.data, unlabelled)
        start = _begun(asked, plan, data, plan.start.name, width)
    recipe = _student_recipe(asked, plan.recipe, start.recipe, method)
    return going_on(replace(start, recipe=recipe), before)


def going_on(start: Start, before: TrainedPlan) -> Start:
    """The network with what was learned before, if that was of the same layers."""
    weights, names = before.network.weights, start.network.weights.keys()
    if not names <= weights.keys():
        return start
    learned = {name: weights[name] for name in names}
    if any(learned[name].shape != x.shape for name, x in start.network.weights.items()):
        return start
    return replace(start, network=start.network.with_weights(learned))


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


def _student_recipe(asked: Request, alone: Recipe, recipe: Recipe, method: Method) -> Recipe:
    """What a student is shown is changed more than what labels alone are learned from.

    Few labels are few however many examples have none, and a student that sees what its teacher
    saw learns little more than that. Mixing is off unless it is asked for: what a teacher that
    learns along says of an example it cannot say of a mixture.
    """
    augmentation = recipe.augmentation
    if "augmentation" not in asked.recipe and augmentation == "light":
        augmentation = alone.augmentation
    if "augmentation" not in asked.recipe and augmentation == "medium":
        augmentation = "heavy"
    mixing = (recipe.mixup or 0.0, recipe.cutmix or 0.0)
    if method.learns_along:
        mixing = 0.0, 0.0
    return replace(
        recipe,
        budget=None if recipe.budget is None else recipe.budget / method.rounds,
        epochs=None if recipe.epochs is None else recipe.epochs / method.rounds,
        augmentation=augmentation,
        mixup=mixing[0],
        cutmix=mixing[1],
        label_smoothing=0.0,
        labelled_share=SHARE,
        selection="best" if method.may_collapse else "last",
    )


@dataclass(frozen=True)
class TimeLeft:
    """What is left of a budget, in seconds, for so many students that are still to come.

    `speed` is in examples a second, and `views` of each unlabelled one are labelled.
    """

    seconds: float
    students: int
    speed: float
    views: int

    def affords(self, most: int) -> tuple[float, int]:
        """Seconds of the next training, and of how many unlabelled examples.

        They are as many as it can see, since each that is seen is labelled in that time too.
        """
        seconds = max(self.seconds, 1.0) / self.students
        seen = (1 - SHARE) * seconds * self.speed
        count = min(seen / (1 + LABELLING * self.views), most)
        labelling = LABELLING * self.views * count / self.speed
        return max(seconds - labelling, 1.0), max(int(count), 1)


def student(plan: Plan, start: Start, budget: float | None, count: int) -> Plan:
    """A student with so many seconds and unlabelled examples."""
    recipe = replace(start.recipe, budget=budget)
    details = {**start.details, UNLABELLED: count}
    start = replace(start, recipe=recipe, details=details)
    return replace(plan, start=start, recipe=recipe)
