"""R-Drop: every example is seen twice in a step, with other features dropped, and to agree.

Liang et al. 2021 (https://arxiv.org/abs/2106.14448): the loss of both, and alpha times half of the
sum of the two Kullback-Leibler divergences between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from allotrope.errors import UsageError
from allotrope.frameworks.contract import Arrays, Batch, Loss
from allotrope.tasks import Task


def doubled(batch: Batch) -> Batch:
    """The batch with each example again behind all of them."""
    return Batch(*map(_twice, (batch.inputs, batch.targets, batch.weights, batch.clean)))


def _twice(arrays: Arrays) -> dict[str, np.ndarray]:
    return {name: np.concatenate([x, x]) for name, x in arrays.items()}


def agreeing_loss(loss: Loss, tasks: Sequence[Task], alpha: float) -> Loss:
    """The loss of doubled batches.

    Raises: UsageError for tasks that are no classification.
    """
    others = [f"'{task.name}' ({task.kind})" for task in tasks if task.kind != "classification"]
    if others:
        raise UsageError(
            f"r_drop compares probabilities of classes, and there is {', '.join(others)}. Leave it "
            "out."
        )

    def compute(p: Any, outputs: Any, targets: Any, weights: Any) -> Any:
        total = loss(p, outputs, targets, weights)
        for task in tasks:
            logits = p.cast(outputs[task.name], p.dtype(targets[task.name]))
            total = p.add(total, p.multiply(_disagreement(p, logits), alpha))
        return total

    return compute


def _disagreement(p: Any, logits: Any) -> Any:
    """Half of KL(a | b) + KL(b | a) of the halves of logits [2 n, k], the mean over examples."""
    count, classes = p.shape(logits)
    # Where only speed is measured, batches are not doubled and their number may be odd.
    half = count // 2
    likely = p.log_softmax(logits, -1)
    first = p.slice(likely, (0, 0), (half, classes), (1, 1))
    second = p.slice(likely, (half, 0), (2 * half, classes), (1, 1))
    gap = p.multiply(p.subtract(p.exp(first), p.exp(second)), p.subtract(first, second))
    return p.multiply(p.mean(p.sum(gap, (-1,))), 0.5)
