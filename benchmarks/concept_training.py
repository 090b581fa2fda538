"""One training of `concepts.py`, from data to the metric on test data."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from concept_problems import BARE, ConceptProblem
from concept_rows import Concept

from allotrope.architectures.choose import Choice, choose
from allotrope.config import Settings
from allotrope.data.examples import Data
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Arrays
from allotrope.network.initialize import draw, glorot_normal, lecun_normal
from allotrope.network.network import Network
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import train
from allotrope.training.rate_finder import found_rate
from allotrope.verbs.pipeline.ensemble_alone import with_answers

FRAMEWORK = "pytorch"
SETTINGS = Settings(threads=1)
MEMBERS = 3
APART = 100
"""Seeds of the members of an ensemble are so far apart."""
TINY = 0.01
_MADE: dict[tuple[str, int], list[Network]] = {}
"""The members of an ensemble, which a student learns from, too."""


def tiny_normal(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Normal with deviation 0.01, whatever the shape: as before Glorot and He."""
    return TINY * random.standard_normal(shape, dtype=np.float32)


INITIALIZERS = {"glorot": glorot_normal, "lecun": lecun_normal, "tiny": tiny_normal}


def reached(problem: ConceptProblem, data: Data, concept: Concept | None, seed: int) -> float:
    """The problem's metric on test data after one training; None trains the bare recipe."""
    overrides = {**BARE, **(concept.recipe if concept else {})}
    chosen = _chosen(problem, data, overrides, seed)
    special = concept.special if concept else ""
    trainer = SPECIAL.get(special, _plainly)
    if special in INITIALIZERS:
        chosen = replace(chosen, network=_redrawn(chosen.network, special, seed))
    answers = trainer(problem, data, chosen, seed)
    (first, *_) = data.tasks
    task = first.trained_by(chosen.recipe, data.train[first.name])
    return float(task.scores(answers[task.name], data.test[task.name])[problem.metric])


def _chosen(problem: ConceptProblem, data: Data, overrides: Mapping[str, Any], seed: int) -> Choice:
    # What the recipe asks of the network's style wins over the problem's own.
    style = {name: value for name, value in problem.arguments.items() if name not in overrides}
    return choose(
        data, problem.network, overrides, epochs=problem.epochs, seed=seed, arguments=style
    )


def _trained(data: Data, chosen: Choice) -> Network:
    return train(chosen.network, data, chosen.recipe, SETTINGS, FRAMEWORK).network


def _answers(network: Network, data: Data, split: str = "test") -> dict[str, np.ndarray]:
    """The raw outputs for all data of a split."""
    run = functools.partial(find_framework(FRAMEWORK).run, network)
    return in_batches(run, data.taken(split), data.inputs)


def _plainly(problem: ConceptProblem, data: Data, chosen: Choice, seed: int) -> Arrays:
    return _answers(_trained(data, chosen), data)


def _at_found_rate(problem: ConceptProblem, data: Data, chosen: Choice, seed: int) -> Arrays:
    """At the rate that `--find-rate` would take."""
    curve = found_rate(chosen.network, data, chosen.recipe, SETTINGS, FRAMEWORK)
    recipe = replace(chosen.recipe, learning_rate=curve.chosen)
    return _answers(_trained(data, replace(chosen, recipe=recipe)), data)


def _members(problem: ConceptProblem, data: Data, seed: int) -> list[Network]:
    """Networks that began with other weights and saw the batches in another order."""
    if (problem.title, seed) not in _MADE:
        seeds = [seed + APART * number for number in range(MEMBERS)]
        networks = [_trained(data, _chosen(problem, data, BARE, each)) for each in seeds]
        _MADE[problem.title, seed] = networks
    return _MADE[problem.title, seed]


def _ensemble(problem: ConceptProblem, data: Data, chosen: Choice, seed: int) -> Arrays:
    """The mean of the members' logits."""
    return _mean_of_members(problem, data, seed, "test")


def _mean_of_members(problem: ConceptProblem, data: Data, seed: int, split: str) -> Arrays:
    answers = [_answers(member, data, split) for member in _members(problem, data, seed)]
    return {name: np.mean([each[name] for each in answers], axis=0) for name in answers[0]}


def _distilled(problem: ConceptProblem, data: Data, chosen: Choice, seed: int) -> Arrays:
    """One network that learns from labels and from the mean of the members' answers."""
    tasks = [task.trained_by(chosen.recipe, data.train[task.name]) for task in data.tasks]
    mean = _mean_of_members(problem, data, seed, "train")
    answers = {task.name: task.answers(mean[task.name]) for task in tasks}
    return _answers(_trained(with_answers(data, tasks, answers), chosen), data)


def _redrawn(network: Network, initializer: str, seed: int) -> Network:
    """The network with other first weights of its layers."""
    layers = {name: network.weights[name] for name in network.trainable}
    drawn = {
        name: draw(INITIALIZERS[initializer], seed, name, array.shape)
        for name, array in layers.items()
        if array.ndim > 1
    }
    return network.with_weights(drawn)


SPECIAL = {"find_rate": _at_found_rate, "ensemble": _ensemble, "distill": _distilled}
