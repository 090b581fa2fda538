"""A network that knows nothing, of the same build: its weights in another order."""

from __future__ import annotations

import numpy as np

from allotrope.network.network import Network


def with_shuffled_weights(network: Network, seed: int) -> Network:
    """The network with the numbers of each trainable weight in random order.

    So every layer keeps the size of its numbers, and nothing of what they have learned.
    """
    shuffled = {}
    for number, name in enumerate(sorted(network.trainable)):
        # A stream a weight: one more weight leaves the order of all others as it was.
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        array = network.weights[name]
        shuffled[name] = random.permutation(array.reshape(-1)).reshape(array.shape)
    return network.with_weights(shuffled)
