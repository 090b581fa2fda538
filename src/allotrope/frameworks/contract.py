"""What a framework supplies beside its primitives: native models and trainers."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.frameworks.primitives import Array
from allotrope.network.network import Network


class Optimizer(Protocol):
    """An update rule over primitives; `options` say which."""

    @property
    def options(self) -> Recipe:
        """The recipe that names the rule and its constants."""

    def slots(self, p: Any, weight: Array) -> dict[str, Array]:
        """Fresh state for one weight, such as its velocity."""

    def update(
        self, p: Any, weight: Array, gradient: Array, slots: dict[str, Array], learning_rate: Any, decay: float, step: Any
    ) -> tuple[Array, dict[str, Array]]:
        """The weight and its state after one step; `step` counts from 1."""


@dataclass(frozen=True)
class TrainingPlan:
    """What a trainer computes in a step, free of any framework.

    `loss(p, logits, target)`: logits and target [n, k], a scalar back. `learning_rate_scale` and `weight_decay` are by weight
    name (1 and 0 where absent). `average` is the decay of the moving average of all weights and state, in effect
    min(average, (1 + step) / (10 + step)). `clip_norm` bounds the global gradient norm.
    """

    loss: Callable[[Any, Array, Array], Array]
    optimizer: Optimizer
    learning_rate_scale: Mapping[str, float] = field(default_factory=dict)
    weight_decay: Mapping[str, float] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    clip_norm: float | None = None
    average: float | None = None
    seed: int = 0


class Trainer(abc.ABC):
    """A network that is being trained in one framework. The loop around it is the same for all."""

    @abc.abstractmethod
    def step(self, images: np.ndarray, target: np.ndarray, learning_rate: float, step: int) -> Any:
        """One update from images and target [n, k]; `step` counts from 1. Gives the loss; `float` waits for it.

        The images go to the network's first input, and the loss is of its first output, in the target's dtype: float32, or
        float64 for a network that is computed in it.
        """

    @abc.abstractmethod
    def evaluate(self, images: np.ndarray) -> np.ndarray:
        """Logits [n, k], float32, of the averaged weights where there are such."""

    @abc.abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on, under `weights/`, `optimizer/<slot>/` and `average/`."""

    @abc.abstractmethod
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave, in this framework or another. Raises: TrainingError where names or shapes differ."""

    @abc.abstractmethod
    def weights(self) -> dict[str, np.ndarray]:
        """Every weight and state of the network as it should be delivered: averaged where averaging is on."""


class Framework(abc.ABC):
    """Runs, differentiates and trains networks in one framework."""

    name: ClassVar[str]
    engine: str | None = None
    """The framework that computes for this one, as this one calls it."""

    def compile_soon(self) -> None:  # noqa: B027 - most frameworks compile nothing for these
        """From now on runs and gradients are compiled in little time, not to the fastest code."""

    @abc.abstractmethod
    def run(self, network: Network, inputs: Mapping[str, np.ndarray], training: bool = False) -> dict[str, np.ndarray]:
        """The network's outputs by name. Raises: UnsupportedError, UsageError for inputs that do not fit."""

    @abc.abstractmethod
    def gradients(
        self, network: Network, inputs: Mapping[str, np.ndarray], output_gradients: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Vector-Jacobian products by name, for every trainable weight and every float input."""

    @abc.abstractmethod
    def native(self, network: Network) -> Any:
        """The network as the framework's own kind of trainable model."""

    @abc.abstractmethod
    def weights_of(self, model: Any) -> dict[str, np.ndarray]:
        """The weights and state of a native model, by their names in the network."""

    @abc.abstractmethod
    def trainer(self, network: Network, plan: TrainingPlan, settings: Settings) -> Trainer:
        """A trainer that starts from the network's weights."""

    @abc.abstractmethod
    def settings(self) -> list[Settings]:
        """The settings that are plausible on this machine, PyTorch's or the framework's defaults first."""
