"""The functions whose slopes are taken, computed by the reference or by a framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from allotrope.config import Settings
from allotrope.frameworks.contract import Framework
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.oracle import Oracle, first_loss, loss_in_numpy
from allotrope.measure.agreement.step_files import Arrays
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.used import every_node
from allotrope.operators.interpret import Context

Objective = Callable[[Mapping[str, np.ndarray]], float]
"""A function of some of its arrays by name; the others stay what they are."""

DRAWS_MASKS = "Dropout"
"""The operator whose results follow the seed and the step."""

PARTS = ("slopes", "training slopes")
"""Slopes of the outputs' weighted sum, and of the first training step's loss."""


def places(computation: Computation, part: str) -> dict[str, np.ndarray]:
    """The arrays by which slopes are taken: trainable weights, for outputs float inputs too."""
    if part == "slopes":
        network = computation.network
    else:
        network = computation.trained
    arrays = {n: array for n, array in network.weights.items() if n in network.trainable}
    if part == "slopes":
        arrays |= {
            n: array for n, array in computation.inputs().items() if array.dtype == np.float64
        }
    return arrays


def reference_objective(computation: Computation, part: str) -> Objective:
    """The function of `part`, computed by NumPy."""
    if part == "training slopes":
        return _reference_loss(computation)
    oracle, inputs = Oracle(computation.network), computation.inputs()
    seeds = computation.output_gradients()

    def weighted(moved: Mapping[str, np.ndarray]) -> float:
        weights = {name: array for name, array in moved.items() if name not in inputs}
        arrays = {name: moved.get(name, array) for name, array in inputs.items()}
        return _weighted(oracle.outputs(arrays, weights), seeds)

    return weighted


def _reference_loss(computation: Computation) -> Objective:
    oracle, seed = Oracle(computation.trained), computation.plan.seed

    def loss(moved: Mapping[str, np.ndarray]) -> float:
        context = Context(
            training=True, seed=seed, step=1
        )  # each computation leaves its state in its own
        return first_loss(computation, oracle, moved, context)

    return loss


def framework_objective(computation: Computation, part: str, framework: Framework) -> Objective:
    """The same function, computed by a framework."""
    if part == "training slopes":
        return _framework_loss(computation, framework)
    network, seeds = opened(computation.network), computation.output_gradients()
    arrays = {**computation.inputs(), **places(computation, part)}

    def weighted(moved: Mapping[str, np.ndarray]) -> float:
        return _weighted(framework.run(network, {**arrays, **moved}), seeds)

    return weighted


def _framework_loss(computation: Computation, framework: Framework) -> Objective:
    """The first step's loss by the framework's outputs in training; a trainer's if masks are drawn.

    A trainer's step computes gradients too, which takes longer than the loss itself; but only it
    draws the masks of that step.
    """
    if any(node.operator == DRAWS_MASKS for node in every_node(computation.trained.graph)):
        return _trainer_loss(computation, framework)
    network, batch = opened(computation.trained), computation.batch_of(1)
    arrays = {**batch.inputs, **places(computation, "training slopes")}

    def loss(moved: Mapping[str, np.ndarray]) -> float:
        outputs = framework.run(network, {**arrays, **moved}, training=True)
        return loss_in_numpy(computation, batch, outputs)

    return loss


def _trainer_loss(computation: Computation, framework: Framework) -> Objective:
    """The loss that a trainer gives for its first step, from weights that are put in before."""
    trainer = framework.trainer(computation.trained, computation.plan, Settings())
    state, batch = trainer.state(), computation.batch_of(1)

    def loss(moved: Mapping[str, np.ndarray]) -> float:
        weights = {f"weights/{name}": array for name, array in moved.items()}
        trainer.load_state({**state, **weights})
        return float(trainer.step(batch, 0.0, 1))

    return loss


def opened(network: Network) -> Network:
    """The network with its trainable weights as inputs: other weights need no other program."""
    weights = {name: network.weights[name] for name in sorted(network.trainable)}
    inputs = tuple(Value(name, array.dtype, array.shape) for name, array in weights.items())
    graph = replace(network.graph, inputs=(*network.graph.inputs, *inputs))
    return network.changed(graph=graph, trainable=frozenset())


def _weighted(outputs: Arrays, seeds: Arrays) -> float:
    return float(sum((outputs[name] * seed).sum() for name, seed in seeds.items()))
