"""Pictures of more than 8 bits a channel are stretched by the training pictures' range."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.errors import DataError
from allotrope.inputs.image.decoding import deep_values, is_deep, to_pixels
from made_pictures import png_bytes, tiff_bytes
from read_sources import notes

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path_factory.mktemp("cache")))


def grey(path, values):
    Image.fromarray(values.astype(np.uint16)).save(path.with_suffix(".png"))


def bytes_of(path, values):
    Image.fromarray(values.astype(np.uint8)).save(path.with_suffix(".png"))


def tiff(path, values, **options):
    path.with_suffix(".tif").write_bytes(tiff_bytes(values, **options))


def folder(root, write, splits=("",)):
    """Two classes of eight pictures of 16x16 bytes; `write` takes path, numbers and split."""
    for split in splits:
        for name in ("a", "b"):
            (root / split / name).mkdir(parents=True)
            for number in range(8):
                values = RNG.integers(0, 256, (16, 16))
                values[0, :2] = 0, 255
                write(root / split / name / str(number), values, split)
    return root


def error_of(root, **options):
    with pytest.raises(DataError) as caught:
        read_data(root, DataOptions(**options))
    return str(caught.value)


@pytest.mark.parametrize(
    ("write", "value_range"),
    [
        (lambda path, values: grey(path, values), (0, 255)),
        (lambda path, values: grey(path, values * 4), (0, 1020)),
        (lambda path, values: grey(path, values * 16), (0, 4080)),
        (lambda path, values: grey(path, values * 257), (0, 65535)),
        (lambda path, values: grey(path, values * 16 + 1000), (1000, 5080)),
        (lambda path, values: tiff(path, (values * 16 - 1024).astype(np.int16)), (-1024, 3056)),
        (lambda path, values: tiff(path, (values * 16).astype(np.uint16), order=">"), (0, 4080)),
        (lambda path, values: tiff(path, (values * 1000).astype(np.int32)), (0, 255_000)),
        (lambda path, values: tiff(path, (values / 255).astype(np.float32)), (0, 1)),
        (
            lambda path, values: tiff(path, (values / 127.5 - 1).astype(np.float32), order=">"),
            (-1, 1),
        ),
        (lambda path, values: path.with_suffix(".pgm").write_bytes(pgm(values * 16)), None),
        (
            lambda path, values: tiff(path, np.stack([values * 16] * 3, -1).astype(np.uint16)),
            (0, 4080),
        ),
        (
            lambda path, values: tiff(
                path, np.stack([values * 16] * 3, -1).astype(np.uint16), deflated=True
            ),
            (0, 4080),
        ),
        (
            lambda path, values: path.with_suffix(".png").write_bytes(
                png_bytes(np.stack([values * 16] * 3, -1))
            ),
            (0, 4080),
        ),
    ],
)
def test_whatever_bits_are_used_all_grey_levels_are_left(tmp_path, write, value_range):
    data = read_data(folder(tmp_path, lambda path, values, _: write(path, values)))
    assert len(np.unique(data.train["image"])) > 250
    assert data.train["image"].min() == 0 and data.train["image"].max() == 255
    assert value_range is None or data.summary["value_range"] == pytest.approx(value_range)
    assert "16 of 16 pictures have more than 8 bits a channel" in notes(data)
    assert "--value-range" in notes(data)


def pgm(values):
    return b"P5 16 16 4095\n" + values.astype(">u2").tobytes()


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(
    "write",
    [
        png_bytes,
        tiff_bytes,
        lambda values: tiff_bytes(values, order=">"),
        lambda values: tiff_bytes(values, deflated=True),
        lambda values: tiff_bytes(values, order=">", deflated=True),
    ],
)
def test_colour_keeps_its_sixteen_bits(channels, write):
    values = RNG.integers(0, 65536, (7, 9, channels)).astype(np.uint16)
    image = Image.open(io.BytesIO(write(values)))
    assert is_deep(image) and np.array_equal(deep_values(image), values)


def test_transparency_of_sixteen_bits_is_over_white():
    values = np.full((4, 4, 4), 1000, np.uint16)
    values[..., 3] = 65535
    values[0, ..., 3] = 0
    pixels = to_pixels(Image.open(io.BytesIO(png_bytes(values))), 4, 4, 3, (0, 4000))
    assert (pixels[0] == 255).all() and (pixels[1:] == 64).all()


def test_a_negative_is_turned():
    values = np.arange(64, dtype=np.uint16).reshape(8, 8)
    image = Image.open(io.BytesIO(tiff_bytes(values, photometric=0)))
    assert np.array_equal(deep_values(image), 65535 - values)


def test_orientation_counts_for_deep_pictures_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.repeat(np.arange(8, dtype=np.uint16), 8).reshape(8, 8)).save(
        tmp_path / "a.png", exif=exif
    )
    pixels = to_pixels(Image.open(tmp_path / "a.png"), 8, 8, 1, (0, 7))[..., 0]
    assert pixels[0].tolist() == [255, 219, 182, 146, 109, 73, 36, 0]


def test_the_range_is_that_of_the_training_pictures(tmp_path):
    factors = {"train": 16, "test": 8}
    data = read_data(
        folder(
            tmp_path,
            lambda path, values, split: grey(path, values * factors[split]),
            tuple(factors),
        )
    )
    assert data.summary["value_range"] == (0, 4080)
    assert data.train["image"].max() == 255 and data.test["image"].max() == 128


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (lambda p, v: grey(p, v * 16), lambda p, v: grey(p, v), ["train 0:4080; test 0:255"]),
        (
            lambda p, v: grey(p, v * 16),
            lambda p, v: grey(p, v * 257),
            ["train 0:4080; test 0:65535"],
        ),
        (
            lambda p, v: grey(p, v * 16),
            bytes_of,
            ["training pictures have more than 8 bits a channel, pictures of test 8"],
        ),
        (
            bytes_of,
            lambda p, v: grey(p, v * 16),
            ["training pictures have 8 bits a channel, pictures of test more than 8"],
        ),
    ],
)
def test_splits_that_disagree_are_refused_with_the_option_that_decides(
    tmp_path, train, test, words
):
    root = folder(
        tmp_path,
        lambda path, values, split: (train if split == "train" else test)(path, values),
        ("train", "test"),
    )
    message = error_of(root)
    assert all(word in message for word in [*words, str(root), "--value-range"])
    data = read_data(root, DataOptions(value_range=(0, 4080)))
    assert data.train["image"].max() == 255
    assert "0:4080 are black and white, as asked for" in notes(data)


def test_pictures_of_8_bits_stay_as_they_are_beside_deep_ones(tmp_path):
    data = read_data(
        folder(
            tmp_path,
            lambda path, values, _: (grey if path.parent.name == "a" else bytes_of)(path, values),
        )
    )
    assert "8 of 16 pictures have more than 8 bits" in notes(data)
    assert all(part["image"].max() == 255 for part in (data.train, data.test))


def test_what_is_no_number_is_black_and_counted(tmp_path):
    def write(path, values, _):
        tiff(path, np.where(values > 250, np.nan, values).astype(np.float32))

    assert "values of these pictures are no numbers and were made black" in notes(
        read_data(folder(tmp_path, write))
    )


def test_one_picture_with_a_hot_pixel_does_not_darken_the_rest(tmp_path):
    root = folder(tmp_path, lambda path, values, _: grey(path, values * 16))
    hot = RNG.integers(0, 4081, (16, 16))
    hot[3, 3] = 65535
    grey(root / "a" / "3", hot)
    data = read_data(root)
    assert data.summary["value_range"] == (0, 4080) and "of values from 0 to 65535" in notes(data)


@pytest.mark.parametrize(
    "values",
    [
        RNG.random((8, 8)),
        np.zeros((8, 8, 5), np.uint8),
        np.zeros((8, 8, 2), np.uint16),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_kinds_of_tiff_that_are_not_read_are_named(tmp_path, values):
    root = folder(tmp_path, lambda path, _, __: tiff(path, values))
    assert "a/0.tif: a TIFF whose kind of pixels is not read" in error_of(root)


def test_grey_of_sixteen_bits_with_transparency_is_named(tmp_path):
    deep = png_bytes(RNG.integers(0, 65536, (8, 8, 2)))
    root = folder(tmp_path, lambda path, *_: path.with_suffix(".png").write_bytes(deep))
    assert "grey of 16 bits with transparency is not read" in error_of(root)


def test_the_range_counts_in_the_cache(tmp_path):
    root = folder(tmp_path, lambda path, values, _: grey(path, values * 16))
    first, again = read_data(root), read_data(root)
    assert first.summary["value_range"] == again.summary["value_range"] == (0, 4080)
    assert read_data(root, DataOptions(value_range=(0, 8160))).train["image"].max() == 128
