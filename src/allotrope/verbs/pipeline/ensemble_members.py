"""The members of an ensemble before their first step: what makes each err otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from allotrope.architectures.choose import choose
from allotrope.architectures.side_by_side import seeds_of_members
from allotrope.data.examples import Data
from allotrope.data.folds import without_fold
from allotrope.verbs.pipeline.outcome import TrainedPlan
from allotrope.verbs.pipeline.planning import Plan, Start, start_of
from allotrope.verbs.request import Request

SEEDS, FOLDS = "seeds", "folds"


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
        recipe = replace(plan.recipe, seed=making.seed)
        plan = replace(plan, start=_begun_anew(making), recipe=recipe)
    return MemberPlan(making.number, plan, plan.data)


def of_folds(making: Making) -> MemberPlan:
    """As by seeds, and each without a part of the training examples, by which it is validated."""
    alike = of_seeds(making)
    return on_own_fold(alike, making.count, making.plan.recipe.seed)


def on_own_fold(member: MemberPlan, count: int, seed: int) -> MemberPlan:
    """The member without its fold; what chooses among members is the validation split of all."""
    whole = member.plan.data
    learning = without_fold(whole, member.number, count, seed)
    # Units and shares of classes are of what it learned from, so its tasks are too.
    splits = {**whole.splits, "train": learning.train}
    plan = replace(member.plan, data=replace(whole, splits=splits))
    return MemberPlan(member.number, plan, learning)


def _begun_anew(making: Making) -> Start:
    """The network with other weights: the same kind and width, as is trained by the same recipe."""
    asked, plan = making.asked, making.plan
    # A file has its weights; members differ in the order of the examples and their changes.
    if asked.file is not None:
        return plan.start
    width = plan.start.details["arguments"].get("width")
    # It was settled for the first one; to ask the data again takes time and gives the same.
    recipe = {"flip": plan.recipe.flip, **asked.recipe}
    choice = choose(
        plan.data,
        plan.start.name,
        recipe,
        budget=plan.recipe.budget,
        epochs=plan.recipe.epochs,
        seed=making.seed,
        members=asked.members,
        width=width,
    )
    return start_of(choice)


KINDS: Mapping[str, Callable[[Making], MemberPlan]] = {SEEDS: of_seeds, FOLDS: of_folds}
"""What members may differ in, the usual one first."""
