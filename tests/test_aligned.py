"""Pictures that show things in one place are not shifted; others are."""

import numpy as np
import pytest

import allotrope
from allotrope.architectures.aligned import ALIGNED, explained_by_mean
from allotrope.architectures.choose import choose
from allotrope.architectures.recipes import FEW

RANDOM = np.random.default_rng(2)


def pictures(count, aligned):
    """One square on an empty ground, in the middle or anywhere, and noise: uint8 [n, 16, 16, 1]."""
    images = RANDOM.integers(0, 60, (count, 16, 16, 1), np.uint8)
    places = np.full((count, 2), 5) if aligned else RANDOM.integers(0, 11, (count, 2))
    for image, (row, column) in zip(images, places, strict=True):
        image[row : row + 6, column : column + 6] += 120
    return images


def data_of(count, aligned):
    labels = RANDOM.integers(0, 3, count)
    return allotrope.read({"image": pictures(count, aligned), "label": labels}, target="label")


def test_the_mean_explains_what_all_have_in_common():
    assert explained_by_mean(pictures(500, aligned=True)) > 2 * ALIGNED
    assert explained_by_mean(pictures(500, aligned=False)) < ALIGNED
    assert explained_by_mean(np.full((5, 4, 4, 3), 7, np.uint8)) == 0.0
    # A colour that all have is no place.
    colours = np.zeros((50, 4, 4, 3), np.uint8) + np.array([0, 100, 200], np.uint8)
    noisy = colours + RANDOM.integers(0, 20, colours.shape, np.uint8)
    assert explained_by_mean(noisy) < ALIGNED


@pytest.fixture(scope="module")
def many():
    return {aligned: data_of(2 * FEW, aligned) for aligned in (True, False)}


def test_many_in_one_place_are_not_shifted_and_it_is_said(many):
    choice = choose(many[True], epochs=1)
    assert choice.recipe.augmentation == "none"
    assert any("--augmentation light shifts them" in reason for reason in choice.reasons)


def test_many_anywhere_are_shifted(many):
    choice = choose(many[False], epochs=1)
    assert choice.recipe.augmentation == "light"
    assert not any("shift" in reason for reason in choice.reasons)


def test_who_asks_for_shifts_has_them(many):
    assert choose(many[True], "auto", {"augmentation": "light"}, epochs=1).recipe.augmentation == (
        "light"
    )


def test_few_are_changed_as_before():
    assert choose(data_of(FEW // 2, True), epochs=1).recipe.augmentation == "medium"
