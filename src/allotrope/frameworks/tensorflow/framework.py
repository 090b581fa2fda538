"""TensorFlow: networks run, differentiated and trained in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks.contract import Collective, Framework, Trainer, TrainingPlan
from allotrope.frameworks.inputs import check_inputs, check_output_gradients, check_shapes
from allotrope.frameworks.precisions import precisions
from allotrope.frameworks.tensorflow.arrays import to_numpy, to_tensor
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.module import NetworkModule
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives
from allotrope.frameworks.tensorflow.product_precision import products
from allotrope.network.network import Network
from allotrope.operators.memory import bounded


class TensorFlow(Framework):
    """Networks in TensorFlow."""

    name = "tensorflow"

    def take_threads(self, threads: int | None) -> None:
        """TensorFlow can be told before its first computation alone."""
        from allotrope.frameworks.tensorflow.trainer import set_threads

        set_threads(threads)

    def native(self, network: Network) -> NetworkModule:
        """The network as a `tf.Module` whose variables have the weights' names."""
        return NetworkModule(network)

    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """The weights and state of a native model, by their names in the network."""
        return {name: to_numpy(variable) for name, variable in model.weights.items()}

    def run(
        self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False
    ) -> dict[str, np.ndarray]:
        """The network's outputs by name."""
        arrays = {name: to_tensor(array) for name, array in check_inputs(network, inputs).items()}
        with _named_errors(), products("float32"):
            model = NetworkModule(network, primitives=bounded(TensorFlowPrimitives()))
            outputs, _ = model.outputs(arrays, model.values(), training, 0)
            return {name: to_numpy(value) for name, value in outputs.items()}

    def gradients(
        self,
        network: Network,
        inputs: Mapping[str, np.ndarray],
        output_gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products by name, for every trainable weight and every float input."""
        arrays = {name: to_tensor(array) for name, array in check_inputs(network, inputs).items()}
        upstream = check_output_gradients(network, output_gradients)
        with _named_errors(), products("float32"):
            model = NetworkModule(
                network, primitives=bounded(TensorFlowPrimitives(differentiating=True))
            )
            values = model.values()
            wanted = {name: x for name, x in arrays.items() if x.dtype.is_floating}
            wanted |= {name: values[name] for name in network.weights if name in network.trainable}
            with tf.GradientTape() as tape:
                tape.watch(list(wanted.values()))
                outputs, _ = model.outputs(arrays, values, False, 0)
            check_shapes(upstream, {name: y.shape for name, y in outputs.items()})
            targets = [outputs[name] for name in upstream]
            seeds = [
                tf.cast(to_tensor(g), y.dtype)
                for y, g in zip(targets, upstream.values(), strict=True)
            ]
            downstream = tape.gradient(
                targets, list(wanted.values()), seeds, tf.UnconnectedGradients.ZERO
            )
            return {
                name: to_numpy(tf.convert_to_tensor(g))
                for name, g in zip(wanted, downstream, strict=True)
            }

    def trainer(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> Trainer:
        """A trainer that starts from the network's weights."""
        from allotrope.frameworks.tensorflow.trainer import TensorFlowTrainer

        return TensorFlowTrainer(network, plan, settings, collective)

    def collective(
        self, rank: int, size: int, addresses: Sequence[str], settings: Settings
    ) -> Collective:
        """The processes by the servers of `tf.distribute`."""
        from allotrope.frameworks.tensorflow.collective import TensorFlowProcesses
        from allotrope.frameworks.tensorflow.trainer import set_threads

        set_threads(settings.threads)  # while it still can be said
        return TensorFlowProcesses(rank, size, addresses)

    def settings(self) -> list[Settings]:
        """Exact and not compiled first; steps are always graphs, `compiled` means by XLA."""
        devices = ["cuda"] * bool(tf.config.list_physical_devices("GPU")) + ["cpu"]
        return [
            Settings(device=device, precision=precision, compiled=compiled)
            for device in devices
            for compiled in (False, True)
            for precision in precisions(device)
        ]


@contextmanager
def _named_errors() -> Iterator[None]:
    """A kernel that TensorFlow lacks, as an error that says so."""
    try:
        yield
    except (
        tf.errors.OpError,
        LookupError,
    ) as error:  # a lookup: there is no gradient of an operation
        raise UnsupportedError(
            f"TensorFlow cannot compute this: {' '.join(str(error).split())[:300]}"
        ) from error


FRAMEWORK = TensorFlow()
