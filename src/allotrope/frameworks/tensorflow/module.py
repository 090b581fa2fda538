"""A network as a native `tf.Module`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.frameworks.tensorflow.arrays import to_tensor
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.kernels import Order
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives
from allotrope.network.network import Network
from allotrope.operators.interpret import Context, Program
from allotrope.operators.share import BatchShare

Tensor = Any


class NetworkModule(tf.Module):
    """The network's weights as variables, named as in the network, its graph as `__call__`.

    Made for use inside `tf.function`.

    `weights` holds all variables by name; `trainable_variables` are the trainable ones. In training
    BatchNorm uses the batch and updates its state, and Dropout draws the mask of (`seed`, `step`).
    Shapes must be static. Weights have the network's shapes, unless `as_kernels` asks for the
    `order` that TensorFlow computes with.
    """

    def __init__(
        self,
        network: Network,
        seed: int = 0,
        primitives: TensorFlowPrimitives | None = None,
        as_kernels: bool = False,
    ) -> None:
        """Raises: UnsupportedError that lists every operator without a meaning here."""
        super().__init__()
        self.network, self.seed = network, seed
        graph = lowered(network)
        if as_kernels:
            self.order = Order.of_kernels(network, graph)
        else:
            self.order = Order({}, network)
        self.program = Program(graph, primitives or TensorFlowPrimitives(), ReferencePrimitives())
        self.weights = {
            name: tf.Variable(
                to_tensor(self.order.stored(name, array)),
                trainable=name in network.trainable,
                name=name,
            )
            for name, array in network.weights.items()
        }

    def outputs(
        self,
        inputs: Mapping[str, Tensor],
        weights: Mapping[str, Tensor],
        training: bool,
        step: Any,
        share: BatchShare | None = None,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The network's outputs by name, and in training the new state by name.

        a function of its arguments alone.

        `weights` are in the order of the variables. `share`: these are rows of a larger batch.
        """
        context = Context(training=training, seed=self.seed, step=step, share=share)
        results = self.program({**self.order.views(weights), **inputs}, context)
        return {v.name: y for v, y in zip(self.network.outputs, results, strict=True)}, dict(
            context.updates
        )

    def values(self) -> dict[str, Tensor]:
        """Every variable's value by its name in the network."""
        return {name: tf.convert_to_tensor(variable) for name, variable in self.weights.items()}

    # Nothing here is for AutoGraph, which writes a file of source for each function it reads.
    @tf.autograph.experimental.do_not_convert
    def __call__(self, *inputs: Any, training: bool = False, step: Any = 0) -> Any:
        """Inputs in the network's order.

        A tensor, or a tuple if the network has several outputs. `step` counts training steps.
        """
        arrays = {
            v.name: tf.convert_to_tensor(x, v.dtype)
            for v, x in zip(self.network.inputs, inputs, strict=True)
        }
        outputs, updates = self.outputs(arrays, self.values(), training, step)
        for name, value in updates.items():
            self.weights[name].assign(value)
        if len(outputs) == 1:
            return next(iter(outputs.values()))
        return tuple(outputs.values())
