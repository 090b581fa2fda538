"""The mean of the weights in the last part of a training: stochastic weight averaging.

Izmailov et al. 2018 (https://arxiv.org/abs/1803.05407): the learning rate stays as it is from then
on, so that the weights wander about a good place, and their mean is nearer to its middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from allotrope.data.batches import Batches
from allotrope.frameworks.contract import Arrays, Trainer
from allotrope.network.network import Network
from allotrope.training.batch_statistics import with_new_statistics
from allotrope.training.schedules import TAIL

SAMPLES = 20
"""So many weights are averaged, evenly spread over the tail."""
STATISTICS = 30
"""So many batches give BatchNormalization the statistics of the mean."""
PREFIX = "tail/"


class TailMean:
    """The mean float64 of the weights that were taken so far, by name, and how many these are."""

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self.count = 0
        self._mean: dict[str, np.ndarray] = {}

    def is_due(self, progress: float) -> bool:
        """Whether to take the weights now."""
        return progress >= TAIL + (1 - TAIL) * self.count / SAMPLES

    def take(self, weights: Arrays) -> None:
        """One more of the weights of a training."""
        self.count += 1
        for name, array in weights.items():
            if array.dtype.kind != "f":
                self._mean[name] = array
            else:
                before = self._mean.get(name, 0.0)
                self._mean[name] = before + (array.astype(np.float64) - before) / self.count

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint holds of it."""
        return {f"{PREFIX}{name}": array for name, array in self._mean.items()}

    def restore(self, arrays: Mapping[str, np.ndarray], count: int) -> None:
        """Go on from what `arrays` gave."""
        self.count = count
        self._mean = {
            name.removeprefix(PREFIX): array
            for name, array in arrays.items()
            if name.startswith(PREFIX)
        }

    def network(self, network: Network, batches: Batches, framework: str) -> Network:
        """The network with the mean, and with statistics that are of its own layers."""
        own = {name: self._mean[name].astype(x.dtype) for name, x in network.weights.items()}
        mean = network.with_weights(own)
        names = [value.name for value in mean.inputs]
        return with_new_statistics(mean, _first(batches, names), framework)


def _first(batches: Batches, names: list[str]) -> Iterator[Arrays]:
    """What the network takes of the first batches, each as it is in training."""
    for index in range(STATISTICS):
        epoch, step = divmod(index, batches.steps_per_epoch)
        inputs = batches.batch(epoch, step).inputs
        yield {name: inputs[name] for name in names}


def put_in(trainer: Trainer, network: Network) -> None:
    """The weights of the network in the place of those that a trainer trains and delivers."""
    state = trainer.state()
    for kind in ("weights", "average"):
        own = {f"{kind}/{name}": array for name, array in network.weights.items()}
        state |= {key: array for key, array in own.items() if key in state}
    trainer.load_state(state)
