"""An order of examples in which a part of every batch has labels, though most have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.data.examples import Examples
from allotrope.data.unlabelled import without_label
from allotrope.errors import UsageError
from allotrope.tasks import Task


@dataclass(frozen=True)
class LabelledOrder:
    """Batches of `first` examples with labels and `rest` without, of rows of either kind.

    An epoch sees each row without a label once, and those with labels as often as that takes.
    """

    labelled: np.ndarray
    others: np.ndarray
    first: int
    rest: int

    @classmethod
    def of(
        cls, tasks: Sequence[Task], examples: Examples, share: float | None, size: int
    ) -> LabelledOrder | None:
        """The order for batches of this size; None if no share is asked for.

        Raises: UsageError if all examples have labels, or none.
        """
        if share is None:
            return None
        unlabelled = without_label(tasks, examples.columns)
        labelled, others = np.flatnonzero(~unlabelled), np.flatnonzero(unlabelled)
        if not len(labelled) or not len(others):
            raise UsageError(
                f"{len(labelled):,} examples have labels and {len(others):,} have none; a share of "
                "both in each batch needs some of both."
            )
        first = min(max(1, round(share * size)), max(1, size - 1))
        return cls(labelled, others, first, min(size - first, len(others)))

    @property
    def size(self) -> int:
        """How many examples a batch has."""
        return self.first + self.rest

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return len(self.others) // self.rest

    def rows(self, rng: np.random.Generator) -> np.ndarray:
        """The rows of an epoch, batch by batch, in each those with labels in front."""
        wanted = self.steps * self.first
        rounds = [rng.permutation(self.labelled) for _ in range(-(-wanted // len(self.labelled)))]
        labelled = np.concatenate(rounds)[:wanted].reshape(self.steps, self.first)
        others = rng.permutation(self.others)[: self.steps * self.rest]
        return np.concatenate([labelled, others.reshape(self.steps, -1)], axis=1).reshape(-1)
