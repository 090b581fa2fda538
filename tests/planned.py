"""Plans of training steps for the tests of networks with one output."""

from __future__ import annotations

import numpy as np

from allotrope.config import Recipe
from allotrope.frameworks.contract import Batch, TrainingPlan
from allotrope.network.network import Network
from allotrope.network.rewriting.compose import with_preprocessing
from allotrope.network.rewriting.named_after import named_after
from allotrope.tasks import Classification
from allotrope.tasks.several import loss_over
from allotrope.training.plan import training_plan


def of_digits(inner: Network) -> Network:
    """The network over the raw pixels `image` of digits, which answers `label`."""
    return named_after(with_preprocessing(inner, [80.0], [90.0]), ["image"], ["label"])


def planned(
    network: Network, recipe: Recipe, counts: np.ndarray, frozen: frozenset[str] = frozenset()
) -> TrainingPlan:
    """To learn as many classes as there are counts."""
    (output,) = network.outputs
    classes = tuple(map(str, range(len(counts))))
    task = Classification(name=output.name, classes=classes)
    labels = np.repeat(np.arange(len(counts)), np.asarray(counts, int))
    task = task.trained_by(recipe, labels)
    return training_plan(network, recipe, loss_over({output.name: task.loss}), frozen)


def batch_for(network: Network, x: np.ndarray, target: np.ndarray) -> Batch:
    """Examples of the network's one input and targets of its one output."""
    (taken,), (output,) = network.inputs, network.outputs
    return Batch({taken.name: x}, {output.name: target})


def answers(trainer, network: Network, x: np.ndarray) -> np.ndarray:
    """What the trainer says of the network's one output."""
    (taken,), (output,) = network.inputs, network.outputs
    return trainer.evaluate({taken.name: x})[output.name]
