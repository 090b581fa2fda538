"""Whether the first filters of a network are smooth, as those are that learned from pictures.

Drawn ones are not.
"""

from __future__ import annotations

import numpy as np

from allotrope.network.network import Network

SMOOTH, SURE = 0.2, 5.0
"""The correlation of neighbouring numbers in trained filters was 0.25 to 0.7, and has to be this
many deviations from 0."""


def has_smooth_filters(network: Network) -> bool:
    """Whether neighbours in the filters of the first convolution are alike, far beyond chance."""
    filters = _first_filters(network)
    if filters is None:
        return False
    size = np.sqrt(np.square(filters).sum((2, 3), keepdims=True))
    filters = filters / np.where(size > 0, size, 1)
    left = np.concatenate([filters[..., 1:].ravel(), filters[..., 1:, :].ravel()])
    right = np.concatenate([filters[..., :-1].ravel(), filters[..., :-1, :].ravel()])
    product = np.sqrt(np.square(left).sum() * np.square(right).sum())
    correlation = 0.0
    if product > 0:
        correlation = (left * right).sum() / product
    return bool(correlation > max(SMOOTH, SURE / np.sqrt(len(left))))


def _first_filters(network: Network) -> np.ndarray | None:
    """The weights [out, in, h, w] of the first convolution that has filters larger than a pixel."""
    arrays = {**network.graph.constants, **network.weights}
    for node in network.graph.nodes:
        if node.operator == "Conv" and node.inputs[1] in arrays:
            weights = arrays[node.inputs[1]]
            if weights.ndim == 4 and min(weights.shape[2:]) > 1:
                return weights.astype(np.float64)
    return None
