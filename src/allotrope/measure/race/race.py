"""The race itself: settings, agreement, speed in interleaved rounds, whole trainings.

Each framework in processes of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from allotrope.config import FixedSettings
from allotrope.frameworks import missing
from allotrope.measure.machine import cores
from allotrope.measure.race.losses import agreements
from allotrope.measure.rounds import Timing, Turns
from allotrope.process.worker import PATIENCE, WorkerError, WorkerProcess
from allotrope.progress import duration
from allotrope.tasks import Metric
from allotrope.wording import counted

Row = dict[str, Any]
RACER = "allotrope.measure.race.racer"
SETTINGS_SHARE = 0.4
"""The part of the budget that the races of settings may take, all together; they end as soon as
they know."""
ROUNDS_SHARE = 0.2
"""The part of the budget that the rounds may take."""
TURNS = Turns(rounds=5, seconds=1.0)
"""How many rounds there are, and the most seconds of a turn."""
PARTS = {"train": 1.0, "answer": 0.5}
"""The part of a turn's seconds that each of the two things has that are timed."""
LEAST_RUNS = 3
SAFETY = 0.75
"""The part of the time that is left which trainings are planned for: first steps and validations
vary."""
SHORTEST = 0.5
"""Fewer epochs than this are no training."""
FEW_EPOCHS = 5.0
"""As many say something, if more were wished for than the budget has time for."""
KINDS = {"train": "training", "answer": "inference"}


@dataclass(frozen=True)
class RacePlan:
    """What is to be raced, and within what.

    `settings` fix what is not raced, and the threads of each framework. `budget` is in seconds, for
    everything; `epochs` is how many each training has at the most; `examples` and `validations` are
    the sizes of those splits; `seeds` how many trainings each framework makes; `metric`
    judges them. `patience`: seconds beside what a task may take, after which a process hangs.
    `turns`: the rounds, whose turns are shorter if the budget asks for it.
    """

    frameworks: tuple[str, ...]
    settings: FixedSettings
    budget: float
    epochs: float
    seeds: int
    examples: int
    validations: int
    metric: Metric
    patience: float = PATIENCE
    turns: Turns = TURNS

    @property
    def threads(self) -> int:
        """The threads of each framework."""
        return self.settings.threads or cores()


class FrameworkRace:
    """One race.

    `rows`: one a framework, with the inner keys of `run_words`, filled as the race goes, so that
    whatever ends it leaves what was measured.

    A row whose framework is missing, failed or took too long has the `reason`; what was measured
    before stays.
    """

    def __init__(
        self,
        folder: Path,
        plan: RacePlan,
        report: Callable[[str], None] = lambda line: None,
        missing: Callable[[str], str | None] = missing,
    ) -> None:
        """`folder` holds what `write_inputs` wrote.

        `missing` says why a framework cannot be used.
        """
        self._missing = missing
        self.folder, self.plan, self.report = str(folder), plan, report
        self.rows: list[Row] = [{"framework": name} for name in plan.frameworks]
        self.epochs: float | None = None
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the race was made."""
        return time.monotonic() - self._began

    def run(self) -> None:
        """All of it. KeyboardInterrupt comes through; no process outlives the call."""
        for row in self.rows:
            reason = self._missing(row["framework"])
            if reason is not None:
                self._fail(row, reason)
        self._race_settings()
        self._judge_losses()
        with ExitStack() as stack:
            self._time_in_rounds(self._start(stack))
        self._learn()

    # --- each framework's own best settings

    def _race_settings(self) -> None:
        """In own processes: what loses there must not count as the winner's memory or time."""
        fixed = asdict(self.plan.settings)
        share = SETTINGS_SHARE * self.plan.budget / max(len(self._racing()), 1)
        for row in self._racing():
            self.report(f"{row['framework']}: racing its settings")
            with self._worker(patience=3 * share + self.plan.patience) as worker:
                self._ask(
                    row, worker, "load", framework=row["framework"], threads=self.plan.threads
                )
                raced = self._ask(
                    row, worker, "settings", folder=self.folder, fixed=fixed, seconds=share
                )
            if raced is not None:
                row["settings"], row["losses"] = raced["chosen"], raced["losses"]
                row["settings_race"] = {name: raced[name] for name in ("rows", "reason", "seconds")}

    def _judge_losses(self) -> None:
        judged = agreements(
            {row["framework"]: row.pop("losses") for row in self.rows if "losses" in row}
        )
        for row in self.rows:
            if row["framework"] in judged:
                row["agreement"] = vars(judged[row["framework"]])

    # --- speed and memory

    def _start(self, stack: ExitStack) -> dict[str, WorkerProcess]:
        """A fresh process for each framework that is still in the race, trained one step."""
        workers = {}
        for row in self._racing():
            self.report(f"{row['framework']}: starting a fresh process")
            worker = workers[row["framework"]] = stack.enter_context(
                self._worker(patience=self.plan.patience)
            )
            loaded = self._ask(
                row, worker, "load", framework=row["framework"], threads=self.plan.threads
            )
            started = self._ask(row, worker, "start", folder=self.folder, settings=row["settings"])
            if loaded is not None and started is not None:
                row |= {
                    "version": loaded["version"],
                    "import_seconds": loaded["seconds"],
                    "batch": started["batch"],
                }
                row |= {
                    "first_step_seconds": started["first_step"],
                    "first_answer_seconds": started["first_answer"],
                }
        return workers

    def _time_in_rounds(self, workers: dict[str, WorkerProcess]) -> None:
        """Every second round goes backwards, so that none always follows the same other."""
        timings = {
            row["framework"]: {command: Timing() for command in PARTS} for row in self._racing()
        }
        rounds = self.plan.turns.rounds
        turns = rounds * max(len(timings), 1) * sum(PARTS.values())
        seconds = min(self.plan.turns.seconds, ROUNDS_SHARE * self.plan.budget / turns)
        for number in range(rounds):
            racing = self._racing()
            if racing:
                self.report(
                    f"round {number + 1} of {rounds}: "
                    f"{', '.join(row['framework'] for row in racing)}"
                )
            for row in racing[:: 1 if number % 2 == 0 else -1]:
                for command, timing in timings[row["framework"]].items():
                    worker = workers[row["framework"]]
                    timed = self._ask(
                        row, worker, command, seconds=seconds * PARTS[command], least=LEAST_RUNS
                    )
                    if timed is not None:
                        timing.rounds.append(timed["milliseconds"])
        for row in self._racing():
            row |= {
                KINDS[command]: speed(timing, row["batch"])
                for command, timing in timings[row["framework"]].items()
            }
            row["compile_seconds"] = max(
                0.0, row["first_step_seconds"] - row["training"]["milliseconds"]["median"] / 1e3
            )
            worker = workers[row["framework"]]
            memory = self._ask(row, worker, "memory")
            row["peak_memory"] = None if memory is None else memory["bytes"]
            self._part_step(row, worker, seconds * PARTS["train"])

    def _part_step(self, row: Row, worker: WorkerProcess, seconds: float) -> None:
        """What of a step is for its examples, and what it takes whatever there is in it."""
        small = self._ask(row, worker, "train_small", seconds=seconds, least=LEAST_RUNS)
        if small is not None:
            few = small["batch"], median(small["milliseconds"])
            row["step"] = parted_step(
                few, (row["batch"], row["training"]["milliseconds"]["median"])
            )

    # --- whole trainings

    def _learn(self) -> None:
        """Each seed in each framework, in a fresh process: equal epochs, so metrics compare."""
        racing = self._racing()
        if not racing:
            return
        self.epochs = self._affordable_epochs(racing)
        if self.epochs is None:
            self.report(
                "no whole trainings: the budget leaves no time for them. "
                f"{self._budget_for_trainings(racing)}"
            )
            return
        self.report(
            f"training {counted(self.epochs, 'epoch')} with {counted(self.plan.seeds, 'seed')} in "
            "each framework"
        )
        for number in range(self.plan.seeds):
            for row in self._racing()[:: 1 if number % 2 == 0 else -1]:
                self._learn_once(row, number, self.epochs)

    def _learn_once(self, row: Row, number: int, epochs: float) -> None:
        patience = 60 + 4 * (_fixed_seconds(row) + epochs * self._epoch_seconds(row))
        with self._worker(patience) as worker:
            loaded = self._ask(
                row, worker, "load", framework=row["framework"], threads=self.plan.threads
            )
            learned = self._ask(
                row,
                worker,
                "learn",
                folder=self.folder,
                number=number,
                settings=row["settings"],
                epochs=epochs,
            )
        if loaded is not None and learned is not None:
            row.setdefault("trainings", []).append({"import_seconds": loaded["seconds"], **learned})
            metric = self.plan.metric
            reached = f"{metric.text(learned['validation_metric'])} validation {metric.title}"
            self.report(
                f"{row['framework']}, seed {learned['seed']}: {reached} in "
                f"{duration(learned['seconds'])}"
            )

    def _affordable_epochs(self, racing: list[Row]) -> float | None:
        left = SAFETY * (self.plan.budget - self.seconds) / self.plan.seeds - sum(
            map(_fixed_seconds, racing)
        )
        affordable = left / sum(map(self._epoch_seconds, racing))
        epochs = min(self.plan.epochs, affordable if affordable < 1 else math.floor(affordable))
        if epochs >= min(SHORTEST, self.plan.epochs):
            return epochs
        return None

    def _budget_for_trainings(self, racing: list[Row]) -> str:
        """Which budget leaves time for some epochs; races of settings take more of a larger one."""
        epochs = min(self.plan.epochs, FEW_EPOCHS)
        once = sum(_fixed_seconds(row) + epochs * self._epoch_seconds(row) for row in racing)
        trainings = self.plan.seeds * once / SAFETY
        # What is not trainings takes its shares at the most, and what it took now at the least.
        budget = max(self.seconds + trainings, trainings / (1 - SETTINGS_SHARE - ROUNDS_SHARE))
        return (
            f"--budget {math.ceil(budget / 60)}m has it for {counted(epochs, 'epoch')} with "
            f"{counted(self.plan.seeds, 'seed')}; fewer --frameworks or --seeds need less"
        )

    def _epoch_seconds(self, row: Row) -> float:
        """What an epoch takes with its validation."""
        return (
            self.plan.examples / row["training"]["examples_per_second"]
            + self.plan.validations / row["inference"]["examples_per_second"]
        )

    # --- processes

    def _racing(self) -> list[Row]:
        return [row for row in self.rows if "reason" not in row]

    def _worker(self, patience: float) -> WorkerProcess:
        return WorkerProcess(RACER, self.plan.threads, patience)

    def _ask(
        self, row: Row, worker: WorkerProcess, command: str, **arguments: Any
    ) -> dict[str, Any] | None:
        """The answer; None where the framework is out of the race, now or already."""
        if "reason" in row:
            return None
        try:
            return worker.ask(command, **arguments)
        except WorkerError as error:
            self._fail(row, str(error))
            return None

    def _fail(self, row: Row, reason: str) -> None:
        row["reason"] = reason
        self.report(f"{row['framework']} is out: {reason}")


def parted_step(small: tuple[int, float], whole: tuple[int, float]) -> dict[str, float] | None:
    """A step in `fixed` milliseconds and those of an `example`, from (batch, milliseconds) of two.

    By the line through both. None if the batches are equal, and so tell nothing apart.
    """
    (few, short), (many, long) = small, whole
    if few >= many:
        return None
    example = max(0.0, (long - short) / (many - few))
    return {"fixed": max(0.0, short - few * example), "example": example}


def speed(timing: Timing, batch: int) -> dict[str, Any]:
    """Examples a second by the median of all runs.

    `spread` is that of the rounds' medians, relative. Times of a batch in milliseconds.
    """
    figures = timing.figures()
    return {
        "examples_per_second": 1e3 * batch / figures["median"],
        "spread": figures["spread"],
        "milliseconds": {"median": figures["median"], "p90": figures["p90"]},
    }


def _fixed_seconds(row: Row) -> float:
    """What a training takes besides its epochs: the import, the first step and the first answer."""
    return float(row["import_seconds"] + row["first_step_seconds"] + row["first_answer_seconds"])
