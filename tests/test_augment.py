"""Each augmentation, checked literally on small arrays."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import AUGMENTATIONS, POLICIES, Recipe
from allotrope.errors import UsageError
from allotrope.inputs.augmentation import PRESETS, Augmentation, augmentation_of
from allotrope.inputs.image.distort import cutout, flip, jitter_color, rotate_and_scale, shift
from allotrope.inputs.image.image import Image
from allotrope.inputs.image.mixing import cutmix, mixed, mosaic
from allotrope.inputs.mixture import mixup


def rng(seed=0):
    return np.random.default_rng(seed)


def images(n=6, height=9, width=7, channels=3):
    return rng(1).integers(0, 256, (n, height, width, channels), dtype=np.uint8)


def target(n=6):
    return np.eye(4, dtype=np.float32)[np.arange(n) % 4]


class Drawn:
    """Stands in for a random stream; every draw is what the test wants."""

    def __init__(self, **draws):
        for name, value in draws.items():
            setattr(
                self,
                name,
                lambda *args, value=value, **options: np.asarray(
                    value(*args, **options) if callable(value) else value
                ),
            )


@pytest.mark.parametrize("channels", [1, 3])
def test_flip(channels):
    x = images(channels=channels)
    flipped = np.array([True, False, True, False, False, True])
    y = flip(x, flipped)
    assert np.array_equal(y[flipped], x[flipped, :, ::-1])
    assert np.array_equal(y[~flipped], x[~flipped])


def test_shift_moves_and_reflects():
    x = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3, 1)
    down_right = shift(x, Drawn(integers=[[0], [0]]), 1 / 3)
    assert down_right[0, :, :, 0].tolist() == [[5, 4, 5], [2, 1, 2], [5, 4, 5]]
    nothing = shift(x, Drawn(integers=[[1], [1]]), 1 / 3)
    assert np.array_equal(nothing, x)
    up = shift(x, Drawn(integers=[[2], [1]]), 1 / 3)
    assert up[0, :, :, 0].tolist() == [[4, 5, 6], [7, 8, 9], [4, 5, 6]]


def test_shift_equals_padding_and_cropping():
    x = images(n=40)
    down, right = rng(5).integers(0, 5, (2, 40))
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "reflect")
    expected = np.stack(
        [padded[i, down[i] : down[i] + 9, right[i] : right[i] + 7] for i in range(40)]
    )
    assert np.array_equal(shift(x, rng(5), 2 / 7), expected)


def test_shift_of_single_pixels_changes_nothing():
    x = images(height=1, width=1)
    assert np.array_equal(shift(x, rng(), 0.5), x)


def test_cutout_covers_a_square_with_the_mean_color():
    x = np.zeros((2, 4, 4, 1), np.uint8)
    x[:, ::2] = 100
    y = cutout(x, Drawn(integers=[2, 0]), 0.5)
    changed = y != x
    assert (y[0, 1:3, 1:3] == 50).all() and changed[0].sum() == 4
    assert y[1, 0, 0, 0] == 50 and changed[1].sum() == 1  # most of the square sticks out


def test_turning_by_a_right_angle_is_exact():
    x = images(height=8, width=8)
    turned = rotate_and_scale(
        x,
        Drawn(
            random=np.zeros(6), uniform=lambda low, high, n: np.full(n, 90.0 if high == 90 else 1.0)
        ),
        90,
        0,
    )
    assert np.array_equal(turned, np.rot90(x, -1, (1, 2))) or np.array_equal(
        turned, np.rot90(x, 1, (1, 2))
    )


def test_scaling_by_two_interpolates():
    x = np.array([0, 64, 128, 192], np.uint8).reshape(1, 1, 4, 1).repeat(4, 1)
    y = rotate_and_scale(
        x,
        Drawn(
            random=np.zeros(1), uniform=lambda low, high, n: np.full(n, 2.0 if high == 2 else 0.0)
        ),
        0,
        1,
    )
    # Read at columns 0.75, 1.25, 1.75, 2.25.
    assert y[0, :, :, 0].tolist() == [[48, 80, 112, 144]] * 4


def test_no_turn_and_no_scale_change_nothing():
    x = images(n=300)
    assert np.array_equal(rotate_and_scale(x, rng(), 0, 0), x)


def test_turning_agrees_with_bilinear_interpolation():
    x = images(n=1, height=12, width=10)
    y = rotate_and_scale(x, rng(3), 20, 0.2)
    draws = rng(3)
    draws.random(1)
    angle, factor = np.deg2rad(draws.uniform(-20, 20)), 1 / draws.uniform(0.8, 1.2)
    for row in range(12):
        for column in range(10):
            v, u = row - 5.5, column - 4.5
            place = [
                factor * (np.cos(angle) * v - np.sin(angle) * u) + 5.5,
                factor * (np.sin(angle) * v + np.cos(angle) * u) + 4.5,
            ]
            place = [last - abs(last - abs(p)) for p, last in zip(place, (11, 9), strict=True)]
            (r, c), (a, b) = np.floor(place).astype(int), np.array(place) % 1
            r1, c1 = min(r + 1, 11), min(c + 1, 9)
            p = x[0].astype(float)
            above = (1 - b) * p[r, c] + b * p[r, c1]
            below = (1 - b) * p[r1, c] + b * p[r1, c1]
            exact = (1 - a) * above + a * below
            # Positions are kept to 1/16 of a pixel, half of it either way.
            assert np.abs(y[0, row, column] - exact).max() <= 255 / 16


def test_only_a_fraction_is_turned():
    x = images(n=200)
    changed = (rotate_and_scale(x, rng(), 30, 0, 0.25) != x).any((1, 2, 3)).sum()
    assert 30 < changed < 70


def test_brightness_contrast_and_saturation():
    x = np.array([[100, 100, 100], [200, 50, 20]], np.uint8).reshape(1, 1, 2, 3)

    def changed(brightness=0.0, contrast=0.0, saturation=0.0):
        return jitter_color(x, Drawn(uniform=np.ones((3, 1))), brightness, contrast, saturation)[
            0, 0
        ].tolist()

    assert changed(brightness=0.5) == [[150, 150, 150], [255, 75, 30]]
    assert changed(contrast=1.0) == [[72, 72, 72], [255, 0, 0]]
    grey = 0.299 * 200 + 0.587 * 50 + 0.114 * 20
    assert changed(saturation=1.0) == [[100, 100, 100], [255, round(100 - grey), 0]]
    assert jitter_color(x, Drawn(uniform=-np.ones((3, 1))), 0, 0, 1)[0, 0].tolist() == [
        [100] * 3,
        [round(grey)] * 3,
    ]


def test_mixup_blends_pixels_and_targets_alike():
    x = images(2)
    mixture = mixup(2, Drawn(permutation=[1, 0], beta=[0.75, 1.0]), 0.2)
    y, blended = mixed(x, mixture), mixture.blended(target(2))
    assert np.array_equal(y[0], ((x[0] * 192.0 + x[1] * 64.0 + 128) // 256).astype(np.uint8))
    assert np.array_equal(y[1], x[1])
    assert blended.tolist() == [[0.75, 0.25, 0, 0], [0, 1, 0, 0]] and blended.dtype == np.float32


def test_cutmix_shares_the_target_by_area():
    x = np.stack([np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 1), 9, np.uint8)])
    draws = Drawn(permutation=[1, 0], beta=[0.75, 0.75], integers=[4, 0])
    mixture = cutmix(2, (8, 8), draws, 1.0)
    y, blended = mixed(x, mixture), mixture.blended(target(2))
    assert (y[0, 2:6, 2:6] == 9).all() and (y[0] == 9).sum() == 16
    assert (y[1, :2, :2] == 0).all() and (y[1] == 0).sum() == 4  # the rest of the box sticks out
    assert blended.tolist() == [[0.75, 0.25, 0, 0], [0.0625, 0.9375, 0, 0]]


def test_boxes_are_in_parts_of_the_size_so_that_images_of_another_size_share_them():
    x = np.stack([np.zeros((4, 16, 1), np.uint8), np.full((4, 16, 1), 9, np.uint8)])
    mixture = cutmix(2, (8, 8), Drawn(permutation=[1, 0], beta=[0.75, 0.75], integers=[4, 0]), 1.0)
    assert (mixed(x, mixture)[0, 1:3, 4:12] == 9).all() and (mixed(x, mixture)[0] == 9).sum() == 16


def augment(x, t, strength, random):
    """Images and targets as a batch has them."""
    image = Image.of("image", x)
    x = image.augment(x, random, strength)
    mixture = image.draw_mixture(len(x), random, strength)
    return (x, t) if mixture is None else (image.mixed(x, mixture), mixture.blended(t))


@pytest.mark.parametrize("preset", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (28, 28)])
def test_presets_keep_shapes_and_inputs_and_repeat(preset, channels, size):
    x, t = images(10, *size, channels), target(10)
    before = x.copy(), t.copy()
    first = augment(x, t, PRESETS[preset], rng(7))
    again = augment(x, t, PRESETS[preset], rng(7))
    assert first[0].shape == x.shape and first[0].dtype == np.uint8 and first[1].dtype == np.float32
    assert np.allclose(first[1].sum(1), 1)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert np.array_equal(x, before[0]) and np.array_equal(t, before[1])
    if preset != "none" and size == (28, 28):
        assert not np.array_equal(first[0], x)


def test_presets_are_those_of_the_options_and_the_recipe_has_the_last_word():
    assert tuple(PRESETS) == (*AUGMENTATIONS, *POLICIES) and PRESETS["none"] == Augmentation()
    own = augmentation_of(Recipe(augmentation="heavy", flip=False, mixup=0.0, cutmix=0.5))
    assert (own.flip, own.mixup, own.cutmix, own.cutout) == (False, 0.0, 0.5, 0.5)
    with pytest.raises(UsageError, match="Did you mean 'medium'"):
        augmentation_of(Recipe(augmentation="mediun"))


def test_a_mosaic_has_parts_of_four_pictures_and_labels_by_area():
    """Each picture has a colour of its own, so that every pixel says where it is from."""
    images = np.broadcast_to(np.arange(40, dtype=np.uint8)[:, None, None, None], (40, 9, 7, 3))
    patchwork = mosaic(40, (9, 7), np.random.default_rng(3), 1.0)
    made = mixed(images, patchwork)
    shares = patchwork.targets(np.eye(40, dtype=np.float32))
    counts = np.stack([np.bincount(each[..., 0].ravel(), minlength=40) for each in made]) / 63
    np.testing.assert_allclose(counts, shares, atol=1e-6)
    assert (np.count_nonzero(counts, axis=1) == 4).mean() > 0.4
    # Parts are taken from anywhere in a picture, as they are.
    ramp = np.broadcast_to(np.arange(9, dtype=np.uint8)[:, None, None], (40, 9, 7, 1))
    steps = np.diff(mixed(np.ascontiguousarray(ramp), patchwork)[:, :, 0, 0].astype(int), axis=1)
    assert (np.count_nonzero(steps != 1, axis=1) <= 1).all() and (steps != 1).any()


def test_mixup_and_cutmix_take_turns():
    options = Augmentation(mixup=0.2, cutmix=1.0)
    x = np.stack([np.full((16, 16, 1), value, np.uint8) for value in (0, 200)])
    kinds = {
        bool(np.isin(augment(x, target(2), options, rng(seed))[0], (0, 200)).all())
        for seed in range(30)
    }
    assert kinds == {True, False}
