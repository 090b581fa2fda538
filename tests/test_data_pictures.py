"""One picture of every odd kind: what its pixels become, and how a bad one is refused."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from allotrope.data import read_data
from allotrope.inputs.image.decoding import to_pixels
from allotrope.inputs.image.pictures import (
    MOST_PIXELS,
    UnreadablePicture,
    read_header,
    read_picture,
    strict_size,
)

RED, BLUE, WHITE = [255, 0, 0], [0, 0, 255], [255, 255, 255]


def left_red_right_blue(size=(8, 8)):
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[:, : size[0] // 2] = RED
    pixels[:, size[0] // 2 :] = BLUE
    return Image.fromarray(pixels)


def read(path, channels=3, size=8, value_range=None):
    with strict_size():
        return read_picture(path, size, size, channels, value_range)


def huge_png(path, width, height):
    """A PNG whose header promises far more than the file holds."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp"])
def test_formats_without_loss_keep_their_pixels(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    left_red_right_blue().save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(read(path), np.asarray(left_red_right_blue()))


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_jpeg_modes(tmp_path, mode):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (20, 20), (200, 40, 40)).convert(mode).save(path, quality=95)
    expected = [200, 40, 40] if mode != "L" else [88] * 3
    assert read_header(path).mode == mode
    assert np.abs(read(path).astype(int) - expected).max() <= 6


def test_palette_with_and_without_transparency(tmp_path):
    path = tmp_path / "a.png"
    palette = left_red_right_blue().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    palette.save(path)
    assert np.array_equal(read(path), np.asarray(left_red_right_blue()))
    clear = palette.getpixel((0, 0))
    palette.save(path, transparency=bytes(0 if index == clear else 255 for index in range(2)))
    assert read(path)[0, 0].tolist() == WHITE and read(path)[0, 7].tolist() == BLUE


def test_transparency_is_over_white(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path)
    assert (read(path) == 255).all() and (read(path, channels=1) == 255).all()
    Image.new("LA", (8, 8), (0, 128)).save(path)
    assert np.abs(read(path, channels=1).astype(int) - 127).max() <= 1


def test_sixteen_bits_become_eight(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((8, 8), 200 * 257, np.uint16)).save(path)
    assert read_header(path).mode.startswith("I") and read_header(path).deep
    whole = (0.0, 65535.0)
    assert (read(path, channels=1, value_range=whole) == 200).all()
    assert (read(path, value_range=whole) == 200).all()
    with pytest.raises(UnreadablePicture, match="more than 8 bits a channel"):
        read(path)


def test_pictures_that_show_nothing_are_said(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "cache"))
    for number in range(24):
        path = tmp_path / "data" / "train" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        left_red_right_blue().resize((8 + number, 8)).save(path)
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path)
    notes = read_data(tmp_path / "data").summary["notes"]
    assert sum("is of a single value: train/b/23.png" in note for note in notes) == 1


def test_one_bit(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (8, 8), 1).save(path)
    assert (read(path, channels=1) == 255).all()


def test_exif_rotation_is_undone(tmp_path):
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn by 90 degrees clockwise
    left_red_right_blue((64, 64)).save(path, exif=exif, quality=95)
    pixels = read(path).astype(int)
    assert np.abs(pixels[0] - RED).max() < 30 and np.abs(pixels[7] - BLUE).max() < 30


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for suffix, options in (("webp", {"lossless": True}), ("png", {})):
        path = tmp_path / f"a.{suffix}"
        frames[0].save(path, save_all=True, append_images=frames[1:], **options)
        assert (read(path) == RED).all()


def test_the_whole_picture_is_resized_without_cropping():
    wide = left_red_right_blue((40, 10))
    pixels = to_pixels(wide, 4, 4, 3, None)
    assert pixels.shape == (4, 4, 3)
    assert pixels[0, 0].tolist() == RED
    assert pixels[0, 3].tolist() == BLUE


def test_a_large_jpeg_decoded_at_a_fraction_looks_the_same(tmp_path):
    path = tmp_path / "a.jpg"
    ramp = np.add.outer(np.arange(512), np.arange(512)).astype(np.float32) / 4
    Image.fromarray(np.stack([ramp] * 3, -1).astype(np.uint8)).save(path, quality=95)
    exact = np.asarray(Image.open(path).resize((32, 32), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(read(path, size=32) - exact).max() <= 3


def test_content_decides_and_not_the_name(tmp_path):
    path = tmp_path / "a.jpg"
    left_red_right_blue().save(path, format="PNG")
    assert read_header(path).format == "PNG" and read(path)[0, 0].tolist() == RED


@pytest.mark.parametrize(
    ("size", "reason"), [((30000, 30000), "pixels"), ((9000, 10000), f"{MOST_PIXELS:,}")]
)
def test_too_many_pixels_are_refused_by_the_header(tmp_path, size, reason):
    path = tmp_path / "a.png"
    huge_png(path, *size)
    with pytest.raises(UnreadablePicture, match=reason) as caught:
        read(path)
    assert str(caught.value).startswith(str(path)) and f"{MOST_PIXELS:,}" in caught.value.reason


def png_bytes():
    import io

    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)).save(
        stream, "PNG"
    )
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"hello", "none of JPEG, PNG, BMP, WEBP"),
        (b"GIF89a" + b"\0" * 100, "none of JPEG"),
        (png_bytes()[:1000], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, ""),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, ""),
        (b"RIFF\x20\0\0\0WEBPVP8 " + b"\0" * 20, ""),
        (b"BM" + b"\xff" * 60, ""),
    ],
)
def test_broken_pictures_are_refused_with_a_reason(tmp_path, content, reason):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(UnreadablePicture) as caught:
        read(path)
    assert reason in caught.value.reason and caught.value.reason


def test_a_missing_picture(tmp_path):
    with pytest.raises(UnreadablePicture, match="cannot be opened"):
        read(tmp_path / "none.png")
