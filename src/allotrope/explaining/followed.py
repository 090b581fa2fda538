"""The arrays of one picture's way through a network, and the gradients back along it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from allotrope.explaining.way import Way
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.feature_maps import probed


@dataclass(frozen=True)
class Followed:
    """What a network computes of one picture.

    `arrays` by value, without the axis of examples, weights and constants among them. `shares` [k]
    are the answers. `winner` is the strongest answer and `label` what the loss is of. `to_pixels`
    [h, w, c] is the slope of the winner's logit along each pixel, `to_weights` that of the loss
    along each weight that learns.
    """

    way: Way
    picture: np.ndarray
    arrays: Mapping[str, np.ndarray]
    shares: np.ndarray
    winner: int
    label: int
    loss: float
    to_pixels: np.ndarray
    to_weights: Mapping[str, np.ndarray]


def followed(
    network: Network, way: Way, x: np.ndarray, framework: str, label: int | None = None
) -> Followed:
    """One raw example x [h, w, c] on its way; the loss is of the winner unless a label is named.

    Raises: UnsupportedError, MissingDependencyError of the framework.
    """
    watched, probe = probed(network, way.pixels)
    watched = _giving(watched, way)
    sides = [side for side in (way.pixels.shape or ())[1:] if isinstance(side, int)]
    # A network may turn pixels to [c, h, w] before they are floats.
    turned = sides == [x.shape[2], *x.shape[:2]] and sides != list(x.shape)
    pixels = np.zeros((1, *(sides if turned else x.shape)), way.pixels.dtype)
    inputs = {way.taken: x[None], probe: pixels}
    results = watched.run(inputs, framework)
    shares = results[way.answer][0].astype(np.float64)
    winner = int(shares.argmax())
    label = winner if label is None else label
    logits = results[way.logits]
    of_winner, slopes = np.zeros_like(logits), np.zeros_like(logits)
    # Of several views of the picture the first is followed: its slopes alone are not 0.
    of_winner[0, winner] = 1
    slopes[0] = _loss_slopes(way, logits[0], label)
    still = watched.changed(trainable=frozenset())
    to_pixels = still.gradients(inputs, {way.logits: of_winner}, framework)[probe][0]
    if turned:
        to_pixels = np.moveaxis(to_pixels, 0, -1)
    back = watched.gradients(inputs, {way.logits: slopes}, framework)
    arrays = {name: array[0] for name, array in results.items()}
    arrays |= {**network.graph.constants, **network.weights}
    return Followed(
        way=way,
        picture=x,
        arrays=arrays,
        shares=shares,
        winner=winner,
        label=label,
        loss=_loss(way, shares, label),
        to_pixels=to_pixels.astype(np.float64),
        to_weights={name: back[name] for name in network.trainable & back.keys()},
    )


def _giving(network: Network, way: Way) -> Network:
    """The network with every value of the way as an output."""
    known = {value.name: value for value in network.outputs}
    known |= {value.name: value for value in network.graph.values.values()}
    dtype = network.outputs[0].dtype
    outputs = [known.get(name, Value(name, dtype, None)) for name in dict.fromkeys(_names(way))]
    return network.changed(graph=replace(network.graph, outputs=tuple(outputs)))


def _names(way: Way) -> Iterable[str]:
    yield from (way.answer, way.pixels.name, way.logits)
    for convolution in way.convolutions:
        yield from (convolution.taken.name, convolution.made.name)
    for step in (way.normalization, way.activation, way.pooling, way.whole_pooling):
        if step is not None:
            yield from (step.taken.name, step.made.name)
    for layer in way.dense:
        yield from (layer.taken, layer.made)


def _loss_slopes(way: Way, logits: np.ndarray, label: int) -> np.ndarray:
    """The slopes of the loss along the logits [k]: of cross-entropy the answers less the truth."""
    truth = np.eye(len(logits))[label]
    if way.ending == "Softmax":
        powers = np.exp(logits - logits.max())
        return np.asarray(powers / powers.sum() - truth)
    if way.ending == "Sigmoid":
        return np.asarray(1 / (1 + np.exp(-logits)) - (logits > 0))
    return truth


def _loss(way: Way, shares: np.ndarray, label: int) -> float:
    """Cross-entropy; of what ends otherwise the answer itself."""
    if way.ending != "Softmax":
        return float(shares[label])
    return float(-np.log(max(shares[label], 1e-300)))
