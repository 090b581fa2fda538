"""What is minimized of an embedding beside cross-entropy: classes together, and apart.

Letters: n examples, d numbers of an embedding of length 1, k classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from allotrope.tasks.means import SMALLEST, weighted_mean

CENTER, TRIPLET, CONTRASTIVE = "center", "triplet", "supervised-contrastive"
MARGIN = 0.2
"""By how much an example of another class has to be further (Schroff et al. 2015)."""
TEMPERATURE = 0.1
"""Of similarities (Khosla et al. 2020)."""
SHARES = {CENTER: 0.01, TRIPLET: 1.0, CONTRASTIVE: 1.0}
"""What each counts beside cross-entropy; of centers between the 0.001 and 0.1 of Wen et al."""
FAR = 1e4
"""More than any distance or similarity."""


def center(p: Any, distances: Any, target: Any, weight: Any | None) -> Any:
    """Half of the squared distance [n, k] to the center of the own class, which is learned.

    Wen et al. 2016 (https://doi.org/10.1007/978-3-319-46478-7_31), equation 2; centers follow by
    their gradient.
    """
    own = p.sum(p.multiply(target, distances), (-1,))
    return p.multiply(weighted_mean(p, own, weight), 0.5)


def triplet(p: Any, embedding: Any, target: Any, weight: Any | None) -> Any:
    """max(0, margin + the furthest of the class - the nearest of another), squared distances.

    Schroff et al. 2015 (https://arxiv.org/abs/1503.03832), with the hardest triplets of a batch of
    Hermans et al. 2017 (https://arxiv.org/abs/1703.07737). An example without both counts 0.
    """
    like = _alike(p, embedding)
    distances = p.add(p.multiply(like, -2.0), 2.0)
    same = _same(p, target)
    other = p.add(p.negative(same), 1.0)
    furthest = p.max(p.multiply(distances, _apart(p, same)), (-1,))
    nearest = p.min(p.add(distances, p.multiply(same, FAR)), (-1,))
    there = p.multiply(
        p.max(_apart(p, same), (-1,)), p.max(other, (-1,))
    )  # 0 for those that have no other of their class, or none of another
    missed = p.relu(p.add(p.subtract(furthest, nearest), MARGIN))
    return weighted_mean(p, p.multiply(missed, there), weight)


def supervised_contrastive(p: Any, embedding: Any, target: Any, weight: Any | None) -> Any:
    """-log of the softmax of similarities / temperature, the mean over others of the class.

    Khosla et al. 2020 (https://arxiv.org/abs/2004.11362), equation 2. An example that is alone of
    its class counts 0.
    """
    count = p.shape(embedding)[0]
    like = p.divide(_alike(p, embedding), TEMPERATURE)
    logits = p.subtract(like, p.multiply(_itself(p, count, embedding), FAR))
    logarithms = p.log_softmax(logits, -1)
    positive = _apart(p, _same(p, target))
    others = p.sum(positive, (-1,))
    # What is hidden is -1e4, not minus infinity, so that 0 times it is 0.
    total = p.sum(p.multiply(positive, logarithms), (-1,))
    each = p.negative(p.divide(total, p.maximum(others, SMALLEST)))
    return weighted_mean(p, each, weight)


def _alike(p: Any, embedding: Any) -> Any:
    """Cosines of all pairs [n, n]."""
    return p.matmul(embedding, p.transpose(embedding, (1, 0)))


def _same(p: Any, target: Any) -> Any:
    """1 for pairs of one class [n, n]; of mixed examples what they have in common."""
    return p.matmul(target, p.transpose(target, (1, 0)))


def _apart(p: Any, pairs: Any) -> Any:
    """Pairs [n, n] but for each with itself."""
    count = p.shape(pairs)[0]
    return p.multiply(pairs, p.add(p.negative(_itself(p, count, pairs)), 1.0))


def _itself(p: Any, count: int, like: Any) -> Any:
    own = np.eye(count, dtype=np.float32)
    own.flags.writeable = False
    return p.cast(p.constant(own), p.dtype(like))


EMBEDDING_LOSSES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    CENTER: center,
    TRIPLET: triplet,
    CONTRASTIVE: supervised_contrastive,
}
