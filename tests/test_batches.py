"""Batches: a function of seed, epoch and step; complete; made ahead by a thread that never outlives its use."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.data import Batches
from allotrope.data.reading import labelled
from allotrope.errors import UsageError


def split(n=50):
    images = np.zeros((n, 8, 6, 1), np.uint8)
    images[:, :, 0, 0] = np.arange(n)[:, None]
    return labelled(images, np.arange(n) % 5)


def batches(n=50, **options):
    return Batches(split(n), 5, Recipe(**({"batch_size": 8, "augmentation": "none"} | options)))


def equal(first, second):
    columns = ((one.inputs["image"], one.targets["label"]) for one in (first, second))
    return all(np.array_equal(a, b) for a, b in zip(*columns, strict=True))


def running():
    return [thread for thread in threading.enumerate() if thread.name == "batches"]


def test_an_epoch_sees_each_image_at_most_once_and_leaves_out_the_incomplete_batch():
    made = batches()
    epoch = list(made.epoch(0))
    assert made.steps_per_epoch == len(epoch) == 6
    seen = np.concatenate([batch.inputs["image"][:, 0, 0, 0] for batch in epoch])
    assert len(np.unique(seen)) == 48
    for batch in epoch:
        images, target = batch.inputs["image"], batch.targets["label"]
        assert images.shape == (8, 8, 6, 1) and images.dtype == np.uint8 and len(batch) == 8
        assert target.dtype == np.float32 and (target.sum(1) == 1).all() and not batch.weights
        assert np.array_equal(target.argmax(1), images[:, 0, 0, 0] % 5)


def test_a_split_smaller_than_a_batch_is_one_batch():
    made = batches(5)
    assert made.steps_per_epoch == 1 and sorted(next(made.epoch(0)).inputs["image"][:, 0, 0, 0]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("augmentation", ["none", "heavy"])
def test_the_same_seed_epoch_and_step_give_the_same_bytes(augmentation):
    made = batches(augmentation=augmentation)
    first = list(made.epoch(3))
    assert all(equal(a, b) for a, b in zip(first, batches(augmentation=augmentation).epoch(3), strict=True))
    assert all(equal(a, b) for a, b in zip(first[4:], made.epoch(3, start=4), strict=True))
    assert equal(first[2], made.batch(3, 2))


def test_seeds_and_epochs_differ():
    first, *others = (batches(seed=seed).batch(epoch, 0) for seed, epoch in ((0, 0), (1, 0), (0, 1)))
    assert not any(equal(first, other) for other in others)


def test_flips_alternate_from_epoch_to_epoch():
    made = batches(augmentation="light", flip=True)
    made._augmentation = type(made._augmentation)(flip=True)
    sides = np.zeros((3, 50), bool)
    for epoch in range(3):
        for batch in made.epoch(epoch):
            images = batch.inputs["image"]
            left, right = images[:, 0, 0, 0], images[:, 0, -1, 0]
            sides[epoch, np.maximum(left, right)] = right > left
    seen_thrice = np.all([np.isin(np.arange(50), made.order(epoch)[:48]) for epoch in range(3)], 0) & (np.arange(50) > 0)
    assert (sides[0] != sides[1])[seen_thrice].all() and (sides[0] == sides[2])[seen_thrice].all()
    assert 10 < sides[0].sum() < 40


def test_no_flip_where_the_recipe_says_so():
    made = batches(augmentation="light", flip=False)
    assert not made._augmentation.flip and made._augmentation.shift


def test_leaving_early_ends_the_thread():
    for _ in made_epoch(batches(4000)):
        assert running()
        break
    assert not running()


def made_epoch(made):
    epoch = made.epoch(0)
    yield from epoch


def test_an_error_in_the_user_of_the_batches_ends_the_thread():
    def use():
        for _ in batches(4000).epoch(0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert not running()


def test_an_error_in_the_thread_comes_out_with_its_traceback(monkeypatch):
    def broken(*arguments):
        raise ValueError("broken augmentation")

    monkeypatch.setattr("allotrope.data.batches.augment", broken)
    with pytest.raises(ValueError, match="broken augmentation") as caught:
        list(batches().epoch(0))
    assert "broken" in [entry.name for entry in caught.traceback]
    assert not running()


def test_bad_requests():
    with pytest.raises(UsageError, match="batch size 0"):
        batches(batch_size=0)
    with pytest.raises(UsageError, match="no images"):
        batches(0)
