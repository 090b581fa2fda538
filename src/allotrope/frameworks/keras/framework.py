"""Keras: networks as `keras.Model`, trained by Keras on the engine that KERAS_BACKEND names.

Keras's own array functions only pass a call on to the engine, so runs and gradients are the
engine's; models and training are Keras's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.errors import UnsupportedError
from allotrope.frameworks import framework
from allotrope.frameworks.contract import Collective, Framework, Trainer, TrainingPlan
from allotrope.frameworks.keras.keras_engine import ENGINES, engine
from allotrope.network.network import Network


class Keras(Framework):
    """Networks in Keras, on one engine for the life of the process."""

    name = "keras"
    engine: str

    def __init__(self) -> None:
        """Raises: UsageError for an engine that cannot train."""
        self.engine = engine()

    @property
    def below(self) -> Framework:
        """The framework that is the engine."""
        return framework(ENGINES[self.engine])

    def take_threads(self, threads: int | None) -> None:
        """As the engine does."""
        self.below.take_threads(threads)

    def compile_soon(self) -> None:
        """As the engine does."""
        self.below.compile_soon()

    def run(
        self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False
    ) -> dict[str, np.ndarray]:
        """The network's outputs by name, computed by the engine."""
        return self.below.run(network, inputs, training)

    def gradients(
        self,
        network: Network,
        inputs: Mapping[str, np.ndarray],
        output_gradients: Mapping[str, np.ndarray],
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products by name, by the engine's own autograd.

        There is one for every trainable weight and every float input.
        """
        return self.below.gradients(network, inputs, output_gradients)

    def native(self, network: Network) -> Any:
        """A `keras.Model` whose variables have the weights' names as their paths."""
        from allotrope.frameworks.keras.module import NetworkModel

        return NetworkModel(network)

    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """The weights and state of a native model, by their names in the network."""
        return {name: model.to_numpy(variable.value) for name, variable in model.by_name.items()}

    def trainer(
        self,
        network: Network,
        plan: TrainingPlan,
        settings: Settings,
        collective: Collective | None = None,
    ) -> Trainer:
        """A trainer that starts from the network's weights.

        Raises: UnsupportedError for compiled steps on PyTorch.
        """
        if settings.compiled and self.engine == "torch":
            raise UnsupportedError(
                "Keras cuts PyTorch's steps into pieces to compile them, for minutes. Leave them "
                "as they are, or use pytorch."
            )
        from allotrope.frameworks.keras.trainer import KerasTrainer

        return KerasTrainer(network, plan, settings, collective)

    def collective(
        self, rank: int, size: int, addresses: Sequence[str], settings: Settings
    ) -> Collective:
        """The processes of the engine.

        Raises: UnsupportedError on JAX, whose steps Keras compiles for one process.
        """
        if self.engine == "jax":
            raise UnsupportedError("Keras on JAX trains in one process only; jax in several.")
        return self.below.collective(rank, size, addresses, settings)

    def settings(self) -> list[Settings]:
        """The engine's, without what Keras cannot do.

        That is to compile PyTorch's steps as a whole, or to train on a device without float64.
        """
        usable = [settings for settings in self.below.settings() if settings.device != "mps"]
        return [
            settings for settings in usable if not (self.engine == "torch" and settings.compiled)
        ]


FRAMEWORK = Keras()
