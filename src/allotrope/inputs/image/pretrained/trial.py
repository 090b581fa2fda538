"""A network tried on images under one reading: its answers, and how its statistics are met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from allotrope.inputs.image.pretrained.readings import PixelReading
from allotrope.network.graph import Node, Value
from allotrope.network.network import Network

AT_ONCE = 32
"""Images that are computed together: all values of many would fill the memory."""
DEAD = 1e-3
"""A channel whose variance is less than this part of its layer's median says nothing."""


@dataclass(frozen=True)
class Trial:
    """What came of a reading: `logits` [n, k], and from 0 to 1 how well statistics are met.

    There is one of these for each BatchNormalization.
    """

    reading: PixelReading
    logits: np.ndarray
    distances: tuple[float, ...]

    @property
    def finite(self) -> bool:
        """Whether the network gave numbers."""
        return bool(np.isfinite(self.logits).all())

    @property
    def distance(self) -> float:
        """The mean of the distances; 1 for statistics that were not met at all."""
        return float(np.mean(self.distances))


class Trials:
    """A network that can be tried: one input in float32, one output of logits."""

    def __init__(self, network: Network, framework: str) -> None:
        self.framework = framework
        self.normalizations = [node for node in network.graph.nodes if _has_learned(network, node)]
        self.name = network.inputs[0].name
        self.logits = network.outputs[0].name
        self.network = _showing(network, {node.inputs[0] for node in self.normalizations})

    def of(self, reading: PixelReading, images: np.ndarray, layout: str) -> Trial:
        """The trial on images uint8 [n, h, w, c], a multiple of `AT_ONCE`, in this layout."""
        sums: dict[str, np.ndarray] = {}
        logits = []
        for shown in self._shown(reading, images, layout):
            logits.append(
                shown[self.logits].astype(np.float64).reshape(len(shown[self.logits]), -1)
            )
            for node in self.normalizations:
                name = node.inputs[0]
                sums[name] = sums.get(name, 0) + _sums(shown[name])
        distances = tuple(
            self._distance(node, sums[node.inputs[0]]) for node in self.normalizations
        )
        return Trial(reading, np.concatenate(logits), distances)

    def _shown(
        self, reading: PixelReading, images: np.ndarray, layout: str
    ) -> Iterator[Mapping[str, np.ndarray]]:
        """The logits and what the normalizations take, a few images at a time."""
        for start in range(0, len(images), AT_ONCE):
            x = in_layout(reading.values(images[start : start + AT_ONCE]), layout)
            with np.errstate(all="ignore"):  # a wrong reading may overflow
                shown = self.network.run({self.name: x}, self.framework)
            yield {self.name: x, **shown}

    def _distance(self, node: Node, sums: np.ndarray) -> float:
        """The squared Hellinger distance of two normal distributions, over the channels that live.

        One has the running mean and variance, the other those of the images.
        """
        known_mean, known = (
            np.asarray(self.network.weights[name], np.float64) for name in node.inputs[3:5]
        )
        mean = sums[1] / sums[0]
        variance = np.maximum(sums[2] / sums[0] - mean**2, 0)
        live = known > DEAD * np.median(known)
        total = variance + known + 1e-30
        overlap = np.sqrt(2 * np.sqrt(variance * known) / total)
        with np.errstate(all="ignore"):
            distance = 1 - overlap * np.exp(-((mean - known_mean) ** 2) / (4 * total))
        return float(np.nan_to_num(distance[live], nan=1.0).mean())


def in_layout(values: np.ndarray, layout: str) -> np.ndarray:
    """[n, h, w, c] as the network takes it."""
    if layout == "nchw":
        values = values.transpose(0, 3, 1, 2)
    elif layout == "nhw":
        values = values[..., 0]
    elif layout == "flat":
        values = values.reshape(len(values), -1)
    return np.ascontiguousarray(values)


def _has_learned(network: Network, node: Node) -> bool:
    """Whether it is a BatchNormalization whose statistics are not those that it begins with."""
    if node.operator != "BatchNormalization" or not set(node.inputs[3:5]) <= network.weights.keys():
        return False
    mean, variance = (network.weights[name] for name in node.inputs[3:5])
    return bool(mean.any() or (variance != 1).any())


def _sums(values: np.ndarray) -> np.ndarray:
    """How many values each channel has, their sum, and that of their squares: [3, c]."""
    wide = values.astype(np.float64).reshape(*values.shape[:2], -1)
    count = np.full(values.shape[1], wide[:, 0].size, np.float64)
    return np.stack([count, wide.sum((0, 2)), np.square(wide).sum((0, 2))])


def _showing(network: Network, names: set[str]) -> Network:
    """The network with these values among its outputs."""
    others = names - {value.name for value in (*network.inputs, *network.outputs)}
    more = tuple(Value(name, network.outputs[0].dtype, None) for name in sorted(others))
    return network.changed(graph=replace(network.graph, outputs=(*network.outputs, *more)))
