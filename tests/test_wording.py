"""Nouns agree with their numbers, and examples are images if they are nothing else."""

from __future__ import annotations

import pytest

from allotrope.wording import agreeing, counted, example_noun, plural, significant


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (1, "thread", "1 thread"),
        (2, "thread", "2 threads"),
        (0, "thread", "0 threads"),
        (1.0, "epoch", "1 epoch"),
        (1.5, "epoch", "1.5 epochs"),
        (12345678, "training image", "12,345,678 training images"),
        (3, "class", "3 classes"),
        (2, "batch", "2 batches"),
        (2, "entry", "2 entries"),
        (2, "day", "2 days"),
    ],
)
def test_a_noun_agrees_with_its_number(number, noun, said):
    assert counted(number, noun) == said


@pytest.mark.parametrize(
    ("value", "digits", "said"),
    [
        (56_250.4, 4, "56,250"),
        (3.41, 4, "3.410"),
        (-0.00012345, 3, "-0.000123"),
        (9.9999, 3, "10.0"),
        (1.23e-7, 3, "1.23e-07"),
        (0.0, 4, "0"),
        (float("inf"), 4, "inf"),
        (float("nan"), 4, "nan"),
    ],
)
def test_a_number_has_digits_that_people_read(value, digits, said):
    assert significant(value, digits) == said


def test_the_number_is_written_as_asked():
    assert counted(1200, "image", "{:.0f}".format) == "1200 images"


def test_a_verb_agrees_too():
    assert [agreeing(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


@pytest.mark.parametrize(
    ("kinds", "noun"),
    [
        (["image"], "image"),
        (["table"], "example"),
        (["image", "table"], "example"),
        (["image", "image"], "example"),
    ],
)
def test_only_pictures_alone_are_images(kinds, noun):
    assert example_noun(kinds) == noun
    assert plural(noun) == f"{noun}s"
