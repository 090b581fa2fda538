"""The members of an ensemble before their first step: what makes each err otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from allotrope.architectures.choose import choose
from allotrope.architectures.side_by_side import seeds_of_members
from allotrope.architectures.varied import varied
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.data.folds import without_fold
from allotrope.errors import UsageError
from allotrope.training.speed import training_speed
from allotrope.verbs.pipeline.outcome import TrainedPlan
from allotrope.verbs.pipeline.planning import Plan, Start, start_of
from allotrope.verbs.request import Request

SEEDS, FOLDS, SNAPSHOTS, NETWORKS, SOUP = "seeds", "folds", "snapshots", "networks", "soup"
OF_ONE_RUN = (SNAPSHOTS, SOUP)
"""Kinds whose members share the time of one training."""
LEAST_EPOCHS = 5.0
"""A cycle of fewer ends before the network stands elsewhere than the snapshot before it."""
GENTLE = 0.5
"""The part of the learning rate at which a network goes on from which others go on too: with all of
it they would end so far apart that the mean of their weights is no network."""
STUDENT = 2.0
"""A network that learns from the ensemble does so for as many times as long as a member: it sees
more in each example, and goes on gaining by that (Beyer et al., CVPR 2022,
https://arxiv.org/abs/2106.05237)."""

SAID = 0.5
"""What the ensemble's answers count in its targets; the labels count the rest. An ensemble is
hardly better than one network, and where it is wrong labels are right: with 0.9 the student of five
members was worse than one that learned labels as long (docs/decisions.md)."""


@dataclass(frozen=True)
class Making:
    """What a member is made of: the `plan` of a network alone, and those before it.

    `count` is how many there are to be, `number` which one it is, from 1.
    """

    asked: Request
    plan: Plan
    count: int
    number: int
    before: Sequence[TrainedPlan] = ()

    @property
    def seed(self) -> int:
        """The seed of its weights, order and augmentation; the first has that of the run."""
        return seeds_of_members(self.plan.recipe.seed, self.number)[-1]

    @property
    def budget(self) -> float | None:
        """The whole budget: settings were chosen in that of the first, which has the rest."""
        return self.plan.start.recipe.budget


@dataclass(frozen=True)
class MemberPlan:
    """A member before its training: `plan` is by what it is judged, `learning` what it sees.

    The two differ if it has validation examples of its own.
    """

    number: int
    plan: Plan
    learning: Data

    @property
    def in_training(self) -> Plan:
        """The plan of its training."""
        return replace(self.plan, data=self.learning)


def of_seeds(making: Making) -> MemberPlan:
    """Other initial weights, order and augmentation; of a network from a file the last two."""
    plan = making.plan
    if making.number > 1:
        recipe = replace(plan.recipe, seed=making.seed, budget=making.budget)
        plan = replace(plan, start=_begun_anew(making), recipe=recipe)
    return MemberPlan(making.number, plan, plan.data)


def of_folds(making: Making) -> MemberPlan:
    """As by seeds, and each without a part of the training examples, by which it is validated."""
    return on_own_fold(of_seeds(making), making.count, making.plan.recipe.seed)


def on_own_fold(member: MemberPlan, count: int, seed: int) -> MemberPlan:
    """The member without its fold; what chooses among members is the validation split of all."""
    whole = member.plan.data
    learning = without_fold(whole, member.number, count, seed)
    # Units and shares of classes are of what it learned from, so its tasks are too.
    splits = {**whole.splits, "train": learning.train}
    plan = replace(member.plan, data=replace(whole, splits=splits))
    return MemberPlan(member.number, plan, learning)


def of_snapshots(making: Making) -> MemberPlan:
    """One training in cycles, each of which goes on from where the one before it ended.

    After Huang et al., "Snapshot ensembles", ICLR 2017, https://arxiv.org/abs/1704.00109.

    Raises: UsageError if a cycle would be too short.
    """
    if making.number == 1:
        _check_cycles(making)
        return _going_on(making, None, 1.0)
    return _going_on(making, making.before[-1], 1.0)


def of_soup(making: Making) -> MemberPlan:
    """One training, and others that go on from its end, each in another order of examples.

    Their weights can be averaged, as all are near that one start: Wortsman et al., "Model soups",
    ICML 2022, https://arxiv.org/abs/2203.05482.
    """
    if making.number == 1:
        return _going_on(making, None, 1.0)
    return _going_on(making, making.before[0], GENTLE)


def of_networks(making: Making) -> MemberPlan:
    """Each another network of the zoo that suits the data; after the last the first again.

    Raises: UsageError if there is only one for such data.
    """
    plan = making.plan
    names = varied(plan.data, plan.start.name)
    name = names[(making.number - 1) % len(names)]
    if name == plan.start.name:
        return of_seeds(making)
    choice = choose(
        plan.data,
        name,
        {"flip": plan.recipe.flip, **making.asked.recipe},
        budget=making.budget,
        epochs=making.asked.epochs,
        seed=making.seed,
        members=making.asked.members,
    )
    start = start_of(choice)
    # Another precision was raced for the first network alone.
    settings = replace(plan.settings, precision="float32")
    plan = replace(plan, start=start, recipe=start.recipe, settings=settings)
    return MemberPlan(making.number, plan, plan.data)


KINDS: Mapping[str, Callable[[Making], MemberPlan]] = {
    SEEDS: of_seeds,
    FOLDS: of_folds,
    SNAPSHOTS: of_snapshots,
    NETWORKS: of_networks,
    SOUP: of_soup,
}
"""What members may differ in, the usual one first."""


def student_of(making: Making) -> MemberPlan:
    """The network from other initial weights, which is to learn what an ensemble answers."""
    member = of_seeds(making)
    recipe = with_time(member.plan.recipe, STUDENT)
    # The teacher's answers are soft already, and not every loss of labels takes such.
    smoothing = (1 - SAID) * recipe.label_smoothing
    recipe = replace(recipe, label_smoothing=smoothing, loss=Recipe().loss)
    return replace(member, plan=replace(member.plan, recipe=recipe))


def with_time(recipe: Recipe, share: float) -> Recipe:
    """The recipe with so many times its budget and epochs."""
    budget = None if recipe.budget is None else share * recipe.budget
    epochs = None if recipe.epochs is None else share * recipe.epochs
    return replace(recipe, budget=budget, epochs=epochs)


def _going_on(making: Making, end: TrainedPlan | None, rate: float) -> MemberPlan:
    """A part of one training, from the start or from where another part ended."""
    plan, start = making.plan, making.plan.start
    recipe = with_time(plan.recipe, 1 / making.count)
    learning_rate = rate * recipe.learning_rate
    recipe = replace(recipe, seed=making.seed, learning_rate=learning_rate)
    if end is not None:
        learned = {name: end.network.weights[name] for name in start.network.weights}
        start = replace(start, network=start.network.with_weights(learned))
    return MemberPlan(making.number, replace(plan, start=start, recipe=recipe), plan.data)


def _check_cycles(making: Making) -> None:
    """Raises: UsageError if there is not time enough for cycles of which each leads elsewhere."""
    plan, count = making.plan, making.count
    epochs, budget = plan.recipe.epochs, plan.recipe.budget
    if budget is not None:
        settings = [replace(plan.settings, compiled=False)]
        speed = training_speed(plan.network, plan.data, plan.recipe, plan.framework, settings)
        an_epoch = len(plan.data.train) / speed
        epochs = min(budget / an_epoch, epochs or float("inf"))
    if epochs is None or epochs >= LEAST_EPOCHS * count:
        return
    remedy = f"--epochs {LEAST_EPOCHS * count:g}"
    if budget is not None:
        remedy = f"--budget {1.2 * budget * LEAST_EPOCHS * count / epochs:.0f}s"
    raise UsageError(
        f"{count} snapshots of one training of about {epochs:.1f} epochs have "
        f"{epochs / count:.1f} epochs each, and need {LEAST_EPOCHS:g}: fewer lead nowhere else. "
        f"Give at least {remedy}, or take --ensemble-of {SEEDS}."
    )


def _begun_anew(making: Making) -> Start:
    """The network with other weights: the same kind and width, as is trained by the same recipe."""
    asked, plan = making.asked, making.plan
    # A file has its weights; members differ in the order of the examples and their changes.
    if asked.file is not None:
        return plan.start
    # It was settled for the first one; to ask the data again takes time and gives the same.
    recipe = {"flip": plan.recipe.flip, **asked.recipe}
    built = plan.start.details["arguments"]
    choice = choose(
        plan.data,
        plan.start.name,
        recipe,
        budget=plan.recipe.budget,
        epochs=plan.recipe.epochs,
        seed=making.seed,
        members=asked.members,
        # What width suits the time was found out for the first one too.
        arguments={name: value for name, value in built.items() if name == "width"},
    )
    return start_of(choice)
