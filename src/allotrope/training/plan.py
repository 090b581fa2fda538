"""From a recipe and a network to the plan of a step: which loss and optimizer, and what each weight's decay and learning rate are."""

from __future__ import annotations

import numpy as np

from allotrope.config import Recipe
from allotrope.frameworks.contract import TrainingPlan
from allotrope.network.network import Network
from allotrope.network.rewriting.head import head_of
from allotrope.network.summary import NORMALIZATIONS
from allotrope.training.losses import loss
from allotrope.training.optimizers import Optimizer


def training_plan(network: Network, recipe: Recipe, class_counts: np.ndarray, frozen: frozenset[str] = frozenset()) -> TrainingPlan:
    """What a trainer computes in a step.

    `class_counts`: [k], of the training data. Weight decay leaves out biases and normalization unless `recipe.decay_all`. Where
    `recipe.bias_scale` raises the learning rate of a normalization's bias, its decay is lowered as much, so that the two cancel.
    `recipe.backbone_rate` multiplies the learning rate of all layers but the last.

    Raises: UsageError for an unknown loss, optimizer or kind of decay.
    """
    faster = normalization_biases(network)
    scale = {name: recipe.bias_scale for name in faster if recipe.bias_scale != 1}
    slower = backbone(network) if recipe.backbone_rate != 1 else frozenset()
    decayed = network.trainable if recipe.decay_all else network.trainable - without_decay(network)
    decay = {name: recipe.weight_decay / scale.get(name, 1.0) for name in sorted(decayed - frozen)}
    return TrainingPlan(
        loss=loss(recipe, class_counts),
        optimizer=Optimizer(recipe),
        learning_rate_scale={**scale, **{name: recipe.backbone_rate * scale.get(name, 1.0) for name in slower}},
        weight_decay=decay if recipe.weight_decay else {},
        frozen=frozen,
        clip_norm=recipe.clip_norm,
        average=recipe.average,
        seed=recipe.seed,
    )


def backbone(network: Network) -> frozenset[str]:
    """The trainable weights of all layers but the last; none where no last layer is known."""
    head = head_of(network)
    return frozenset() if head is None else network.trainable - head.weights


def normalization_biases(network: Network) -> frozenset[str]:
    """The trainable weights that a normalization adds."""
    biases = {node.inputs[2] for node in network.graph.nodes if node.operator in NORMALIZATIONS and len(node.inputs) > 2}
    return network.trainable & biases


def without_decay(network: Network) -> frozenset[str]:
    """The trainable weights that are biases or belong to a normalization: those, and all that have at most one axis longer than 1."""
    normalizing = {name for node in network.graph.nodes if node.operator in NORMALIZATIONS for name in node.inputs[1:]}
    added = {name for node in network.graph.nodes if node.operator in ("Add", "Sub") for name in node.inputs}
    vectors = {name for name in network.trainable if network.weights[name].ndim <= 1}
    spread = {name for name in network.trainable & added if sum(length > 1 for length in network.weights[name].shape) <= 1}
    return network.trainable & (normalizing | vectors | spread)
