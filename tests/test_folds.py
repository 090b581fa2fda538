"""Folds of training examples: each left out once, every class in all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from allotrope.data.folds import without_fold
from allotrope.errors import DataError


def test_every_example_is_left_out_by_one_member(digits):
    parts = [without_fold(digits, number, 4, 0) for number in (1, 2, 3, 4)]
    assert sum(len(part.validation) for part in parts) == len(digits.train)
    for part in parts:
        assert len(part.train) + len(part.validation) == len(digits.train)
        assert part.test is digits.test
        shares = np.bincount(part.validation["label"]) / np.bincount(digits.train["label"])
        assert np.all(np.abs(shares - 0.25) < 0.01)
    images = np.concatenate([part.validation["image"] for part in parts])
    assert images.sum() == digits.train["image"].sum()


def test_the_same_seed_draws_the_same_folds(digits):
    first, again, other = (without_fold(digits, 1, 3, seed) for seed in (0, 0, 1))
    assert np.array_equal(first.train["image"], again.train["image"])
    assert not np.array_equal(first.train["image"], other.train["image"])


def test_the_only_example_of_a_class_is_learned_from_by_all(digits):
    labels = digits.train["label"].copy()
    alone = np.flatnonzero(labels == 3)[0]
    labels[(labels == 3) & (np.arange(len(labels)) != alone)] = 4
    columns = {**digits.train.columns, "label": labels}
    train = replace(digits.train, columns=columns)
    data = replace(digits, splits={**digits.splits, "train": train})
    for number in (1, 2, 3):
        assert 3 in without_fold(data, number, 3, 0).train["label"]


@pytest.mark.parametrize("folds", [1, 5000])
def test_too_few_examples_or_folds_are_refused(digits, folds):
    with pytest.raises(DataError, match=f"cannot be parted into {folds} folds"):
        without_fold(digits, 1, folds, 0)
