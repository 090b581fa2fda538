"""Trainings of one run, one after the other: what each leaves in the run folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.config import Settings
from allotrope.run import Run, plain
from allotrope.run_record import (
    Entry,
    MembersEntry,
    StagesEntry,
    TrainingFacts,
    recipe_of,
)
from allotrope.run_words import inside, written
from allotrope.training.checkpoints import Checkpoints
from allotrope.verbs.journal import Page
from allotrope.verbs.network_file import as_saved
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.shrink_pages import history_of

START = "start.onnx"


@dataclass(frozen=True)
class Trainings:
    """Where trainings are entered: under which key of run.json, and in folders of which folder."""

    name: str
    entry: Callable[[list[dict[str, Any]]], Entry]

    def folder(self, run: Run, number: int) -> Path:
        """Where a training keeps its start and its checkpoints."""
        return run.folder / self.name / str(number)

    def rows(self, run: Run) -> list[dict[str, Any]]:
        """The trainings as far as they came."""
        return list(run.json.get(self.name, ()))

    def enter(self, run: Run, number: int, facts: Mapping[str, Any]) -> None:
        """Adds to what is known of a training; those after it were another's and go."""
        # One that is made anew was followed by others that are none any more.
        rows = self.rows(run)[:number]
        if len(rows) < number:
            rows.append({"number": number})
        rows[-1] = {**rows[-1], **facts}
        run.enter(self.entry(rows))


MEMBERS = Trainings("members", MembersEntry)
STAGES = Trainings("stages", StagesEntry)


@dataclass(frozen=True)
class BegunPage(Page[Plan]):
    """<n>/start.onnx, and how the training is to go; `plan` has all that is not its own.

    What is trained is the network that was read back, because a graph that is written may round
    differently.
    """

    plan: Plan
    number: int
    among: Trainings

    def write(self, run: Run, value: Plan) -> Plan:
        """The network, then the entry."""
        folder = self.among.folder(run, self.number)
        folder.mkdir(parents=True, exist_ok=True)
        start = value.start
        start.network.save(folder / START)
        fixed = sorted(start.network.weights.keys() - start.network.trainable)
        facts = {
            "network": start.name,
            "details": {**start.details, "not_trainable": fixed},
            "recipe": asdict(value.recipe),
            "settings": asdict(value.settings),
            "examples": len(value.data.train),
        }
        self.among.enter(run, self.number, {"start": plain(facts)})
        plan = self.read(run)
        assert plan is not None
        return plan

    def read(self, run: Run) -> Plan | None:
        """The plan as it was."""
        rows = self.among.rows(run)
        if len(rows) < self.number:
            return None
        facts = rows[self.number - 1]["start"]
        saved = as_saved(self.among.folder(run, self.number) / START)
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
        return replace(self.plan, start=start, recipe=recipe, settings=settings)


@dataclass(frozen=True)
class LearnedPage(Page[TrainedPlan]):
    """The best checkpoint of a training. One that Ctrl-C ended is gone on with."""

    plan: Plan
    number: int
    among: Trainings

    def write(self, run: Run, value: TrainedPlan) -> TrainedPlan:
        """The entry, then history.csv of all; the checkpoint was written in training."""
        facts = {
            "training": {**asdict(value.facts), "examples_per_second": value.speed},
            "history": plain(value.history),
        }
        self.among.enter(run, self.number, written(facts, run.json["data"]))
        run.save_history(history_of(self.among.rows(run)))
        return value

    def read(self, run: Run) -> TrainedPlan | None:
        """The network with the weights of the best checkpoint, if that is sound."""
        facts = inside(self.among.rows(run)[self.number - 1].get("training"))
        if facts is None or facts["stopped"] == "interrupted":
            return None
        folder = self.among.folder(run, self.number) / "checkpoints"
        best = Checkpoints(folder).best(lambda problem: None)
        if best is None:
            return None
        network = self.plan.start.whole(self.plan.network.with_weights(best.arrays))
        speed = facts.pop("examples_per_second")
        return TrainedPlan(self.plan, network, TrainingFacts(**facts), speed)


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
