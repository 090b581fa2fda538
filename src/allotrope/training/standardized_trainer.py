"""A trainer whose filters are standardized: what it delivers is what it computes with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from allotrope.frameworks.contract import Arrays, Batch, Trainer
from allotrope.network.network import Network
from allotrope.network.rewriting.standardizing import standardized


class StandardizedTrainer(Trainer):
    """Any trainer of a network in the form of `with_standardized_filters`."""

    def __init__(self, inner: Trainer, network: Network) -> None:
        """`network` is what `inner` trains, before it took that form."""
        self._inner, self._network = inner, network

    def step(self, batch: Batch, learning_rate: float, step: int) -> Any:
        """One update; see the contract."""
        return self._inner.step(batch, learning_rate, step)

    def evaluate(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs by name; see the contract."""
        return self._inner.evaluate(inputs)

    def state(self) -> dict[str, np.ndarray]:
        """With the weights that filters are made of; see the contract."""
        return self._inner.state()

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave; see the contract."""
        self._inner.load_state(state)

    def weights(self) -> dict[str, np.ndarray]:
        """Every weight, of convolutions the standardized filters; see the contract."""
        return standardized(self._network, self._inner.weights())
