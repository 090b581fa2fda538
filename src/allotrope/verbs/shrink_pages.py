"""What the rounds of `shrink` leave in the run folder, and how they are taken up from there."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from allotrope.network.network import Network
from allotrope.run import Run, plain
from allotrope.run_record import (
    BeforeEntry,
    MixedEntry,
    RoundingEntry,
    RoundsEntry,
    ShrunkEntry,
    TrainingEntry,
    TrainingFacts,
    recipe_of,
)
from allotrope.run_words import inside, written
from allotrope.verbs.journal import Page
from allotrope.verbs.network_file import as_saved
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.mixed_stage import MixedPrecision
from allotrope.verbs.pipeline.rounding_stage import TaughtRounding
from allotrope.verbs.pipeline.shrunk_values import (
    Before,
    CutNetwork,
    Form,
    Round,
    Span,
    TaughtCut,
)

ROUNDS = "rounds"
START, TAUGHT = "start.onnx", "trained.onnx"
INTEGERS = "integers.onnx"


def folder_of(run: Run, number: int) -> Path:
    """Where a round keeps its files; 0 is the network as it came."""
    return run.folder / ROUNDS / str(number)


def rounding_folder(run: Run) -> Path:
    """Where a training with rounding keeps its files."""
    return run.folder / ROUNDS / "rounding"


def mixed_folder(run: Run) -> Path:
    """Where files of mixed precision are tried."""
    return run.folder / ROUNDS / "mixed"


def recorded(run: Run) -> list[dict[str, Any]]:
    """The rounds as far as they came."""
    entry = run.record.rounds
    return [] if entry is None else entry.rounds


def _enter(run: Run, number: int, facts: Mapping[str, Any]) -> None:
    """Adds to what is known of a round; rounds after it were another's and go."""
    # A round that is made anew was followed by others that are none any more.
    rounds = recorded(run)[:number]
    if len(rounds) < number:
        rounds.append({"number": number})
    rounds[-1] = {**rounds[-1], **facts}
    run.enter(RoundsEntry(rounds))


@dataclass(frozen=True)
class BeforePage(Page[Before]):
    """The rows of the network as it came, and the target in numbers."""

    def write(self, run: Run, value: Before) -> Before:
        """The entry alone."""
        rows = [{**row, "file": _within(run, row["file"])} for row in value.rows]
        today = {**value.today, "file": _within(run, value.today["file"])}
        ends = {"whole": value.whole, "least": value.least, "spans": value.spans}
        facts = {"rows": rows, "today": today, "forms": value.forms, **ends}
        run.enter(BeforeEntry(written(facts, run.json["data"]), value.target))
        before = self.read(run)
        assert before is not None
        return before

    def read(self, run: Run) -> Before | None:
        """As it was measured."""
        entry = run.record.before
        if entry is None:
            return None
        facts = inside(entry.before)
        forms = tuple(map(_form, facts["forms"]))
        spans = tuple(
            Span(_form(each["form"]), each["whole"], each["least"]) for each in facts["spans"]
        )
        ends = facts["whole"], facts["least"]
        return Before(facts["rows"], facts["today"], forms, entry.target, *ends, spans)


def _form(words: Sequence[str]) -> Form:
    runtime, precision, quantizer = words
    return runtime, precision, quantizer


def _within(run: Run, file: str) -> str:
    path = Path(file)
    return str(path.relative_to(run.folder)) if path.is_relative_to(run.folder) else file


@dataclass(frozen=True)
class CutPage(Page[CutNetwork]):
    """rounds/<n>/start.onnx, and what was cut."""

    number: int

    def write(self, run: Run, value: CutNetwork) -> CutNetwork:
        """The network, then the entry. Checkpoints that lie there are of another network."""
        folder = folder_of(run, self.number)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        value.network.save(folder / START)
        _enter(run, self.number, {"cut": {**value.facts, "recipe": asdict(value.recipe)}})
        cut = self.read(run)
        assert cut is not None
        return cut

    def read(self, run: Run) -> CutNetwork | None:
        """The network as it was written."""
        facts = _facts_of(run, self.number, "cut")
        if facts is None:
            return None
        network = _trainable(as_saved(folder_of(run, self.number) / START), facts)
        others = {name: value for name, value in facts.items() if name != "recipe"}
        return CutNetwork(self.number, network, recipe_of(facts["recipe"]), others)


def _facts_of(run: Run, number: int, key: str) -> Any:
    rounds = recorded(run)
    return rounds[number - 1].get(key) if len(rounds) >= number else None


def _trainable(network: Network, facts: Mapping[str, Any]) -> Network:
    return network.changed(trainable=network.weights.keys() - set(facts["not_trainable"]))


@dataclass(frozen=True)
class TaughtPage(Page[TaughtCut]):
    """rounds/<n>/trained.onnx and its history. A training that Ctrl-C ended is gone on with."""

    cut: CutNetwork

    def write(self, run: Run, value: TaughtCut) -> TaughtCut:
        """The network, then the entry, then history.csv of all rounds."""
        number = self.cut.number
        value.network.save(folder_of(run, number) / TAUGHT)
        facts = {"training": value.facts, "history": plain(value.history)}
        _enter(run, number, written(facts, run.json["data"]))
        run.save_history(history_of(recorded(run)))
        return value

    def read(self, run: Run) -> TaughtCut | None:
        """The network with its best weights."""
        facts = inside(_facts_of(run, self.cut.number, "training"))
        if facts is None or facts["stopped"] == "interrupted":
            return None
        saved = as_saved(folder_of(run, self.cut.number) / TAUGHT)
        network = _trainable(saved, self.cut.facts)
        history = inside(_facts_of(run, self.cut.number, "history"))
        return TaughtCut(self.cut, network, facts, history)


def history_of(rounds: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The history of all rounds, steps and epochs counted through."""
    rows: list[dict[str, Any]] = []
    steps, epochs, seconds = 0, 0.0, 0.0
    for each in rounds:
        for row in inside(each.get("history", ())):
            shifted = {"epoch": epochs + row["epoch"], "step": steps + row["step"]}
            rows.append({**row, **shifted, "seconds": seconds + row["seconds"]})
        training = each.get("training")
        if training is not None:
            steps += training["steps"]
            epochs += training["epochs"]
            seconds += training["seconds"]
    return rows


@dataclass(frozen=True)
class RoundPage(Page[Round]):
    """The rows of a trained network; its files lie in the folder."""

    taught: TaughtCut

    def write(self, run: Run, value: Round) -> Round:
        """The entry alone."""
        rows = written(list(value.rows), run.json["data"])
        _enter(run, self.taught.cut.number, {"rows": rows})
        return value

    def read(self, run: Run) -> Round | None:
        """The rows as they were measured."""
        rows = _facts_of(run, self.taught.cut.number, "rows")
        return None if rows is None else Round(self.taught, inside(rows))


@dataclass(frozen=True)
class MixedPage(Page[MixedPrecision]):
    """The rows of mixed precision; their files lie in the folder."""

    def write(self, run: Run, value: MixedPrecision) -> MixedPrecision:
        """The entry alone."""
        run.enter(MixedEntry(written(list(value.rows), run.json["data"])))
        return value

    def read(self, run: Run) -> MixedPrecision | None:
        """The rows as they were measured."""
        entry = run.record.mixed
        return None if entry is None else MixedPrecision(inside(entry.mixed))


@dataclass(frozen=True)
class RoundingPage(Page[TaughtRounding]):
    """rounds/rounding/integers.onnx, if a rounding was learned."""

    def write(self, run: Run, value: TaughtRounding) -> TaughtRounding:
        """The network, then the entry."""
        if value.network is not None:
            value.network.save(rounding_folder(run) / INTEGERS)
        run.enter(RoundingEntry(written(plain(value.facts), run.json["data"])))
        return value

    def read(self, run: Run) -> TaughtRounding | None:
        """The network of integers, or that there is none."""
        entry = run.record.rounding
        if entry is None:
            return None
        if not entry.rounding:
            return TaughtRounding()
        facts = inside(entry.rounding)
        network = as_saved(rounding_folder(run) / INTEGERS)
        return TaughtRounding(network, facts["runtime"], facts)


@dataclass(frozen=True)
class ChosenPage(Page[TrainedPlan]):
    """Which network is delivered, as `fit` records a training."""

    plan: Plan
    network: Network
    facts: Mapping[str, Any]

    def write(self, run: Run, value: TrainedPlan) -> TrainedPlan:
        """The entries alone: files and history were written by the rounds."""
        run.enter(ShrunkEntry(dict(self.facts)))
        run.enter(TrainingEntry(value.facts, value.speed))
        return value

    def read(self, run: Run) -> TrainedPlan | None:
        """Nothing: it follows from the rounds."""
        return None


def training_facts(rounds: Sequence[Round], chosen: Round | None) -> tuple[TrainingFacts, float]:
    """All rounds together as one training, and the speed of the last one."""
    if not rounds:
        return TrainingFacts(0.0, 0, 0.0, "finished", 0.0), 0.0
    facts = [each.taught.facts for each in rounds]
    before = 0.0
    for each in rounds:
        if each is chosen:
            break
        before += each.taught.facts["epochs"]
    best = 0.0 if chosen is None else before + chosen.taught.facts["best_epoch"]
    return (
        TrainingFacts(
            sum(each["epochs"] for each in facts),
            sum(each["steps"] for each in facts),
            best,
            facts[-1]["stopped"],
            sum(each["seconds"] for each in facts),
        ),
        facts[-1]["examples_per_second"],
    )
