"""What `tune` leaves in the run folder, and how it is taken up from there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from allotrope.run import Run, plain
from allotrope.run_record import (
    TrainingEntry,
    TrainingFacts,
    TuningEntry,
    recipe_of,
    settings_of,
)
from allotrope.run_words import inside, written
from allotrope.training.checkpoints import Checkpoints
from allotrope.verbs import pages
from allotrope.verbs.journal import Page
from allotrope.verbs.network_file import as_saved
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.tuned_networks import Base
from allotrope.verbs.pipeline.tuned_values import Final, Finalist

FINALS = "finals"
BEST = Path("trials") / "best.onnx"
"""The best network of the search so far, for Ctrl-C."""


def noted(run: Run) -> dict[str, Any]:
    """What run.json says of the search so far."""
    entry = run.record.tuning
    return {} if entry is None else inside(entry.tuning)


def note(run: Run, **facts: Any) -> None:
    """Adds to what run.json says of the search."""
    whole = {**noted(run), **plain(facts)}
    run.enter(TuningEntry(written(whole, run.json["data"])))


def final_folder(run: Run, trial: int, seed: int) -> Path:
    """Where a final training keeps its checkpoints."""
    return run.folder / FINALS / f"trial-{trial}-seed-{seed}"


@dataclass(frozen=True)
class BasePage(Page[Base]):
    """The default, by what it is built from."""

    def write(self, run: Run, value: Base) -> Base:
        """The entry alone; what goes on is what was read back, as after a kill."""
        note(run, base=asdict(value))
        base = self.read(run)
        assert base is not None
        return base

    def read(self, run: Run) -> Base | None:
        """The default as the search began with it."""
        facts = noted(run).get("base")
        if facts is None:
            return None
        recipe, settings = recipe_of(facts["recipe"]), settings_of(facts["settings"])
        race = inside(facts["race"])
        others = {name: facts[name] for name in ("network", "framework", "members")}
        arguments = {name: _tuples(value) for name, value in facts["arguments"].items()}
        return Base(arguments=arguments, recipe=recipe, settings=settings, race=race, **others)


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    return value


@dataclass(frozen=True)
class FinalistsPage(Page[tuple[Finalist, ...]]):
    """Who goes into the final trainings: written when the search is over, and not before."""

    def write(self, run: Run, value: tuple[Finalist, ...]) -> tuple[Finalist, ...]:
        """The entry alone."""
        note(run, entrants=[asdict(each) for each in value])
        return value

    def read(self, run: Run) -> tuple[Finalist, ...] | None:
        """As they were chosen."""
        rows = noted(run).get("entrants")
        return None if rows is None else tuple(Finalist(**row) for row in rows)


@dataclass(frozen=True)
class FinalPage(Page[Final]):
    """One final training. One that Ctrl-C ended is gone on with."""

    entrant: Finalist
    plan: Plan

    @property
    def _key(self) -> tuple[int, int]:
        return self.entrant.trial, self.plan.recipe.seed

    def write(self, run: Run, value: Final) -> Final:
        """The entry; the checkpoints were written in training."""
        if value.trained.interrupted:
            return value
        row: dict[str, Any] = {"trial": self._key[0], "seed": self._key[1], "value": value.value}
        row |= {"loss": value.loss, "training": value.trained.facts}
        row |= {"speed": value.trained.speed, "history": value.trained.history}
        note(run, finals=[*self._others(run), plain(row)])
        return value

    def _others(self, run: Run) -> list[dict[str, Any]]:
        rows = noted(run).get("finals", [])
        return [row for row in rows if (row["trial"], row["seed"]) != self._key]

    def read(self, run: Run) -> Final | None:
        """The network with the weights of its best checkpoint, if that is sound."""
        rows = noted(run).get("finals", [])
        row = next((row for row in rows if (row["trial"], row["seed"]) == self._key), None)
        best = Checkpoints(final_folder(run, *self._key) / "checkpoints").best(lambda line: None)
        if row is None or best is None:
            return None
        network = self.plan.start.whole(self.plan.network.with_weights(best.arrays))
        facts = TrainingFacts(**row["training"])
        trained = TrainedPlan(self.plan, network, facts, row["speed"], row["history"])
        return Final(self.entrant, self.plan.recipe.seed, trained, row["value"], row["loss"])


@dataclass(frozen=True)
class ChosenTrainingPage(Page[TrainedPlan]):
    """The training whose network is delivered, entered as `fit` enters its own."""

    def write(self, run: Run, value: TrainedPlan) -> TrainedPlan:
        """All entries of a training; weights and history were written by it."""
        plan = value.plan
        pages.StartPage(plan.framework).write(run, plan.start)
        pages.PlanPage(plan.start, plan.data, plan.framework, "tune").write(run, plan)
        run.save_history(value.history)
        run.enter(TrainingEntry(value.facts, value.speed))
        return value

    def read(self, run: Run) -> TrainedPlan | None:
        """Nothing: it follows from the finals."""
        return None


def keep_best(run: Run, trained: TrainedPlan, facts: Mapping[str, Any]) -> None:
    """Keeps the best network of the search, with the trial and the rung that it is of."""
    # The file first: an entry without its file could not be delivered.
    (run.folder / BEST).parent.mkdir(exist_ok=True)
    trained.network.save(run.folder / BEST)
    kept_facts = {"training": trained.facts, "speed": trained.speed, "history": trained.history}
    note(run, best={**facts, **plain(kept_facts)})


def best_so_far(run: Run, plan: Plan, facts: Mapping[str, Any]) -> TrainedPlan:
    """The best network of the search, as it was kept."""
    saved = as_saved(run.folder / BEST)
    network = plan.network.with_weights(saved.weights)
    history: Sequence[Mapping[str, Any]] = facts["history"]
    training = TrainingFacts(**facts["training"])
    return TrainedPlan(plan, plan.start.whole(network), training, facts["speed"], history)
