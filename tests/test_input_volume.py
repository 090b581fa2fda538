"""Volumes as an input: orientation, grid, window as nodes, augmentation, pictures."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from allotrope.architectures.choose import choose
from allotrope.config import Settings
from allotrope.data.batches import Batches
from allotrope.data.examples import Data, Examples
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.from_facts import input_of
from allotrope.inputs.volume.scan_grid import Scan, UnreadableVolume, on_grid, upright
from allotrope.inputs.volume.volume import Volume
from allotrope.network import zoo
from allotrope.network.rewriting.named_after import named_after
from allotrope.tasks import Classification
from allotrope.tasks.several import loss_over
from allotrope.training.plan import training_plan
from made_volumes import ball
from tested import TESTED

RANDOM = np.random.default_rng(5)
STRENGTH = Augmentation(flip=False, shift=0.25, brightness=0.1)


@pytest.mark.parametrize("seed", range(12))
def test_scans_are_turned_as_nibabel_turns_them(seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=(3, 4, 5)).astype(np.float32)
    # Axes in any order and direction, and then some way off, as gantries are tilted.
    axes = np.eye(3)[random.permutation(3)] * random.choice([-1, 1], 3)
    tilt, _ = np.linalg.qr(np.eye(3) + random.uniform(-0.3, 0.3, (3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = tilt @ axes * random.uniform(0.5, 3, 3)
    scan = upright(values, affine)
    expected = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine))
    assert np.array_equal(scan.values.transpose(2, 1, 0), expected.get_fdata(dtype=np.float32))
    assert np.allclose(scan.spacing, expected.header.get_zooms()[::-1], rtol=1e-5)


def test_a_scan_that_lies_nowhere_is_refused():
    for affine in (np.zeros((4, 4)), np.diag([1, np.nan, 1, 1]), np.ones((4, 4))):
        with pytest.raises(UnreadableVolume, match="mm apart"):
            upright(np.zeros((2, 2, 2)), affine)


def test_the_same_grid_changes_nothing():
    values = RANDOM.normal(size=(3, 4, 5)).astype(np.float32)
    assert np.array_equal(on_grid(Scan(values, (2, 1, 1)), (3, 4, 5), (2, 1, 1)), values)


def test_a_grid_keeps_places_and_means():
    # A ramp of one a millimetre stays a ramp, in any spacing; at the ends it has nothing beyond.
    ramp = np.arange(40, dtype=np.float32).reshape(40, 1, 1) * np.ones((1, 6, 6), np.float32)
    coarse = on_grid(Scan(ramp, (1, 1, 1)), (10, 6, 6), (4, 1, 1))
    assert np.allclose(np.diff(coarse[1:-1, 3, 3]), 4, atol=1e-4)
    assert np.isclose(coarse.mean(), ramp.mean(), atol=0.1)
    fine = on_grid(Scan(ramp, (1, 1, 1)), (80, 6, 6), (0.5, 1, 1))
    assert np.allclose(np.diff(fine[2:-2, 3, 3]), 0.5, atol=1e-4)


def test_outside_of_a_scan_lies_its_lowest_value():
    values = np.full((4, 4, 4), 7, np.float32)
    values[0, 0, 0] = -3
    wide = on_grid(Scan(values, (1, 1, 1)), (10, 4, 4), (1, 1, 1))
    assert np.array_equal(wide[3:7], values)
    assert (wide[:3] == -3).all() and (wide[7:] == -3).all()


def volume(**options):
    return Volume(name="scan", shape=(4, 5, 6), spacing=(1.0, 1.0, 1.0), **options)


def test_window_and_normalization_are_nodes():
    x = RANDOM.normal(0, 50, (8, 4, 5, 6)).astype(np.float32)
    fitted = volume(window=(-40.0, 60.0)).fitted(x)
    network = named_after(zoo.cnn_3d(2, (1, 4, 5, 6)), ["scan"], ["y"])
    prepared = fitted.prepare(network)
    seen = (np.clip(x, -40, 60) - fitted.mean) / fitted.std
    assert abs(seen.mean()) < 1e-3 and abs(seen.std() - 1) < 1e-3
    expected = network.run({"scan": seen[:, None].astype(np.float32)})["y"]
    assert np.allclose(prepared.run({"scan": x})["y"], expected, atol=1e-4)
    assert prepared.inputs == (fitted.value(),)
    assert input_of(fitted.facts()) == fitted
    with pytest.raises(UsageError, match="needs a network with an input of its name"):
        fitted.prepare(zoo.mlp(2, (1, 5, 6)))


@pytest.mark.parametrize("name", ["reference", *TESTED])
def test_relative_values_have_no_scale_and_are_nodes(name):
    x = RANDOM.normal(0, 1, (5, 4, 5, 6)).astype(np.float32) + 8
    x[:, 1:3, 1:4, 1:4] += RANDOM.uniform(5, 9, (5, 1, 1, 1)).astype(np.float32)
    scan = volume(relative=True)
    assert scan.fitted(x) == scan and input_of(scan.facts()) == scan
    prepared = scan.prepare(named_after(zoo.cnn_3d(2, (1, 4, 5, 6)), ["scan"], ["y"]))
    plain = prepared.run({"scan": x}, name)["y"]
    units = RANDOM.uniform(0.1, 40, (5, 1, 1, 1)).astype(np.float32)
    other = prepared.run({"scan": x * units + 100}, name)["y"]
    assert np.allclose(plain, other, atol=2e-3)
    # By the voxels above the mean of all, which are the bright ones here.
    bright = x[0][x[0] > x[0].mean()]
    seen = np.clip((x[0] - bright.mean()) / bright.std(), -5, 5)
    network = named_after(zoo.cnn_3d(2, (1, 4, 5, 6)), ["scan"], ["y"])
    expected = network.run({"scan": seen[None, None].astype(np.float32)})["y"]
    assert np.allclose(plain[:1], expected, atol=1e-3)
    assert np.isfinite(prepared.run({"scan": np.full_like(x, 7)}, name)["y"]).all()


def test_relative_values_are_changed_by_their_own_deviation():
    x = RANDOM.normal(0, 1, (2, 4, 5, 6)).astype(np.float32)
    x[1] *= 1000
    noisy = volume(relative=True).augment(x, np.random.default_rng(0), STRENGTH)
    change = (noisy - x).reshape(2, -1).std(axis=1)
    assert 300 < change[1] / change[0] < 3000
    assert "each normalized by its own values" in volume(relative=True).described(x)


def test_a_window_leaves_out_strays_and_masks_have_one_too():
    x = RANDOM.normal(0, 1, (40, 4, 5, 6)).astype(np.float32)
    x[0, 0, 0, 0] = 1e6
    low, high = volume().fitted(x).window
    assert -6 < low < 0 < high < 6
    # A lesion of few voxels is no stray.
    x[0, 0, 0, 0] = 5
    assert volume().fitted(x).window[1] == 5
    flat = volume().fitted(np.zeros((2, 4, 5, 6), np.float32))
    assert flat.window == (0, 1) and flat.std > 0
    mask = np.zeros((2, 4, 5, 6), np.float32)
    mask[0, 0, 0, 0] = 1
    assert volume().fitted(mask).window == (0, 1)


def test_augmentation_moves_and_mirrors_only_if_asked():
    x = np.zeros((6, 4, 5, 6), np.float32)
    x[:, 1, 2, 1] = 9
    before = x.copy()
    moved = volume().augment(x, np.random.default_rng(0), Augmentation(shift=0.25))
    assert np.array_equal(x, before) and not np.array_equal(moved, x)
    assert (moved.max(axis=(1, 2, 3)) == 9).all() and (moved.sum(axis=(1, 2, 3)) == 9).all()
    mirrored = np.arange(6) % 2 == 0
    turned = volume().augment(x, RANDOM, Augmentation(flip=True), mirrored)
    assert np.array_equal(turned[mirrored], x[mirrored][..., ::-1])
    assert np.array_equal(turned[~mirrored], x[~mirrored])
    again = [volume(std=2.0).augment(x, np.random.default_rng(3), STRENGTH) for _ in range(2)]
    assert np.array_equal(*again) and again[0].dtype == np.float32


def test_a_volume_shows_its_middle_slices():
    x = np.zeros((4, 6, 8), np.float32)
    x[3, :, :], x[:, 5, :] = 1, 1  # head and front are bright
    shown = Volume(name="s", shape=x.shape, spacing=(1, 1, 1), window=(0.0, 1.0)).show(x).picture
    assert shown.dtype == np.uint8 and shown.shape == (6, 9 + 9 + 7)
    above, front = shown[:, :8], shown[:4, 9:17]
    assert (above[0] == 255).all() and not above[1:].any()
    assert (front[0] == 255).all() and not front[1:].any()


@pytest.fixture(scope="module")
def balls():
    random = np.random.default_rng(0)
    labels = np.arange(48) % 2
    x = np.stack([ball(random, bool(label), (6, 7, 8)) for label in labels]).astype(np.float32)
    scan = Volume(name="scan", shape=(6, 7, 8), spacing=(1.0, 1.0, 1.0)).fitted(x)
    examples = Examples({"scan": x, "label": labels})
    splits = {"train": examples, "validation": examples, "test": examples}
    return Data("balls", (scan,), (Classification(name="label", classes=("a", "b")),), splits)


def trained(data, name, family):
    choice = choose(data, family, {"augmentation": "light"}, epochs=4)
    (task,) = data.tasks
    plan = training_plan(choice.network, choice.recipe, loss_over({"label": task.loss}))
    trainer = find(name).trainer(choice.network, plan, Settings())
    batches = Batches(data, choice.recipe)
    losses = [
        float(trainer.step(batch, 4e-3, step))
        for step, (epoch, at) in enumerate(
            ((epoch, at) for epoch in range(4) for at in range(batches.steps_per_epoch)), 1
        )
        for batch in [batches.batch(epoch, at)]
    ]
    return losses


@pytest.mark.parametrize(
    ("name", "family"), [*((name, "cnn_3d") for name in TESTED), ("pytorch", "resnet8_3d")]
)
def test_every_framework_learns_volumes_alike(balls, name, family):
    losses = trained(balls, name, family)
    assert losses[-1] < 0.5 * losses[0]
    if "pytorch" in TESTED:
        assert np.allclose(losses[:4], trained(balls, "pytorch", family)[:4], rtol=2e-3)


def test_networks_for_volumes_say_what_they_cannot_take(balls):
    with pytest.raises(UsageError, match=r"volume must be \(channels, depth, height, width\)"):
        zoo.cnn_3d(2, (1, 8, 8))
    with pytest.raises(UsageError, match="16 x 64 x 64 is too small: this network needs 32 x 32"):
        zoo.resnet18_3d(2, (1, 16, 64, 64))
    with pytest.raises(UsageError, match=r"takes no volumes\. Known for volumes: cnn_3d"):
        choose(balls, "resnet20")
    with pytest.raises(UsageError, match="cutmix pastes patches"):
        choose(balls, "auto", {"cutmix": 1.0})
    recipe = choose(balls, "auto").recipe
    assert recipe.flip is False and recipe.budget == 120
    assert recipe.epochs * (48 // recipe.batch_size) >= 300
    assert choose(balls, "auto", {"flip": True}).recipe.flip is True
    thin = zoo.cnn_3d(2, (1, 1, 9, 9))
    assert thin.run({"x": np.zeros((1, 1, 1, 9, 9), np.float32)})["logits"].shape == (1, 2)
