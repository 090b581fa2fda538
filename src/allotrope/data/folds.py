"""Training examples parted into folds, of which each member of an ensemble does without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.data.examples import Data
from allotrope.errors import DataError
from allotrope.tasks import Classification
from allotrope.wording import counted

STREAM = 7
"""Tells the draw of folds from those of splits, which have the same seed."""


def without_fold(data: Data, number: int, folds: int, seed: int) -> Data:
    """The data without fold `number`, from 1, of the training examples, by which it is validated.

    Of each class every fold has as many, as far as there are. The split that choices are made by
    takes no part: of several members it sees none in training, and can judge all of them.

    Raises: DataError for fewer training examples than folds.
    """
    count = len(data.train)
    if count < folds or folds < 2:
        raise DataError(
            f"{counted(count, 'training example')} cannot be parted into {folds} folds; expected "
            "at least two folds and an example for each."
        )
    order = np.random.default_rng([seed, STREAM]).permutation(count)
    task = data.tasks[0]
    if isinstance(task, Classification):
        # Sorted by class in the order that was drawn: turns of folds go through each class.
        order = order[np.argsort(data.train[task.name][order], kind="stable")]
    # Ascending rows, as examples on disk are read fastest so.
    left_out = np.sort(order[number - 1 :: folds])
    learned = np.setdiff1d(np.arange(count), left_out)
    if isinstance(task, Classification):
        learned, left_out = _with_every_class(data.train[task.name], learned, left_out)
    splits = {
        **data.splits,
        "train": data.train.take(learned),
        "validation": data.train.take(left_out),
    }
    return replace(data, splits=splits)


def _with_every_class(
    labels: np.ndarray, learned: np.ndarray, left_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The rows with those put back whose class would be learned from no other example."""
    lost = np.setdiff1d(labels[left_out], labels[learned])
    back = left_out[np.isin(labels[left_out], lost)]
    # If all of them are such, there is no fold without: it stays as it is.
    if not len(back) or len(back) == len(left_out):
        return learned, left_out
    return np.sort(np.concatenate([learned, back])), np.setdiff1d(left_out, back)
