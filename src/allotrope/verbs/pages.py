"""What each stage of `fit` leaves in the run folder, and how it is taken up from there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.data.examples import Data
from allotrope.delivery.deliver import FOLDER, deliver
from allotrope.delivery.kept_tokenizer import check_same_ids
from allotrope.frameworks import framework as find_framework
from allotrope.measure.machine import cores
from allotrope.network.network import Network
from allotrope.network.rewriting.named_after import named_after
from allotrope.progress import Progress, Tick
from allotrope.run import Run
from allotrope.run_record import (
    CandidatesEntry,
    DeliveryEntry,
    ScoresEntry,
    SettingsEntry,
    StartEntry,
    TrainingEntry,
)
from allotrope.run_words import accounts, by_task, inside, written
from allotrope.storage import replace_file
from allotrope.tasks import task_of
from allotrope.training.checkpoints import Checkpoints
from allotrope.training.plausible_settings import fixed_by
from allotrope.verbs.journal import Page
from allotrope.verbs.network_file import START, as_saved
from allotrope.verbs.pipeline import Delivered, Measured, Plan, Scored, Start, TrainedPlan
from allotrope.verbs.request import command_line


@dataclass(frozen=True)
class StartPage(Page[Start]):
    """checkpoints/start.onnx, and how it came to be.

    What is trained is the network that was read back, because a graph that is written may round
    differently.
    """

    framework: str

    def write(self, run: Run, value: Start) -> Start:
        """The network, then the entry."""
        file = run.folder / START
        file.parent.mkdir(exist_ok=True)
        value.network.save(file)
        framework = find_framework(self.framework)
        run.enter(
            StartEntry(
                value.name,
                value.details,
                value.recipe,
                framework.name,
                framework.engine,
                value.fine_tuning,
            )
        )
        start = self.read(run)
        assert start is not None
        return start

    def read(self, run: Run) -> Start | None:
        """The network as the run began with it."""
        entry = run.record.start
        if entry is None:
            return None
        saved = _named(as_saved(run.folder / START), run.json["data"])
        trainable = saved.weights.keys() - set(entry.network_details["not_trainable"])
        network = saved.changed(trainable=trainable)
        frozen = frozenset((entry.fine_tuning or {}).get("frozen", ()))
        return Start(
            entry.network, network, entry.recipe, frozen, entry.network_details, entry.fine_tuning
        )


def _named(network: Network, data: Mapping[str, Any]) -> Network:
    """The network with the columns' names, which a file from before columns lacks."""
    if (len(network.inputs), len(network.outputs)) != (1, 1):
        return network
    (taken,), (task,) = data["inputs"], data["tasks"]
    return named_after(network, [taken["name"]], [task["name"]])


@dataclass(frozen=True)
class PlanPage(Page[Plan]):
    """The settings, and the command that repeats the run with them instead of racing them again."""

    start: Start
    data: Data
    framework: str
    verb: str = "fit"
    positional: str = "data"

    def write(self, run: Run, value: Plan) -> Plan:
        """The entry alone."""
        repeat = self._repeating(run, value)
        race = written(value.race, run.json["data"])
        run.enter(SettingsEntry(value.recipe, value.settings, race, repeat))
        return value

    def read(self, run: Run) -> Plan | None:
        """The plan for the same start."""
        entry = run.record.settings
        if entry is None:
            return None
        return Plan(
            self.data, self.start, entry.recipe, self.framework, entry.settings, entry.settings_race
        )

    def _repeating(self, run: Run, plan: Plan) -> str:
        workers = run.record.workers
        threads = plan.settings.threads or cores()
        if workers is not None:
            threads = workers.worker_threads
        fixed = asdict(fixed_by(replace(plan.settings, threads=threads)))
        if self.verb == "shrink":
            # It takes the settings of the run that it begins with.
            fixed = {"threads": threads}
        asked = run.json["arguments"]
        others = {name: value for name, value in asked.items() if name not in fixed}
        return command_line(self.verb, self.positional, {**others, **fixed})


@dataclass(frozen=True)
class TrainingPage(Page[TrainedPlan]):
    """The best checkpoint and history.csv. A training that Ctrl-C ended is gone on with."""

    plan: Plan

    def write(self, run: Run, value: TrainedPlan) -> TrainedPlan:
        """The entry; the checkpoint was written in training."""
        run.save_history(value.history)
        run.enter(TrainingEntry(value.facts, value.speed))
        return value

    def read(self, run: Run) -> TrainedPlan | None:
        """The network with the weights of the best checkpoint, if that is sound."""
        entry = run.record.training
        if entry is None or entry.training.stopped == "interrupted":
            return None
        best = Checkpoints(run.folder / "checkpoints").best(lambda problem: None)
        if best is None:
            return None
        network = self.plan.start.whole(self.plan.network.with_weights(best.arrays))
        return TrainedPlan(self.plan, network, entry.training, entry.speed)


def write_files(run: Run, files: Mapping[str, bytes]) -> None:
    """Files by name, each whole or not at all."""
    for name, content in files.items():
        path = run.folder / name
        path.parent.mkdir(exist_ok=True)
        replace_file(path, content)


@dataclass(frozen=True)
class ScoresPage(Page[Scored]):
    """The scores, and a file for each of the worst mistakes."""

    trained: TrainedPlan

    def write(self, run: Run, value: Scored) -> Scored:
        """The files, then the entry."""
        write_files(run, value.files)
        settled = None
        if value.tasks != value.trained.plan.tasks:
            settled = [task.facts() for task in value.tasks]
        data = run.json["data"]
        validation, test = (accounts(each, data) for each in (value.validation, value.test))
        run.enter(ScoresEntry(validation, test, settled))
        return value

    def read(self, run: Run) -> Scored | None:
        """The scores; the files stay in the folder."""
        entry = run.record.scores
        if entry is None:
            return None
        tasks = self.trained.plan.tasks
        if entry.settled is not None:
            tasks = tuple(task_of(facts) for facts in entry.settled)
        scores = (by_task(each, run.json["data"]) for each in (entry.validation, entry.test))
        return Scored(self.trained, tasks, *scores)


@dataclass(frozen=True)
class CandidatesPage(Page[Measured]):
    """The rows; the files of candidates were made in the folder."""

    scored: Scored

    def write(self, run: Run, value: Measured) -> Measured:
        """The entry alone."""
        rows = written(value.rows, run.json["data"])
        run.enter(CandidatesEntry(rows, value.measurement))
        return value

    def read(self, run: Run) -> Measured | None:
        """The rows as they were measured."""
        entry = run.record.candidates
        if entry is None:
            return None
        return Measured(self.scored, inside(entry.candidates), entry.measurement)


@dataclass(frozen=True)
class DeliveryPage(Page[Delivered]):
    """delivered/ with the file that was chosen and what uses it."""

    measured: Measured
    show: Progress

    def write(self, run: Run, value: Delivered) -> Delivered:
        """The folder, then the entry."""
        row = value.row
        if row is not None:
            row = deliver(row, run.folder)
            row |= self._same_ids(run.folder / FOLDER)
        write_files(run, value.files)
        data = run.json["data"]
        chosen, nearest = (written(each, data) for each in (row, value.nearest_miss))
        test = None if value.test is None else accounts(value.test, data)
        run.enter(DeliveryEntry(chosen, nearest, test, value.importance))
        return replace(value, row=row)

    def _same_ids(self, folder: Path) -> dict[str, Any]:
        """How many texts the delivered program makes the same tokens of as training, in the row."""
        data = self.measured.scored.trained.plan.data
        columns = {name: split.columns for name, split in data.splits.items()}
        same = check_same_ids(data.inputs, columns, folder)
        if same is None:
            return {}
        self.show.say(str(same))
        return {"same_ids": same.compared}

    def read(self, run: Run) -> Delivered | None:
        """Nothing: a run that was ended early may have become another one since."""
        return None


class HistoryDisplay(Progress):
    """Shows what another display shows, and writes history.csv as it grows."""

    def __init__(self, show: Progress, run: Run) -> None:
        """Goes on with the history that the run has."""
        self._show, self._run = show, run
        self._rows: list[Mapping[str, Any]] = list(run.history())

    def say(self, line: str) -> None:
        """As the other does."""
        self._show.say(line)

    def step(self, tick: Tick) -> None:
        """As the other does."""
        self._show.step(tick)

    def close(self) -> None:
        """As the other does."""
        self._show.close()

    def epoch(self, row: Mapping[str, Any]) -> None:
        """A resumed training repeats what followed its last checkpoint: those rows are replaced."""
        self._rows = [
            *(earlier for earlier in self._rows if int(earlier["step"]) < row["step"]),
            row,
        ]
        self._run.save_history(self._rows)
        self._show.epoch(row)
