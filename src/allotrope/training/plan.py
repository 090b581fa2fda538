"""From a recipe and a network to the plan of a step.

Which loss and optimizer, and what each weight's decay and learning rate are.
"""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.config import Recipe
from allotrope.frameworks.contract import Arrays, Loss, TrainingPlan
from allotrope.network.network import Network
from allotrope.network.rewriting.head import head_of
from allotrope.network.summary import NORMALIZATIONS
from allotrope.tasks import Task
from allotrope.tasks.several import joint_loss, trained_by
from allotrope.training.optimizers import optimizer_of
from allotrope.training.rounding_rates import rates_of_steps


def plan_for(
    network: Network, recipe: Recipe, tasks: Sequence[Task], labels: Arrays
) -> TrainingPlan:
    """What a trainer computes in a step to learn the tasks.

    `labels` are all of the training data, by task. Raises: UsageError for an unknown loss,
    optimizer or kind of decay.
    """
    return training_plan(network, recipe, joint_loss(trained_by(tasks, recipe, labels)))


def training_plan(
    network: Network, recipe: Recipe, loss: Loss, frozen: frozenset[str] = frozenset()
) -> TrainingPlan:
    """What a trainer computes in a step.

    Weight decay leaves out biases and normalization unless `recipe.decay_all`. If
    `recipe.bias_scale` raises the learning rate of a normalization's bias, its decay is lowered as
    much, so that the two cancel. `recipe.backbone_rate` multiplies the learning rate of all layers
    but the last, `recipe.layer_decay` more of those that come earlier. Steps of a rounding have
    rates of their own.

    Raises: UsageError for an unknown optimizer or kind of decay.
    """
    faster = normalization_biases(network)
    scale = {name: recipe.bias_scale for name in faster if recipe.bias_scale != 1}
    slower = backbone(network) if recipe.backbone_rate != 1 else frozenset()
    slowed = {name: recipe.backbone_rate * scale.get(name, 1.0) for name in slower}
    rates = _falling({**scale, **slowed}, network, recipe.layer_decay)
    decayed = network.trainable if recipe.decay_all else network.trainable - without_decay(network)
    decay = {name: recipe.weight_decay / scale.get(name, 1.0) for name in sorted(decayed - frozen)}
    return TrainingPlan(
        loss=loss,
        optimizer=optimizer_of(recipe),
        learning_rate_scale={**rates, **rates_of_steps(network, recipe.optimizer)},
        weight_decay=decay if recipe.weight_decay else {},
        frozen=frozen,
        clip_norm=recipe.clip_norm,
        sharpness=recipe.sam,
        average=recipe.average,
        seed=recipe.seed,
    )


def _falling(rates: dict[str, float], network: Network, decay: float) -> dict[str, float]:
    """The rates of weights, those of the first layer by `decay` of what they would be."""
    if decay == 1:
        return rates
    places = layer_places(network)
    return {name: rates.get(name, 1.0) * decay ** (1 - place) for name, place in places.items()}


def layer_places(network: Network) -> dict[str, float]:
    """Where the layer of each trainable weight lies: from 0, the first, to 1, the last.

    A layer begins with a weight of two axes or more; what is added and normalized behind it
    belongs to it.
    """
    layer, layers = -1, dict[str, int]()
    for node in network.graph.nodes:
        learned = [name for name in node.inputs if name in network.trainable - layers.keys()]
        layer += any(network.weights[name].ndim > 1 for name in learned)
        layers |= dict.fromkeys(learned, max(layer, 0))
    return {name: number / max(layer, 1) for name, number in layers.items()}


def backbone(network: Network) -> frozenset[str]:
    """The trainable weights of all layers but the last; none if no last layer is known."""
    head = head_of(network)
    return frozenset() if head is None else network.trainable - head.weights


def normalization_biases(network: Network) -> frozenset[str]:
    """The trainable weights that a normalization adds."""
    normalizing = [node for node in network.graph.nodes if node.operator in NORMALIZATIONS]
    return network.trainable & {node.inputs[2] for node in normalizing if len(node.inputs) > 2}


def without_decay(network: Network) -> frozenset[str]:
    """The trainable weights that are biases, belong to a normalization or are slopes of a PRelu.

    Those, all vectors, and what is added and has at most one axis longer than 1. Decay would draw
    slopes to 0, where a PRelu is a ReLU (He et al. 2015, section 2.1).
    """
    nodes, weights = network.graph.nodes, network.weights
    normalizing = {x for node in nodes if node.operator in NORMALIZATIONS for x in node.inputs[1:]}
    added = {name for node in nodes if node.operator in ("Add", "Sub") for name in node.inputs}
    vectors = {name for name in network.trainable if weights[name].ndim <= 1}
    spread = {x for x in network.trainable & added if sum(n > 1 for n in weights[x].shape) <= 1}
    slopes = {node.inputs[1] for node in nodes if node.operator == "PRelu"}
    return network.trainable & (normalizing | vectors | spread | slopes)
