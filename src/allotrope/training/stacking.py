"""What members count in a mean of their answers so that its loss is least.

Stacked regressions (Breiman 1996, https://doi.org/10.1007/BF00117832): weights of 0 or more, which
sum to 1, so that a mean of probabilities is one and nobody is believed less than not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.tasks import Task
from allotrope.tasks.contract import Answers, Labels, loss_in_float64
from allotrope.training.greedy_selection import mean_of

LEAST = 0.01
"""Who counts less is left out: it takes time, and changes next to nothing."""


def stacked_shares(task: Task, members: Sequence[Answers], labels: Labels) -> tuple[float, ...]:
    """The shares of the least loss for these answers [n, k]."""
    from scipy.optimize import minimize  # scikit-learn brings SciPy

    count = len(members)

    def loss(shares: np.ndarray) -> float:
        return loss_in_float64(task, task.raw(mean_of(members, tuple(shares))), labels)

    solved = minimize(
        loss,
        np.full(count, 1 / count),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda shares: shares.sum() - 1},
        options={"maxiter": 50},
    )
    shares = np.where(solved.x < LEAST, 0.0, solved.x)
    return tuple(map(float, shares / shares.sum()))
