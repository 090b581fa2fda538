"""The first stages: from what was asked for and what the data is to a plan."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from allotrope.architectures.choose import Speed, choose, choose_recipe
from allotrope.architectures.chosen import Choice, with_task_weights
from allotrope.architectures.text_networks import contenders_for
from allotrope.config import FixedSettings, Recipe, Settings
from allotrope.data.examples import Data
from allotrope.frameworks import framework as find_framework
from allotrope.measure.candidates import Candidate, candidates
from allotrope.measure.rounds import USUAL, Turns
from allotrope.network.network import Network
from allotrope.network.rewriting.batchnorm import with_still_batchnorm
from allotrope.progress import Progress, duration
from allotrope.tasks import Task
from allotrope.tasks.several import trained_by
from allotrope.training.plausible_settings import plausible
from allotrope.training.race_words import described
from allotrope.training.rate_finder import found_rate
from allotrope.training.settings_race import race_settings
from allotrope.training.speed import training_speed
from allotrope.tuning.rungs import LEAST_SECONDS
from allotrope.verbs.network_facts import network_facts
from allotrope.verbs.network_file import Tuning
from allotrope.verbs.pipeline.network_race import raced
from allotrope.verbs.request import Request

LEFT_AT_LEAST = 0.5
"""The part of its budget that a training gets however long its choices took."""
Race = Callable[[Sequence[str], Callable[[str], Choice]], Choice]
"""The best of some networks, by their names and what builds one."""


@dataclass(frozen=True)
class Among:
    """What a run may choose among: the framework's and machine's, unless a caller says.

    `turns`: for how long each candidate is timed. Without `compiled`, no compiled steps, unless
    the framework has no others. `cluster` connects to one at an address, for trainings of so many
    threads. `shortest`: seconds of the shortest training that a search by time makes.
    """

    settings: Sequence[Settings] | None = None
    candidates: Callable[[Path], list[Candidate]] = candidates
    turns: Turns = USUAL
    compiled: bool = True
    cluster: Callable[[str, int], Any] | None = None
    shortest: float = LEAST_SECONDS

    def plausible(self, framework: str, fixed: FixedSettings) -> list[Settings]:
        """The settings among which a training chooses; one, if all are fixed.

        Raises: UsageError if the framework has none such.
        """
        if self.settings is not None:
            options = list(self.settings)
        else:
            options = plausible(find_framework(framework), fixed)
        if self.compiled:
            return options
        return [each for each in options if not each.compiled] or options


@dataclass(frozen=True)
class Start:
    """A network before its first step, and the recipe by which it is to learn.

    `frozen` are weights that would learn and are kept from it. `details` and `fine_tuning` are for
    the record.
    """

    name: str
    network: Network
    recipe: Recipe
    frozen: frozenset[str]
    details: dict[str, Any]
    fine_tuning: dict[str, Any] | None = None

    @property
    def has_learned(self) -> bool:
        """Whether it answers already: it began as a solved model, or came from a file.

        One whose last layer is new does not.
        """
        if self.fine_tuning is None:
            return bool(self.details.get("has_learned"))
        return not self.fine_tuning["replaced"]

    def whole(self, trained: Network) -> Network:
        """What was learned, with all that may ever learn among the trainable weights."""
        if not self.frozen:
            return trained
        learned = {
            name: array for name, array in trained.weights.items() if name in self.network.weights
        }
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
        """The tasks with what recipe and training labels decide, such as a quantity's units."""
        return trained_by(self.data.tasks, self.recipe, self.data.train.columns)

    @cached_property
    def network(self) -> Network:
        """The network that trains: normalization of frozen layers stands still."""
        return with_still_batchnorm(self.start.network, self.start.frozen)


def started(
    asked: Request,
    data: Data,
    tuning: Tuning | None,
    seed: int,
    speed: Speed | None = None,
    race: Race | None = None,
) -> Start:
    """Network, size and recipe: by the data, the time there is, and what was asked for.

    `race` finds the best of several networks that may suit the data; without it the first is taken.
    """
    if tuning is None:
        contenders = contenders_for(data, asked.network)

        def build(name: str) -> Choice:
            return choose(
                data,
                name,
                asked.recipe,
                budget=asked.budget,
                epochs=asked.epochs,
                seed=seed,
                members=asked.members,
                speed=speed,
            )

        return start_of(build(contenders[0]) if race is None else race(contenders, build))
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
    network = with_task_weights(network, recipe, data.tasks, reasons)
    name = tuning.source.name
    return start_of(Choice(name, {}, network, recipe, [*tuning.notes, *reasons]), tuning)


def start_of(choice: Choice, tuning: Tuning | None = None) -> Start:
    """What was chosen as the beginning of a training; `tuning` if it is a file's network."""
    frozen = frozenset() if tuning is None else frozenset(tuning.ready.frozen)
    facts = None if tuning is None else tuning.facts
    return Start(choice.name, choice.network, choice.recipe, frozen, network_facts(choice), facts)


def speed_among(settings: Sequence[Settings], data: Data, framework: str) -> Speed:
    """Measures how fast a network trains here, with the fastest of these settings."""
    return lambda network, recipe: training_speed(network, data, recipe, framework, settings)


def race_among(settings: Sequence[Settings], data: Data, framework: str, show: Progress) -> Race:
    """Races networks here, with the first of these settings, the framework's defaults."""
    return lambda names, build: raced(names, build, data, framework, settings[0], show)


def settled(
    start: Start,
    data: Data,
    framework: str,
    settings: Sequence[Settings],
    show: Progress,
    began: float | None = None,
) -> Plan:
    """The plan with the fastest of these settings whose loss agrees with float32's.

    `began`: the clock when the budget of the recipe began, if what was used of it since is to be
    taken off.
    """
    network = with_still_batchnorm(start.network, start.frozen)
    race = race_settings(network, data, start.recipe, framework, options=settings, report=show.say)
    recipe = start.recipe
    rates: dict[str, Any] = {}
    if recipe.find_rate:
        curve = found_rate(network, data, recipe, race.chosen, framework)
        recipe, rates = replace(recipe, learning_rate=curve.chosen), {"rates": asdict(curve)}
        show.say(
            f"learning rate {curve.chosen:.3g}: there the loss falls fastest in "
            f"{len(curve.rates)} steps at rates from {curve.rates[0]:.2g} on."
        )
    if recipe.budget is not None and began is not None:
        recipe = replace(recipe, budget=_left(recipe.budget, time.monotonic() - began, show))
    show.say(f"settings: {described(race.chosen)}. {race.reason}")
    facts = {"rows": race.rows, "seconds": race.seconds, "reason": race.reason, **rates}
    return Plan(data, start, recipe, framework, race.chosen, facts)


def _left(budget: float, spent: float, show: Progress) -> float:
    """Seconds for the training, of a budget of which choices have taken so much."""
    least = LEFT_AT_LEAST * budget
    if budget - spent < least:
        show.say(
            f"Choices took {duration(spent)} of the {duration(budget)}; the training has "
            f"{duration(least)} all the same. Name --network and --precision to spare them."
        )
    return max(budget - spent, least)


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
    show = show or Progress()
    race = race_among(settings, data, framework, show)
    start = started(asked, data, tuning, asked.seed, speed, race)
    return settled(start, data, framework, settings, show, began)
