"""What numbers in arrays mean: each by its own type and range, or a refusal with the option."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import DataOptions, parse_value_range
from allotrope.data import read_data
from allotrope.errors import DataError, UsageError
from allotrope.inputs.image.ranges import array_spread, check_agreement, stretch_range

BYTES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
BYTES[0, 0, :2] = 0, 255
FLOATS = BYTES.astype(np.float32)
WHOLE = BYTES.astype(np.int64)
LABELS = np.arange(60) % 3


def read(folder, train, test=None, **options):
    arrays = {"x_train": train, "y_train": LABELS}
    if test is not None:
        arrays |= {"x_test": test, "y_test": LABELS}
    np.savez(folder / "some.npz", **arrays)
    return read_data(folder / "some.npz", DataOptions(**options))


def error_of(folder, train, test=None, **options):
    with pytest.raises(DataError) as caught:
        read(folder, train, test, **options)
    return str(caught.value)


def train_images(data):
    """All training images in their order: those split off are put back by sorting."""
    images = np.concatenate([data.train["image"], data.validation["image"], data.test["image"]])[
        ..., 0
    ]
    return np.array(sorted(images.tolist()))


SORTED = np.array(sorted(BYTES.tolist()))


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (FLOATS / 255, "0..1"),
        ((FLOATS / 255 * 1.0000001).astype(np.float32), "0..1"),
        (FLOATS / 255 - np.float32(1e-7), "0..1"),
        (FLOATS * np.float32(1.0000001), "0..255"),
        ((FLOATS / 255).astype(np.float16), "0..1"),
        ((FLOATS / 255).astype(">f8"), "0..1"),
        ((FLOATS / 255).astype(np.longdouble), "0..1"),
        (FLOATS.astype(np.float16), "0..255"),
        (FLOATS / 127.5 - 1, "-1..1"),
        (WHOLE, "0..255"),
        (WHOLE.astype(">i2"), "0..255"),
        (WHOLE.astype(np.uint16), "0..255"),
        ((WHOLE - 128).astype(np.int8), "-128..127"),
        (WHOLE.astype(np.uint16) * 4, "0:1020, the range of the training data"),
        (WHOLE.astype(">u2") * 16, "0:4080, the range of the training data"),
        (WHOLE.astype(np.int16) * 64, "0:16320, the range"),
        (WHOLE.astype(np.uint16) * 257, "0:65535, the range"),
        (WHOLE.astype(np.int16) * 16 - 1024, "-1024:3056, the range"),
        (WHOLE * 1_000_000, "0:2.55e+08, the range"),
        (FLOATS * 16, "0:4080, the range"),
        (FLOATS * 16 / 65535, "0:0.0622568, the range"),
        (FLOATS / 2.55, "0:100, the range"),
    ],
)
def test_every_usual_range_gives_the_same_images_and_is_said(tmp_path, images, said):
    data = read(tmp_path, images)
    assert np.array_equal(train_images(data), SORTED)
    assert any(
        f"read as {said}" in note and "--value-range" in note for note in data.summary["notes"]
    )


@pytest.mark.parametrize(
    "images", [BYTES > 127, (BYTES > 127).astype(np.uint8), (BYTES > 127) * 1, (BYTES > 127) * 1.0]
)
def test_two_values_are_black_and_white(tmp_path, images):
    assert np.array_equal(
        train_images(read(tmp_path, images)) > 0,
        np.array(sorted(((BYTES > 127) * 255).tolist())) > 0,
    )
    assert set(np.unique(read(tmp_path, images).train["image"])) == {0, 255}


def test_only_what_was_stretched_is_remembered(tmp_path):
    assert read(tmp_path, WHOLE * 16).summary["value_range"] == (0, 4080)
    assert read(tmp_path, WHOLE, value_range=(0, 255)).summary["value_range"] == (0, 255)
    assert read(tmp_path, BYTES).summary["value_range"] is None
    assert read(tmp_path, FLOATS / 255).summary["value_range"] is None


@pytest.mark.parametrize(
    ("train", "test"),
    [
        (BYTES, FLOATS / 255),
        (FLOATS / 255, BYTES),
        (BYTES, WHOLE),
        (FLOATS, BYTES),
        (WHOLE.astype(np.uint16) * 16, WHOLE.astype(np.int16) * 16),
    ],
)
def test_splits_of_different_types_are_each_read_by_their_own(tmp_path, train, test):
    data = read(tmp_path, train, test)
    assert np.array_equal(data.test["image"][..., 0], BYTES)


def test_a_dull_test_split_stays_dull(tmp_path):
    data = read(tmp_path, FLOATS / 127.5 - 1, (FLOATS / 127.5 - 1) * 0.5)
    assert data.test["image"].min() == 64 and data.test["image"].max() == 191


@pytest.mark.parametrize("scale", [1, 1 / 255, 16])
def test_a_dark_test_split_stays_dark(tmp_path, scale):
    data = read(tmp_path, FLOATS * np.float32(scale), FLOATS * np.float32(scale * 0.4))
    assert data.test["image"].max() == 102


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (
            FLOATS,
            FLOATS / 255,
            [
                "train float32 from 0 to 255, read as 0..255",
                "test float32 from 0 to 1, read as 0..1",
            ],
        ),
        (FLOATS / 255, FLOATS, ["read as 0..1", "read as 0..255"]),
        (FLOATS / 255, FLOATS / 127.5 - 1, ["read as -1..1"]),
        (FLOATS / 127.5 - 1, FLOATS / 255, ["read as -1..1", "read as 0..1"]),
        (WHOLE * 16, WHOLE, ["train 0:4080; test 0:255", "far too dark"]),
        (WHOLE * 16, WHOLE * 257, ["train 0:4080; test 0:65535"]),
        (WHOLE * 16 - 1024, WHOLE * 16 + 3000, ["train -1024:3056; test 3000:7080"]),
        (WHOLE.astype(np.uint16) * 4, BYTES, ["test uint8 from 0 to 255"]),
        (BYTES, WHOLE.astype(np.uint16) * 16, ["train uint8", "test uint16 from 0 to 4080"]),
        (BYTES, (BYTES > 127).astype(np.uint8), ["test uint8 from 0 to 1, read as 0..1"]),
    ],
)
def test_splits_that_disagree_are_refused_with_the_option_that_decides(
    tmp_path, train, test, words
):
    message = error_of(tmp_path, train, test)
    assert all(word in message for word in [*words, "some.npz", "--value-range"])
    read(tmp_path, train, test, value_range=(0, 4095))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (
            (FLOATS - FLOATS.mean()) / FLOATS.std(),
            ["from -1.69", "normalized", "--value-range LOW:HIGH", "-1.69163:1.70695"],
        ),
        (FLOATS / 255 - 0.5, ["from -0.5 to 0.5"]),
        (FLOATS - 128, ["from -128 to 127"]),
        (
            np.where(BYTES > 250, np.nan, FLOATS),
            ["values that are nan or infinite", "numpy.nan_to_num"],
        ),
        (np.where(BYTES > 250, -np.inf, FLOATS), ["nan or infinite"]),
        (FLOATS.astype(np.complex64), ["complex64"]),
        (FLOATS.reshape(60, 64), ["[60, 64]", "reshape(-1, 8, 8)"]),
        (FLOATS[:, :3, :4].reshape(60, 12), ["[60, 12]", "reshape(-1, 3, 2, 2)"]),
        (FLOATS[:, :3, :5].reshape(60, 15), ["[60, 15]"]),
        (np.stack([BYTES] * 2, -1), ["[60, 8, 8, 2]"]),
        (BYTES[:, :1, :, None], ["channels may come first or last"]),
        (np.stack([BYTES] * 4, -1), ["four channels, and the fourth varies"]),
    ],
)
def test_what_is_not_known_is_refused(tmp_path, images, words):
    message = error_of(tmp_path, images)
    assert all(word in message for word in words)


def test_what_was_normalized_is_read_by_the_range_that_is_named(tmp_path):
    data = read(tmp_path, (FLOATS - 128) / 64, value_range=(-2, 127 / 64))
    assert np.array_equal(train_images(data), SORTED)
    assert any("-2:1.98438, as asked for" in note for note in data.summary["notes"])


def test_what_filters_overshoot_is_clipped_and_counted(tmp_path):
    sharp = FLOATS / 255
    sharp[:, 0, 0] = 1.08
    data = read(tmp_path, sharp)
    assert any("60 values outside of it clipped" in note for note in data.summary["notes"])


def test_a_hot_pixel_does_not_darken_the_rest(tmp_path):
    hot = WHOLE * 16
    hot[3, 2, 1] = 60_000
    assert read(tmp_path, hot).summary["value_range"] == (0, 4080)


def test_few_bright_pixels_are_no_outliers():
    sparse = np.zeros((100, 32, 32), np.uint16)
    sparse[0, 0, :8] = 4000
    assert stretch_range(array_spread(sparse)) == (0, 4000)


def test_dark_bytes_are_said_and_can_be_stretched(tmp_path):
    dark = BYTES // 16
    assert any(
        "brightest value is 15 of 255; --value-range 0:15" in note
        for note in read(tmp_path, dark).summary["notes"]
    )
    assert read(tmp_path, dark, value_range=(0, 15)).train["image"].max() == 255


def test_an_opaque_fourth_channel_is_left_out_and_said(tmp_path):
    colour = np.stack([FLOATS / 255] * 3 + [np.ones_like(FLOATS)], -1)
    data = read(tmp_path, colour)
    assert data.train["image"].shape[1:] == (8, 8, 3)
    assert any("opaque everywhere" in note for note in data.summary["notes"])


def test_agreement_is_of_both_ends_and_of_the_width():
    spread = {
        name: array_spread(np.linspace(*ends, 1000))
        for name, ends in (("train", (0, 100)), ("low", (-60, 100)), ("flat", (40, 50)))
    }
    check_agreement("data", {"train": spread["train"]}, (0, 100))
    for other in ("low", "flat"):
        with pytest.raises(DataError, match=other):
            check_agreement("data", {"train": spread["train"], other: spread[other]}, (0, 100))


@pytest.mark.parametrize(
    ("text", "expected"), [("0:4095", (0, 4095)), ("-1:1", (-1, 1)), ("-1024:3.5e3", (-1024, 3500))]
)
def test_ranges_on_the_command_line(text, expected):
    assert parse_value_range(text) == expected


@pytest.mark.parametrize("text", ["", "5", "1:0", "0:0", "a:b", "0:inf", "nan:1", "0:1:2"])
def test_what_is_no_range(text):
    with pytest.raises(UsageError, match="such as 0:4095"):
        parse_value_range(text)
