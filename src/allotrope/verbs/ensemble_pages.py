"""What members of an ensemble leave in the run folder, and how they are taken up from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.config import Settings
from allotrope.run import Run, plain
from allotrope.run_record import (
    EnsembleEntry,
    MembersEntry,
    TrainingEntry,
    TrainingFacts,
    recipe_of,
)
from allotrope.run_words import inside, written
from allotrope.training.checkpoints import Checkpoints
from allotrope.verbs.journal import Page
from allotrope.verbs.network_file import as_saved
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.ensemble_members import FOLDS, MemberPlan, on_own_fold
from allotrope.verbs.pipeline.ensemble_values import Ensemble
from allotrope.verbs.shrink_pages import history_of

START = "start.onnx"


def member_folder(run: Run, number: int) -> Path:
    """Where a member keeps its start and its checkpoints."""
    return run.folder / "members" / str(number)


def recorded_members(run: Run) -> list[dict[str, Any]]:
    """The members as far as they came."""
    entry = run.record.members
    return [] if entry is None else entry.members


def _enter(run: Run, number: int, facts: Mapping[str, Any]) -> None:
    """Adds to what is known of a member; those after it were another's and go."""
    # One that is made anew was followed by others that are none any more.
    rows = recorded_members(run)[:number]
    if len(rows) < number:
        rows.append({"number": number})
    rows[-1] = {**rows[-1], **facts}
    run.enter(MembersEntry(rows))


@dataclass(frozen=True)
class MemberStartPage(Page[MemberPlan]):
    """members/<n>/start.onnx, and how it is to learn.

    What is trained is the network that was read back, because a graph that is written may round
    differently.
    """

    plan: Plan
    number: int
    of: str
    count: int

    def write(self, run: Run, value: MemberPlan) -> MemberPlan:
        """The network, then the entry."""
        folder = member_folder(run, self.number)
        folder.mkdir(parents=True, exist_ok=True)
        start = value.plan.start
        start.network.save(folder / START)
        fixed = sorted(start.network.weights.keys() - start.network.trainable)
        facts = {
            "network": start.name,
            "details": {**start.details, "not_trainable": fixed},
            "recipe": asdict(value.plan.recipe),
            "settings": asdict(value.plan.settings),
            "examples": len(value.plan.data.train),
        }
        _enter(run, self.number, {"start": plain(facts)})
        member = self.read(run)
        assert member is not None
        return member

    def read(self, run: Run) -> MemberPlan | None:
        """The member as it began."""
        rows = recorded_members(run)
        if len(rows) < self.number:
            return None
        facts = rows[self.number - 1]["start"]
        saved = as_saved(member_folder(run, self.number) / START)
        network = saved.changed(
            trainable=saved.weights.keys() - set(facts["details"]["not_trainable"])
        )
        recipe = recipe_of(facts["recipe"])
        start = replace(
            self.plan.start,
            name=facts["network"],
            network=network,
            recipe=recipe,
            details=facts["details"],
        )
        settings = Settings(**facts["settings"])
        plan = replace(self.plan, start=start, recipe=recipe, settings=settings)
        member = MemberPlan(self.number, plan, plan.data)
        # Its fold follows from seed and number, and is drawn again instead of written.
        if self.of != FOLDS:
            return member
        return on_own_fold(member, self.count, self.plan.recipe.seed)


@dataclass(frozen=True)
class MemberPage(Page[TrainedPlan]):
    """The best checkpoint of a member. A training that Ctrl-C ended is gone on with."""

    member: MemberPlan

    def write(self, run: Run, value: TrainedPlan) -> TrainedPlan:
        """The entry, then history.csv of all members; the checkpoint was written in training."""
        facts = {
            "training": {**asdict(value.facts), "examples_per_second": value.speed},
            "history": plain(value.history),
        }
        _enter(run, self.member.number, written(facts, run.json["data"]))
        run.save_history(history_of(recorded_members(run)))
        return value

    def read(self, run: Run) -> TrainedPlan | None:
        """The network with the weights of the best checkpoint, if that is sound."""
        facts = inside(recorded_members(run)[self.member.number - 1].get("training"))
        if facts is None or facts["stopped"] == "interrupted":
            return None
        folder = member_folder(run, self.member.number) / "checkpoints"
        best = Checkpoints(folder).best(lambda problem: None)
        if best is None:
            return None
        plan = self.member.plan
        network = plan.start.whole(plan.network.with_weights(best.arrays))
        speed = facts.pop("examples_per_second")
        return TrainedPlan(plan, network, TrainingFacts(**facts), speed)


@dataclass(frozen=True)
class EnsemblePage(Page[Ensemble]):
    """What the members are worth together, and all trainings as one."""

    trained: Sequence[TrainedPlan]

    def write(self, run: Run, value: Ensemble) -> Ensemble:
        """The entries alone."""
        facts = written(plain(value.facts), run.json["data"])
        run.enter(EnsembleEntry(facts))
        run.enter(TrainingEntry(*all_trainings(self.trained)))
        return value

    def read(self, run: Run) -> Ensemble | None:
        """Nothing: it follows from the members."""
        return None


def all_trainings(trained: Sequence[TrainedPlan]) -> tuple[TrainingFacts, float]:
    """The trainings of all members as one, and the speed of the last."""
    facts = [each.facts for each in trained]
    whole = TrainingFacts(
        sum(each.epochs for each in facts),
        sum(each.steps for each in facts),
        sum(each.epochs for each in facts[:-1]) + facts[-1].best_epoch,
        facts[-1].stopped,
        sum(each.seconds for each in facts),
    )
    return whole, trained[-1].speed
