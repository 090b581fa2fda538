"""Splits by seed: stratified, disjoint, repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import DataOptions
from allotrope.data.duplicates import find_duplicates
from allotrope.data.reading import PicturesFound, labelled, labelled_pictures
from allotrope.data.splits import complete_splits
from allotrope.errors import DataError


def reading(labels, splits=("train",)):
    labels = np.asarray(labels)
    images = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2, 1)
    names = tuple(f"class {number}" for number in range(labels.max() + 1))
    pictures = PicturesFound({(2, 2): len(labels)}, {"L": len(labels)})
    return labelled_pictures(
        "made", {name: labelled(images, labels) for name in splits}, names, pictures
    )


def rows_of(split):
    return np.ascontiguousarray(split["image"]).reshape(-1, 4).view(np.uint32)[:, 0]


def test_splits_are_stratified_disjoint_and_complete():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    made = reading(labels)
    complete_splits(made, DataOptions(validation=0.1, test=0.2, seed=3))
    assert [
        list(np.bincount(made.splits[name]["label"], minlength=3))
        for name in ("train", "validation", "test")
    ] == [
        [70, 35, 7],
        [10, 5, 1],
        [20, 10, 2],
    ]
    rows = np.concatenate([rows_of(split) for split in made.splits.values()])
    assert np.array_equal(np.sort(rows), np.arange(160))
    assert all(
        np.array_equal(split["label"], labels[rows_of(split)]) for split in made.splits.values()
    )


def test_the_seed_decides():
    made = [reading(np.arange(60) % 2) for _ in range(3)]
    for part, seed in zip(made, (1, 1, 2), strict=True):
        complete_splits(part, DataOptions(seed=seed))
    first, again, other = (rows_of(part.splits["test"]) for part in made)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_test_split_that_is_there_is_left_alone():
    made = reading(np.arange(40) % 2, ("train", "test"))
    before = made.splits["test"]
    complete_splits(made, DataOptions())
    assert made.splits["test"] is before
    assert len(made.splits["train"]) == 36 and len(made.splits["validation"]) == 4


def test_three_images_of_a_class_are_one_for_each_split():
    made = reading([0] * 3 + [1] * 50)
    complete_splits(made, DataOptions())
    assert [np.count_nonzero(split["label"] == 0) for split in made.splits.values()] == [1, 1, 1]


def test_classes_with_too_few_images_are_all_listed():
    with pytest.raises(DataError) as caught:
        complete_splits(reading([0] * 9 + [1] + [2] * 2 + [3] * 3), DataOptions())
    assert "'class 1' has 1, 'class 2' has 2. Expected at least 3" in str(caught.value)


def test_one_class_only():
    with pytest.raises(DataError, match="only one class, 'class 0'"):
        complete_splits(reading([0] * 9), DataOptions())


def test_duplicates_across_splits_are_paired_and_those_within_a_split_are_not():
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    splits = {
        "train": labelled(images[[0, 1, 1]], np.array([0, 1, 1]), ("a.png", "b.png", "c.png")),
        "validation": labelled(images[[2, 0]], np.array([0, 0])),
        "test": labelled(images[[3, 2, 1]], np.array([0, 1, 1])),
    }
    pictures = PicturesFound({(1, 1): 6}, {"L": 6})
    duplicates = find_duplicates(labelled_pictures("made", splits, ("a", "b"), pictures))
    assert duplicates.pairs == (
        ("a.png", "validation[1]"),
        ("validation[0]", "test[1]"),
        ("b.png", "test[2]"),
    )
    assert (duplicates.count, duplicates.relabelled) == (3, 1)
