"""Batches: a function of seed, epoch and step.

Made ahead by a thread that never outlives its use.
"""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.data import SPLITS, Batches, Data, Examples
from allotrope.data.reading import labelled, labelled_data
from allotrope.errors import UsageError
from allotrope.inputs.image.image import Image
from allotrope.inputs.table.table import Table
from allotrope.tasks import Classification, Regression


def pictures(n=50):
    images = np.zeros((n, 8, 6, 1), np.uint8)
    images[:, :, 0, 0] = np.arange(n)[:, None]
    return labelled(images, np.arange(n) % 5)


def batches(n=50, **options):
    train = pictures(n)
    data = labelled_data("made", tuple("abcde"), train, train, train)
    return Batches(data, Recipe(**({"batch_size": 8, "augmentation": "none"} | options)))


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
    assert made.steps_per_epoch == 1
    assert sorted(next(made.epoch(0)).inputs["image"][:, 0, 0, 0]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("augmentation", ["none", "heavy"])
def test_the_same_seed_epoch_and_step_give_the_same_bytes(augmentation):
    made = batches(augmentation=augmentation)
    first = list(made.epoch(3))
    assert all(
        equal(a, b) for a, b in zip(first, batches(augmentation=augmentation).epoch(3), strict=True)
    )
    assert all(equal(a, b) for a, b in zip(first[4:], made.epoch(3, start=4), strict=True))
    assert equal(first[2], made.batch(3, 2))


def test_seeds_and_epochs_differ():
    first, *others = (
        batches(seed=seed).batch(epoch, 0) for seed, epoch in ((0, 0), (1, 0), (0, 1))
    )
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
    seen_thrice = np.all(
        [np.isin(np.arange(50), made.order(epoch)[:48]) for epoch in range(3)], 0
    ) & (np.arange(50) > 0)
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


class Broken(Image):
    """Pictures that cannot be changed."""

    def augment(self, x, rng, strength, mirrored=None):
        raise ValueError("broken augmentation")


def test_an_error_in_the_thread_comes_out_with_its_traceback():
    train = pictures()
    data = labelled_data("made", tuple("abcde"), train, train, train)
    broken = replace(data, inputs=(Broken(name="image", height=8, width=6, channels=1),))
    with pytest.raises(ValueError, match="broken augmentation") as caught:
        list(Batches(broken, Recipe()).epoch(0))
    assert "augment" in [entry.name for entry in caught.traceback]
    assert not running()


def test_bad_requests():
    with pytest.raises(UsageError, match="batch size 0"):
        batches(batch_size=0)
    train = pictures()
    data = labelled_data("made", tuple("abcde"), train, train, train)
    empty = replace(data, splits={**data.splits, "train": train.take(np.arange(0))})
    with pytest.raises(UsageError, match="no examples"):
        Batches(empty, Recipe())


# --- several inputs and tasks


ROWS = np.arange(40)


def several():
    """Two pictures that show the row, a number that is the row, and labels of which some lack."""
    left = np.zeros((40, 6, 6, 1), np.uint8)
    left[:, :, 0] = ROWS[:, None, None]
    right = np.zeros((40, 4, 8, 3), np.uint8)
    right[:, :, 0] = ROWS[:, None, None]
    columns = {
        "left": left,
        "right": right,
        "table": ROWS[:, None].astype(np.float32),
        "label": np.where(ROWS % 4 == 3, -1, ROWS % 2),
        "age": np.where(ROWS % 4 == 2, np.nan, ROWS / 10),
    }
    inputs = (
        Image.of("left", left),
        Image.of("right", right),
        Table(name="table", columns=("row",)),
    )
    tasks = (Classification(name="label", classes=("a", "b")), Regression(name="age"))
    return Data("several", inputs, tasks, dict.fromkeys(SPLITS, Examples(columns)))


def test_a_batch_has_the_same_rows_of_every_input_and_task():
    for batch in Batches(several(), Recipe(batch_size=8, augmentation="none")).epoch(0):
        rows = batch.inputs["table"][:, 0].astype(int)
        assert np.array_equal(batch.inputs["left"][:, 0, 0, 0], rows)
        assert np.array_equal(batch.inputs["right"][:, 0, 0, 2], rows)
        assert np.array_equal(batch.weights["label"], rows % 4 != 3)
        assert np.array_equal(batch.weights["age"], rows % 4 != 2)
        known = rows % 4 != 3
        assert np.array_equal(batch.targets["label"].argmax(1)[known], (rows % 2)[known])


def test_the_first_input_changes_as_it_does_alone_and_all_are_mirrored_alike():
    data = several()
    recipe = Recipe(batch_size=8, augmentation="light", flip=True)
    alone = Batches(replace(data, inputs=data.inputs[:1]), recipe).batch(0, 0)
    together = Batches(data, recipe).batch(0, 0)
    assert np.array_equal(alone.inputs["left"], together.inputs["left"])
    recipe = Recipe(batch_size=8, augmentation="none", flip=True)
    batch = Batches(data, recipe).batch(0, 0)
    rows = batch.inputs["table"][:, 0] > 0
    sides = [(batch.inputs[name][rows, 0, -1] > 0).any(1) for name in ("left", "right")]
    assert np.array_equal(*sides) and sides[0].any() and not sides[0].all()


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_all_inputs_and_targets_are_mixed_alike(kind):
    recipe = Recipe(batch_size=40, augmentation="none", **{kind: 1.0})
    batches = Batches(several(), recipe)
    batch, rows = batches.batch(0, 0), batches.order(0)
    again = Batches(several(), replace(recipe, **{kind: None})).batch(0, 0)
    share, other = shares(batch.inputs["table"][:, 0], rows)
    for name in ("label", "age"):
        weights = share * again.weights[name] + (1 - share) * again.weights[name][other]
        assert np.allclose(batch.weights[name], weights, atol=1e-5)
        t = again.targets[name] * again.weights[name][:, None]
        mixed = share[:, None] * t + (1 - share)[:, None] * t[other]
        assert np.allclose(batch.targets[name] * weights[:, None], mixed, atol=1e-4)
    if kind == "mixup":
        left = share * rows + (1 - share) * rows[other]
        assert np.abs(batch.inputs["left"][:, 0, 0, 0] - left).max() <= 1
        assert np.abs(batch.inputs["right"][:, 0, 0, 0] - left).max() <= 1


def shares(mixed, rows):
    """How much of itself each row kept, and the place of the other one, by the stream of both."""
    stream = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(1, 0, 0)))
    other = stream.permutation(len(rows))
    apart = rows - rows[other]
    known = apart != 0
    share = np.ones(len(rows))
    share[known] = (mixed - rows[other])[known] / apart[known]
    assert ((share > -0.01) & (share < 1.01)).all()
    return share, other


@pytest.mark.parametrize("first", ["left", "table"])
def test_boxes_are_cut_of_pictures_wherever_they_stand(first):
    data = several()
    inputs = sorted(data.inputs, key=lambda each: each.name != first)
    recipe = Recipe(batch_size=40, augmentation="none", cutmix=1.0)
    batches = Batches(replace(data, inputs=tuple(inputs)), recipe)
    batch, rows = batches.batch(0, 0), batches.order(0)
    share, other = shares(batch.inputs["table"][:, 0], rows)
    assert (share < 0.9).sum() > 10  # something was mixed
    pixels = batch.inputs["left"][:, :, 0, 0]
    own, pasted = pixels == rows[:, None], pixels == rows[other][:, None]
    assert (own | pasted).all()


def uneven(**options):
    train = pictures(40)
    labels = np.array([0] * 30 + [1] * 7 + [2] * 3)
    train = replace(train, columns={**train.columns, "label": labels})
    data = labelled_data("uneven", tuple("abc"), train, train, train)
    return labels, Batches(data, Recipe(batch_size=8, augmentation="none", **options))


def test_balanced_sampling_draws_classes_equally_often():
    labels, made = uneven(sampling="balanced")
    orders = [made.order(epoch) for epoch in range(20)]
    counts = np.array([np.bincount(labels[order], minlength=3) for order in orders])
    assert (counts == [13, 13, 14]).all()
    # Rows of a class come equally often, but for one more or less, and all in the end.
    rare = np.bincount(orders[0][labels[orders[0]] == 1], minlength=40)[30:37]
    assert set(rare.tolist()) == {1, 2}
    assert set(np.concatenate(orders).tolist()) == set(range(40))
    again = uneven(sampling="balanced")[1]
    assert equal(made.batch(3, 2), again.batch(3, 2))
    assert not equal(made.batch(3, 2), made.batch(4, 2))
    assert not np.array_equal(made.order(0), uneven(sampling="balanced", seed=1)[1].order(0))


def test_balanced_sampling_needs_classes():
    with pytest.raises(UsageError, match="unknown sampling 'balance'"):
        uneven(sampling="balance")
    train = pictures(40)
    data = labelled_data("made", tuple("abcde"), train, train, train)
    wide = Regression(name="label", mean=(0.0,), deviation=(1.0,))
    with pytest.raises(UsageError, match="no task has any"):
        Batches(replace(data, tasks=(wide,)), Recipe(sampling="balanced"))
