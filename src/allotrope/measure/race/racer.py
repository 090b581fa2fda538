"""A process that trains in one framework as told: `python -m allotrope.measure.race.racer`.

Commands and answers are those of `allotrope.process`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from math import nan
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import FixedSettings, Recipe, Settings
from allotrope.data import Batches, Data
from allotrope.frameworks import FRAMEWORKS
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Batch, Framework, Trainer
from allotrope.measure.machine import peak_memory, version
from allotrope.measure.race.files import read_data, read_recipe, read_start
from allotrope.network.network import Network
from allotrope.process.serve import serve
from allotrope.tasks.several import deciding, trained_by
from allotrope.training.evaluate import in_batches
from allotrope.training.learner import trainer_for
from allotrope.training.loop import train
from allotrope.training.plausible_settings import plausible
from allotrope.training.schedules import learning_rate
from allotrope.training.settings_race import race_settings
from allotrope.training.speed import one_step

COMPARED_STEPS = 6
COMPARED_EXAMPLES = 32
READY_BATCHES = 4
SMALL_PART = 8
"""A small batch has this part of the examples of a whole one."""


class Racer:
    """The process's state: its framework, after `start` a trainer with batches ready."""

    def __init__(self) -> None:
        self._framework: Framework
        self._trainer: Trainer | None = None
        self._ready: list[Batch] = []
        self._step = 0

    def load(self, framework: str, threads: int) -> dict[str, Any]:
        """Imports the framework, with the cores that it may use: the seconds that takes."""
        _keep_to(threads)
        began = time.perf_counter()
        self._framework = find_framework(framework)
        # Some import what they are made of when they are first asked for something.
        self._framework.settings()
        return {"seconds": time.perf_counter() - began, "version": _version(framework)}

    def settings(self, folder: str, fixed: dict[str, Any], seconds: float) -> dict[str, Any]:
        """The losses of the first steps with the framework's defaults in float32.

        Then the race of its settings.
        """
        data, recipe, network = _given(folder)
        options = plausible(self._framework, FixedSettings(**fixed))
        losses = self._losses(data, recipe, network, options[0])
        race = race_settings(network, data, recipe, self._framework.name, seconds, options)
        return {
            "losses": losses,
            "chosen": asdict(race.chosen),
            "rows": race.rows,
            "reason": race.reason,
            "seconds": race.seconds,
        }

    def _losses(
        self, data: Data, recipe: Recipe, network: Network, settings: Settings
    ) -> list[float]:
        """Of steps on one batch, in which a wrong gradient shows sooner than on fresh ones."""
        trainer = trainer_for(self._framework, network, data, recipe, settings)
        batch = Batches(data, recipe).batch(0, 0).first(COMPARED_EXAMPLES)
        rate = learning_rate(recipe, recipe.warmup / 4)
        return [one_step(trainer, batch, rate, step) for step in range(1, COMPARED_STEPS + 1)]

    def start(self, folder: str, settings: dict[str, Any]) -> dict[str, Any]:
        """A trainer, its first step and first answer in seconds: then the framework compiles."""
        data, recipe, network = _given(folder)
        batches = Batches(data, recipe)
        self._ready = batches.alike(READY_BATCHES)
        began = time.perf_counter()
        self._trainer = trainer_for(self._framework, network, data, recipe, Settings(**settings))
        self._train_once()
        stepped = time.perf_counter()
        self._answer_once()
        return {
            "first_step": stepped - began,
            "first_answer": time.perf_counter() - stepped,
            "batch": batches.batch_size,
        }

    def train(self, seconds: float, least: int) -> dict[str, Any]:
        """Milliseconds of each of some training steps."""
        return {"milliseconds": _timed(self._train_once, seconds, least)}

    def train_small(self, seconds: float, least: int) -> dict[str, Any]:
        """The same on fewer examples: what a step takes that is for no example in particular."""
        whole = self._ready
        count = max(1, len(whole[0]) // SMALL_PART)
        self._ready = [_cut(batch, count) for batch in whole]
        try:
            return {"milliseconds": _timed(self._train_once, seconds, least), "batch": count}
        finally:
            self._ready = whole

    def answer(self, seconds: float, least: int) -> dict[str, Any]:
        """Milliseconds of each of some passes in inference."""
        return {"milliseconds": _timed(self._answer_once, seconds, least)}

    def memory(self) -> dict[str, Any]:
        """The most bytes of memory that this process has held."""
        return {"bytes": peak_memory()}

    def learn(
        self, folder: str, number: int, settings: dict[str, Any], epochs: float
    ) -> dict[str, Any]:
        """A whole training of this number's start: its history, how good the best weights are."""
        data, recipe = read_data(Path(folder)), read_recipe(Path(folder))
        recipe = replace(recipe, epochs=epochs, budget=None, seed=recipe.seed + number)
        trained = train(
            read_start(Path(folder), number),
            data,
            recipe,
            Settings(**settings),
            self._framework.name,
        )
        decided = f"validation_{deciding(data.tasks)}"
        columns = ("epoch", "seconds", "loss", "validation_loss")
        return {
            "seed": recipe.seed,
            "epochs": trained.epochs,
            "seconds": trained.seconds,
            "examples_per_second": trained.examples_per_second,
            "validation_metric": trained.best[decided],
            "test_metric": self._test_metric(trained.network, data, recipe),
            "history": [
                {**{name: row[name] for name in columns}, "validation_metric": row[decided]}
                for row in trained.history
            ],
        }

    def _test_metric(self, network: Network, data: Data, recipe: Recipe) -> float:
        answers = in_batches(partial(self._framework.run, network), data.taken("test"), data.inputs)
        task = trained_by(data.tasks, recipe, data.train.columns)[0]
        return task.scores(answers[task.name], data.test[task.name]).get(task.metric.name, nan)

    def _train_once(self) -> None:
        """A step that moves no weight, so that steps without end cannot make the loss grow."""
        assert self._trainer is not None
        self._step += 1
        loss = one_step(self._trainer, self._ready[self._step % len(self._ready)], 0.0, self._step)
        if not np.isfinite(loss):
            raise ValueError(f"the loss of the first weights is {loss}")

    def _answer_once(self) -> None:
        assert self._trainer is not None
        self._trainer.evaluate(self._ready[0].inputs)


def _cut(batch: Batch, count: int) -> Batch:
    """The first examples of a batch."""
    parts = (batch.inputs, batch.targets, batch.weights)
    return Batch(*({name: array[:count] for name, array in part.items()} for part in parts))


def _given(folder: str) -> tuple[Data, Recipe, Network]:
    return read_data(Path(folder)), read_recipe(Path(folder)), read_start(Path(folder), 0)


def _timed(action: Callable[[], None], seconds: float, least: int) -> list[float]:
    """Milliseconds of each run but the first, for `seconds` and at least `least` runs."""
    action()
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < ends:
        began = time.perf_counter()
        action()
        times.append(1e3 * (time.perf_counter() - began))
    return times


def _keep_to(threads: int) -> None:
    """Keeps the process on so many cores if it can: some frameworks take no thread count."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def _version(framework: str) -> str:
    """The package's version, and for Keras the engine that it runs on."""
    installed = version(FRAMEWORKS[framework]) or ""
    engine = find_framework(framework).engine
    return installed if engine is None else f"{installed} on {engine}"


if __name__ == "__main__":
    serve(Racer())
