"""Members of an ensemble chosen one after the other, by what the mean of their answers is worth.

Caruana, Niculescu-Mizil, Crew and Ksikes 2004, "Ensemble selection from libraries of models"
(https://doi.org/10.1145/1015330.1015432), with replacement: who helps most may be added again, and
so counts more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Labels, loss_in_float64

ROUNDS = 5
"""So many members are added for each that there is."""
Standing = tuple[float, float]
"""What orders answers, more is better: the metric that decides; of equals the lower loss."""


def standing(task: Task, answers: Answers, labels: Labels) -> Standing:
    """How good delivered answers [n, k] are."""
    loss = loss_in_float64(task, task.raw(answers), labels)
    return task.metric.rank(task.answered(answers, labels)), -loss


def greedy_shares(task: Task, members: Sequence[Answers], labels: Labels) -> tuple[float, ...]:
    """What each member counts in the best mean of their answers [n, k] that was come to."""
    wide = [np.asarray(answers, np.float64) for answers in members]
    total, counts = np.zeros_like(wide[0]), np.zeros(len(wide), np.int64)
    best, shares = (-np.inf, -np.inf), counts / 1
    for size in range(1, ROUNDS * len(wide) + 1):
        standings = [standing(task, (total + own) / size, labels) for own in wide]
        chosen = max(range(len(wide)), key=standings.__getitem__)
        counts[chosen] += 1
        total += wide[chosen]
        # Rounds go on after the best, since what one more spoils a second may mend.
        if standings[chosen] > best:
            best, shares = standings[chosen], counts / size
    return tuple(map(float, shares))


def mean_of(members: Sequence[Answers], shares: Sequence[float]) -> Answers:
    """The weighted mean [n, k] of answers, in float64."""
    parts = [
        share * np.asarray(answers, np.float64)
        for answers, share in zip(members, shares, strict=True)
    ]
    return np.asarray(np.sum(parts, axis=0))
