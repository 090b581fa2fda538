"""The stages from data to a delivered file: functions from values to values, of which `fit` and `compare` are made.

A value knows the one that it was made from. None of them is about the run folder, which `journal.py` keeps;
a folder is asked for only if other processes have to open files in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from allotrope.architectures.choose import Choice, Speed, choose, choose_recipe
from allotrope.config import FixedSettings, Recipe, Settings, Target
from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.frameworks import framework as find_framework
from allotrope.measure.candidates import Candidate, Split, candidates, measure_candidates
from allotrope.measure.choice import choose as choose_candidate
from allotrope.measure.choice import nearest_miss
from allotrope.measure.machine import cores
from allotrope.measure.rounds import measurement
from allotrope.network.network import Network
from allotrope.network.rewriting.batchnorm import with_still_batchnorm
from allotrope.progress import Progress, duration
from allotrope.run_record import TrainingFacts
from allotrope.tasks import Task
from allotrope.tasks.several import deciding, trained_by
from allotrope.training.checkpoints import resumable
from allotrope.training.loop import train
from allotrope.training.plausible_settings import plausible
from allotrope.training.settings_race import described, race_settings
from allotrope.training.speed import training_speed
from allotrope.verbs.facts import network_facts
from allotrope.verbs.judging import answered, judged
from allotrope.verbs.options import Request
from allotrope.verbs.source import Tuning


@dataclass(frozen=True)
class Among:
    """What a run may choose among: what the framework and this machine have, unless a caller says otherwise."""

    settings: Sequence[Settings] | None = None
    candidates: Callable[[Path], list[Candidate]] = candidates

    def plausible(self, framework: str, fixed: FixedSettings) -> list[Settings]:
        """The settings among which a training chooses; one, if all are fixed.

        Raises: UsageError if the framework has none such.
        """
        if self.settings is not None:
            return list(self.settings)
        return plausible(find_framework(framework), fixed)


@dataclass(frozen=True)
class Start:
    """A network before its first step, and the recipe by which it is to learn.

    `frozen` are weights that would learn and are kept from it. `details` and `fine_tuning` are for the record.
    """

    name: str
    network: Network
    recipe: Recipe
    frozen: frozenset[str]
    details: dict[str, Any]
    fine_tuning: dict[str, Any] | None = None

    @property
    def has_learned(self) -> bool:
        """Whether the network came from a file and its last layer is not a new one."""
        return self.fine_tuning is not None and not self.fine_tuning["replaced"]

    def whole(self, trained: Network) -> Network:
        """What was learned, with all that may ever learn among the trainable weights."""
        if not self.frozen:
            return trained
        learned = {name: array for name, array in trained.weights.items() if name in self.network.weights}
        trainable = self.network.trainable | self.frozen
        return self.network.changed(weights=learned, trainable=trainable)


@dataclass(frozen=True)
class Plan:
    """Everything that decides a training. `race` tells how its settings were chosen."""

    data: Data
    start: Start
    recipe: Recipe
    framework: str
    settings: Settings
    race: dict[str, Any]

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks as they are learned."""
        return trained_by(self.data.tasks, self.recipe, self.data.train.columns)

    @cached_property
    def network(self) -> Network:
        """The network that trains: normalization of frozen layers stands still."""
        return with_still_batchnorm(self.start.network, self.start.frozen)


@dataclass(frozen=True)
class TrainedPlan:
    """The network with its best weights, and how it came to them; speed in examples a second."""

    plan: Plan
    network: Network
    facts: TrainingFacts
    speed: float
    history: Sequence[Mapping[str, Any]] = ()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it, so that it can go on."""
        return self.facts.stopped == "interrupted"


@dataclass(frozen=True)
class Scored:
    """A trained network on validation and test data; `files` show its worst answers, by name.

    `tasks` know what was settled on validation data; the first decides.
    """

    trained: TrainedPlan
    tasks: tuple[Task, ...]
    validation: dict[str, Any]
    test: dict[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A row for each candidate, its file relative to the folder in which they were made, and how all were measured."""

    scored: Scored
    rows: Sequence[dict[str, Any]]
    measurement: dict[str, Any]


@dataclass(frozen=True)
class Delivered:
    """The row that meets the target best, or None and the one that comes nearest."""

    measured: Measured
    row: dict[str, Any] | None
    nearest_miss: dict[str, Any] | None


# --- the plan


def started(
    asked: Request, data: Data, tuning: Tuning | None, seed: int, speed: Speed | None = None
) -> Start:
    """Network, size and recipe: by the data, the time there is, and what was asked for."""
    if tuning is None:
        choice = choose(
            data,
            asked.network,
            asked.recipe,
            budget=asked.budget,
            epochs=asked.epochs,
            seed=seed,
            speed=speed,
        )
        return _start(choice)
    network = tuning.ready.learning
    recipe, reasons = choose_recipe(
        data,
        network,
        asked.recipe,
        budget=asked.budget,
        epochs=asked.epochs,
        seed=seed,
        new_head=bool(tuning.ready.replaced),
        knows_classes=tuning.ready.knows_classes,
    )
    name = tuning.source.file.stem
    return _start(Choice(name, {}, network, recipe, [*tuning.notes, *reasons]), tuning)


def _start(choice: Choice, tuning: Tuning | None = None) -> Start:
    frozen = frozenset() if tuning is None else frozenset(tuning.ready.frozen)
    facts = None if tuning is None else tuning.facts
    return Start(choice.name, choice.network, choice.recipe, frozen, network_facts(choice), facts)


def speed_among(settings: Sequence[Settings], data: Data, framework: str) -> Speed:
    """Measures how fast a network trains here, with the fastest of these settings."""
    return lambda network, recipe: training_speed(network, data, recipe, framework, settings)


def settled(
    start: Start,
    data: Data,
    framework: str,
    settings: Sequence[Settings],
    show: Progress,
    began: float | None = None,
) -> Plan:
    """The plan with the fastest of these settings whose loss agrees with float32's.

    `began`: the clock when the budget of the recipe began; what was used of it since is taken off.
    """
    began = time.monotonic() if began is None else began
    network = with_still_batchnorm(start.network, start.frozen)
    race = race_settings(
        network, data, start.recipe, framework, options=settings, report=show.say
    )
    recipe = start.recipe
    if recipe.budget is not None:
        left = recipe.budget - (time.monotonic() - began)
        recipe = replace(recipe, budget=max(left, 1.0))
    show.say(f"settings: {described(race.chosen)}. {race.reason}")
    facts = {"rows": race.rows, "seconds": race.seconds, "reason": race.reason}
    return Plan(data, start, recipe, framework, race.chosen, facts)


def plan(
    asked: Request,
    data: Data,
    framework: str,
    tuning: Tuning | None = None,
    among: Among | None = None,
    show: Progress | None = None,
) -> Plan:
    """What was asked for and what the data is, made a plan: network, recipe, settings."""
    began = time.monotonic()
    settings = (among or Among()).plausible(framework, asked.settings)
    speed = speed_among(settings, data, framework)
    start = started(asked, data, tuning, asked.seed, speed)
    return settled(start, data, framework, settings, show or Progress(), began)


# --- from the plan to the delivered file


def trained(plan: Plan, folder: Path | None = None, show: Progress | None = None) -> TrainedPlan:
    """The plan carried out; with a `folder` from the newest checkpoint in it, if there is one."""
    show = show or Progress()
    result = train(
        plan.network,
        plan.data,
        plan.recipe,
        plan.settings,
        plan.framework,
        folder,
        show,
        resume=folder is not None and resumable(folder / "checkpoints"),
        has_learned=plan.start.has_learned,
    )
    show.close()
    facts = TrainingFacts(
        result.epochs, result.steps, result.best["epoch"], result.stopped, result.seconds
    )
    speed = f"{result.images_per_second:,.0f} images/s"
    took = duration(result.seconds)
    show.say(f"trained {result.epochs:.1f} epochs in {took} ({speed}, {result.stopped})")
    if result.best["step"] == 0:
        show.say(
            "No epoch was better on the validation data than the network as it came "
            f"({_best(plan, result.best)}), so its weights are kept as they were. "
            "Try --epochs, --budget or another --learning-rate."
        )
    network = plan.start.whole(result.network)
    return TrainedPlan(plan, network, facts, result.images_per_second, result.history)


def _best(plan: Plan, row: Mapping[str, Any]) -> str:
    """What decides, of a row of the history."""
    return plan.tasks[0].metric.text(row[f"validation_{deciding(plan.tasks)}"])


def scored(trained: TrainedPlan, show: Progress | None = None) -> Scored:
    """The trained network on validation and test data, in float32."""
    plan = trained.plan
    judgement = judged(trained.network, plan.data, plan.tasks, plan.framework)
    for line in judgement.lines:
        (show or Progress()).say(line)
    return Scored(
        trained, judgement.tasks, judgement.validation, judgement.test, judgement.files
    )


def measured(
    scored: Scored,
    folder: Path,
    target: Target,
    threads: int | None = None,
    among: Among | None = None,
    show: Progress | None = None,
) -> Measured:
    """The trained network, from raw examples to answers, in every precision and runtime.

    Their files are made in `folder`, where processes of their own open them. Training examples calibrate int8.
    """
    data, tasks = scored.trained.plan.data, scored.tasks
    splits = {"validation": data.validation, "test": data.test}
    rows = measure_candidates(
        finished(scored.trained.network, data.inputs, tasks),
        data.taken("train"),
        {
            name: Split(data.taken(name), answered(tasks[0], split))
            for name, split in splits.items()
        },
        folder,
        target,
        tasks[0].metric,
        threads,
        (show or Progress()).say,
        (among or Among()).candidates,
    )
    return Measured(scored, rows, measurement(threads or cores()))


def delivered(measured: Measured, target: Target) -> Delivered:
    """The fastest candidate that meets the target; if none does, the nearest miss."""
    metric = measured.scored.tasks[0].metric
    row = choose_candidate(measured.rows, target, metric)
    missed = nearest_miss(measured.rows, target, metric) if row is None else None
    return Delivered(measured, row, missed)
