"""Where in an example a network finds what speaks for its answer, and whether that was learned.

Grad-CAM (Selvaraju et al. 2017, arxiv.org/abs/1610.02391), with the check of Adebayo et al. 2018
(arxiv.org/abs/1810.03292): maps that stay the same when a network forgets all that it learned say
nothing of what it learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.frameworks import framework as find_framework
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.feature_maps import last_feature_maps, probed
from allotrope.network.rewriting.shuffled import with_shuffled_weights

Arrays = Mapping[str, np.ndarray]
SHUFFLES = 3
"""How many networks without knowledge are compared; the maps of the first are shown."""
ALIKE = 0.5
"""From this rank correlation on, maps of a network without knowledge are much the same."""


@dataclass(frozen=True)
class Question:
    """Which answers are to be explained: examples by input, and slopes [n, k] of an output.

    The slope is what of the output speaks for the answer, such as 1 for its class.
    """

    inputs: Arrays
    output: str
    slopes: np.ndarray


@dataclass(frozen=True)
class Saliency:
    """Maps [n, ...] of what speaks for the answers, over the places of the layer's feature map.

    What is below 0 speaks against them. Of several networks in one, `layer` names that of each.
    `shuffled` are those of a network without knowledge, `correlations` [n] how alike the two are,
    as the mean over `SHUFFLES` such networks.
    """

    layer: str
    learned: np.ndarray
    shuffled: np.ndarray
    correlations: np.ndarray

    @property
    def depends(self) -> bool:
        """Whether the maps show something that was learned."""
        return bool(self.correlations.mean() < ALIKE)


def saliency(
    network: Network, question: Question, taken: str, sample: Arrays, framework: str, seed: int = 0
) -> Saliency | None:
    """The maps over the input `taken`; None if no convolutions lead from it to the output.

    `sample` are examples by which networks without knowledge normalize.
    """
    layers = last_feature_maps(network, taken, question.output)
    if not layers:
        return None
    learned = mean_map(network, layers, question, framework)
    others = []
    for number in range(SHUFFLES):
        shuffled = with_shuffled_weights(network, seed + number)
        shuffled = _normalizing(shuffled, sample, framework)
        others.append(mean_map(shuffled, layers, question, framework))
    correlations = np.mean([rank_correlations(learned, other) for other in others], axis=0)
    return Saliency(", ".join(layer.name for layer in layers), learned, others[0], correlations)


def mean_map(
    network: Network, layers: Sequence[Value], question: Question, framework: str
) -> np.ndarray:
    """The mean of the maps at several layers, which are those of the members of an ensemble.

    What speaks for the mean of their answers speaks for it by all of them.
    """
    maps = [gradient_weighted(network, layer, question, framework) for layer in layers]
    return np.asarray(np.mean(maps, axis=0))


def gradient_weighted(
    network: Network, layer: Value, question: Question, framework: str
) -> np.ndarray:
    """Maps [n, ...]: channels of the layer, each by the mean of the answer's slope along it.

    Selvaraju et al. leave out what is below 0 afterwards; here it is kept for whoever compares.
    """
    whole, probe = probed(network, layer)
    # Nothing learns here: gradients by weights would be computed for nothing.
    whole = whole.changed(trainable=frozenset())
    sides = [int(side or 0) for side in (layer.shape or ())[1:]]
    zeros = np.zeros((len(question.slopes), *sides), layer.dtype)
    inputs = {**question.inputs, probe: zeros}
    channels = whole.run(inputs, framework)[layer.name].astype(np.float64)
    slopes = {question.output: question.slopes.astype(layer.dtype)}
    gradients = whole.gradients(inputs, slopes, framework)[probe].astype(np.float64)
    places = tuple(range(2, channels.ndim))
    counted = gradients.mean(axis=places, keepdims=True)
    return np.asarray((counted * channels).sum(axis=1))


def rank_correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each map [n, ...] with the other one: [n]; 0 if one is flat."""
    ranks = [_ranks(each.reshape(len(each), -1)) for each in (maps, others)]
    first, second = (rows - rows.mean(axis=1, keepdims=True) for rows in ranks)
    scale = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return np.asarray((first * second).sum(axis=1) / np.where(scale > 0, scale, 1))


def _ranks(rows: np.ndarray) -> np.ndarray:
    """The rank of each number in its row; equal ones share the mean of theirs."""
    from scipy.stats import rankdata  # scikit-learn brings SciPy

    return np.asarray(rankdata(rows, axis=1))


def _normalizing(network: Network, sample: Arrays, framework: str) -> Network:
    """The network with running statistics of its own: what it had was of other weights."""
    norms = [node for node in network.graph.nodes if node.operator == "BatchNormalization"]
    own = [node for node in norms if {*node.inputs[3:5]} <= network.weights.keys()]
    if not own:
        return network
    dtype = network.outputs[0].dtype
    values = tuple(Value(name, dtype, None) for name in {node.inputs[0] for node in own})
    shown = network.changed(graph=replace(network.graph, outputs=values))
    # In training a normalization takes the batch's statistics, so that one run settles all.
    outputs = find_framework(framework).run(shown, sample, training=True)
    settled = {}
    for node in own:
        y = outputs[node.inputs[0]]
        rows = np.moveaxis(y, 1, 0).reshape(y.shape[1], -1)
        settled[node.inputs[3]], settled[node.inputs[4]] = rows.mean(axis=1), rows.var(axis=1)
    return network.with_weights(settled)
