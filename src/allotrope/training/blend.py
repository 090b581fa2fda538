"""How much of two answers to one task goes into their mean, chosen on validation data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Labels, loss_in_float64
from allotrope.tasks.means import missing

SHARES = tuple(share / 10 for share in range(1, 10))
"""What the first answer may count; the second counts the rest."""
HALF = 0.5
BLOCKS = 20
"""Parts of the validation rows, whose losses tell how sure a difference between shares is."""


def shares_of_first(
    tasks: Sequence[Task],
    first: Mapping[str, Answers],
    second: Mapping[str, Answers],
    labels: Mapping[str, Labels],
) -> dict[str, float]:
    """What the first raw answers [n, size] count for each task, by name.

    It is the share nearest to 1/2 whose loss is within one standard error of the best one's: a few
    rows do not tell 0.4 from 0.6, and of answers as good as each other the plain mean is safest.
    """
    return {
        task.name: _share(task, first[task.name], second[task.name], labels[task.name])
        for task in tasks
    }


def blended(
    first: Mapping[str, Answers], second: Mapping[str, Answers], shares: Mapping[str, float]
) -> dict[str, Answers]:
    """The weighted means [n, size] by task."""
    return {
        name: share * first[name].astype(np.float64) + (1 - share) * second[name]
        for name, share in shares.items()
    }


def _share(task: Task, first: Answers, second: Answers, labels: Labels) -> float:
    known = np.flatnonzero(~missing(labels).reshape(len(labels), -1).all(axis=1))
    if len(known) < 2 * BLOCKS:
        return HALF
    # Rows of one block are spread over all: what is sorted by the answer is not cut apart.
    blocks = [known[place::BLOCKS] for place in range(BLOCKS)]
    losses = np.array([_losses(task, first, second, labels, share, blocks) for share in SHARES])
    best = int(losses.mean(axis=1).argmin())
    further = losses - losses[best]
    error = further.std(axis=1, ddof=1) / np.sqrt(BLOCKS)
    as_good = [
        share
        for share, row, own in zip(SHARES, further, error, strict=True)
        if row.mean() <= own or share == SHARES[best]
    ]
    return min(as_good, key=lambda share: abs(share - HALF))


def _losses(
    task: Task,
    first: Answers,
    second: Answers,
    labels: Labels,
    share: float,
    blocks: Sequence[np.ndarray],
) -> list[float]:
    """The loss of each block with this share of the first."""
    mean = share * first.astype(np.float64) + (1 - share) * second
    return [loss_in_float64(task, mean[rows], labels[rows]) for rows in blocks]
