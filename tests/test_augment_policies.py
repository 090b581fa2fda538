"""RandAugment, TrivialAugment, AugMix and what they are made of, against Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from allotrope.inputs.augmentation import PRESETS, Augmentation
from allotrope.inputs.image import tones
from allotrope.inputs.image.augmented import augmented
from allotrope.inputs.image.slant import moved, slanted, transposed
from allotrope.inputs.image.textures import blurred, compressed, erased, noisy, sharpened
from allotrope.inputs.image.warp import affine, elastic, tilted
from allotrope.inputs.table.table import Table

RANDOM = np.random.default_rng(2)
NEW = ("randaugment", "trivialaugment", "augmix", "distorted")


def smooth(n=6, side=24, channels=3):
    """Pictures of slow waves, each its own, not over the whole range."""
    y, x = np.indices((side, side))
    waves = [np.sin((row + 1) * y / 9 + x / 7) for row in range(n * channels)]
    pictures = np.reshape(waves, (n, channels, side, side)).transpose(0, 2, 3, 1)
    return np.rint(130 + 80 * pictures).astype(np.uint8)


def by_pillow(images, change):
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


@pytest.mark.parametrize(
    ("ours", "pillows", "off"),
    [
        (tones.auto_contrasted, ImageOps.autocontrast, 1),
        # Pillow divides by a whole number of pixels.
        (tones.equalized, ImageOps.equalize, 12),
        (
            lambda x: tones.solarized(x, np.full(len(x), 100)),
            lambda i: ImageOps.solarize(i, 100),
            0,
        ),
        (lambda x: tones.posterized(x, np.full(len(x), 3)), lambda i: ImageOps.posterize(i, 3), 0),
        (
            lambda x: tones.brightened(x, np.full(len(x), 1.3)),
            lambda i: ImageEnhance.Brightness(i).enhance(1.3),
            1,
        ),
        (
            lambda x: tones.saturated(x, np.full(len(x), 0.3, np.float32)),
            lambda i: ImageEnhance.Color(i).enhance(0.3),
            1,
        ),
    ],
)
def test_tones_are_pillows(ours, pillows, off):
    images = smooth(side=64)
    difference = ours(images).astype(int) - by_pillow(images, pillows)
    assert np.abs(difference).max() <= off


def test_jpeg_loses_as_much_as_pillows_of_the_same_quality():
    images = smooth(4, 21, 1)
    images = np.clip(images + RANDOM.normal(0, 12, images.shape), 0, 255).astype(np.uint8)
    for quality in (10, 30, 70):
        files = []
        for image in images[..., 0]:
            file = io.BytesIO()
            Image.fromarray(image).save(file, "JPEG", quality=quality)
            files.append(np.asarray(Image.open(file)))
        theirs = np.stack(files)[..., None].astype(int)
        ours = compressed(images, np.full(4, quality))
        lost = np.abs(theirs - images).mean()
        assert np.abs(ours.astype(int) - theirs).mean() < 0.1 * lost


def test_a_quarter_turn_is_exact_and_so_is_a_move():
    images = smooth(2, 9)
    turn = np.tile(np.array([[0.0, -1.0], [1.0, 0.0]]), (2, 1, 1))
    turned = affine(images, turn)
    np.testing.assert_array_equal(turned, np.rot90(images, -1, axes=(1, 2)))
    further = moved(images, np.array([2, -3]), 2)
    np.testing.assert_array_equal(further[0, :, :-2], images[0, :, 2:])
    np.testing.assert_array_equal(further[1, :, 3:], images[1, :, :-3])
    np.testing.assert_array_equal(further[1, :, :3], images[1, :, 3:0:-1])


@pytest.mark.parametrize("shape", [(3, 9, 14, 3), (3, 12, 5, 1), (2, 30, 30, 4)])
def test_rows_are_slanted_as_bilinear_sampling_says(shape):
    images = RANDOM.integers(0, 256, shape, np.uint8)
    tangents = np.array([0.0, 0.31, -0.9])[: shape[0]]
    upright = np.tile(np.eye(2), (shape[0], 1, 1))
    along_rows, along_columns = upright.copy(), upright.copy()
    along_rows[:, 1, 0] = along_columns[:, 0, 1] = tangents
    np.testing.assert_array_equal(slanted(images, tangents), affine(images, along_rows))
    columns = transposed(slanted(transposed(images), tangents))
    np.testing.assert_array_equal(columns, affine(images, along_columns))


def test_nothing_drawn_leaves_pictures_as_they_are():
    images, none = smooth(), np.zeros(6)
    np.testing.assert_array_equal(tilted(images, np.zeros((6, 2))), images)
    np.testing.assert_array_equal(elastic(images, np.random.default_rng(0), none), images)
    np.testing.assert_array_equal(blurred(images, none), images)
    np.testing.assert_array_equal(noisy(images, np.random.default_rng(0), none), images)
    np.testing.assert_array_equal(sharpened(images, np.ones(6)), images)


def test_a_tilt_enlarges_one_side_and_blur_lowers_the_differences():
    images = smooth()
    assert (tilted(images, np.full((6, 2), 0.4)) != images).mean() > 0.3
    soft = blurred(noisy(images, np.random.default_rng(0), np.full(6, 20)), np.full(6, 0.25))
    rough = noisy(images, np.random.default_rng(0), np.full(6, 20))
    assert (
        np.abs(np.diff(soft.astype(int), axis=2)).mean()
        < 0.6 * np.abs(np.diff(rough.astype(int), axis=2)).mean()
    )


def test_erasing_takes_a_box_from_about_as_many_as_are_asked():
    images = np.zeros((400, 16, 16, 1), np.uint8)
    changed = erased(images, np.random.default_rng(0), 0.25).any(axis=3)
    share = changed.any(axis=(1, 2)).mean()
    assert 0.18 < share < 0.32
    assert changed[changed.any(axis=(1, 2))].mean(axis=(1, 2)).max() < 0.4


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("shape", [(40, 8, 8, 1), (40, 32, 20, 3), (1, 33, 33, 4)])
def test_policies_are_functions_of_their_stream_and_leave_what_they_are_given(name, shape):
    images = RANDOM.integers(0, 256, shape, np.uint8)
    before = images.copy()
    first, again, other = (
        augmented(images, PRESETS[name], np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(images, before)
    assert first.shape == shape and first.dtype == np.uint8
    if shape[0] > 1:
        assert (first != other).any() and (first != images).any()


def test_swap_noise_keeps_each_columns_values():
    table = Table(name="row", columns=("a", "b"))
    x = RANDOM.standard_normal((200, 2)).astype(np.float32)
    changed = table.augment(x, np.random.default_rng(0), PRESETS["swap-noise"])
    share = (changed != x).mean()
    assert 0.05 < share < 0.15 and changed.dtype == np.float32
    assert all(np.isin(changed[:, place], x[:, place]).all() for place in (0, 1))
    assert table.augment(x, np.random.default_rng(0), Augmentation()) is x
