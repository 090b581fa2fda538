"""Opened pictures as pixels, with nothing but NumPy and Pillow: predict.py holds this very file."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps

PHOTOMETRIC = 262
"""The TIFF tag that says what values mean; 0 if zero is white."""
ORIENTATION = 0x0112
"""The EXIF tag that says how the camera was held."""


def to_pixels(
    image: Image.Image,
    height: int,
    width: int,
    channels: int,
    value_range: tuple[float, float] | None,
) -> np.ndarray:
    """Pixels uint8 [height, width, channels] of an opened picture.

    Turned upright by its EXIF orientation, its first frame, transparency over white, then resized
    to the whole size without regard to proportions: nothing at the border is lost, and every
    network sees the whole object. `value_range` are the values that are black and white in pictures
    deeper than 8 bits.
    Raises: ValueError for such a picture if there is none.
    """
    if is_deep(image):
        image = eight_bits(image, value_range)
    else:
        image.draft(
            None, (2 * width, 2 * height)
        )  # a large JPEG is decoded at half, a quarter or an eighth of its size
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("L" if channels == 1 else "RGB").resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(image).reshape(height, width, channels)


def is_deep(image: Image.Image) -> bool:
    """Whether an opened picture has more than 8 bits a channel."""
    return image.mode.startswith(("I", "F")) or bool(_deep_mode(image))


def eight_bits(image: Image.Image, value_range: tuple[float, float] | None) -> Image.Image:
    """A deep picture with `value_range` stretched to 0..255; what is no number becomes black."""
    if value_range is None:
        raise ValueError(
            "has more than 8 bits a channel, and no such picture was trained on, so that it is "
            "not known which values are black and white; bring it to 8 bits"
        )
    values = deep_values(image)  # before anything else, as it needs the open file
    orientation = image.getexif().get(ORIENTATION, 1)
    low, high = value_range
    exact = np.dtype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    stretched = (values.astype(exact) - low) * (255 / (high - low))
    pixels = np.rint(np.clip(np.nan_to_num(stretched, nan=0.0), 0, 255)).astype(np.uint8)
    if values.ndim == 3 and values.shape[2] == 4:
        pixels[..., 3] = values[..., 3] >> 8  # transparency has its own range
    ready = Image.fromarray(pixels)
    ready.getexif()[ORIENTATION] = orientation
    return ready


def deep_values(image: Image.Image) -> np.ndarray:
    """The values of a deep picture as they are in the file: [h, w], or int32 [h, w, c] in colour.

    Pillow keeps the upper eight bits of colour. It gives the lower ones if it is told that the
    bytes of each number are the other way around, so a colour picture is decoded twice.
    Raises: ValueError for grey with transparency.
    """
    mode = _deep_mode(image)
    if not mode:
        values = np.asarray(image)
        if _white_is_zero(image):
            values = (
                65535.0 - values
            )  # where the range begins does not matter: it is told from the values
        return values
    if mode.startswith("LA"):
        raise ValueError(
            "grey of 16 bits with transparency is not read; save it without transparency"
        )
    assert isinstance(image, ImageFile.ImageFile) and image.format is not None
    file = image.fp
    assert file is not None
    place = file.tell()
    file.seek(0)
    lower = Image.open(io.BytesIO(file.read()), formats=[image.format])
    file.seek(place)
    native = "L"
    if sys.byteorder == "little":
        native = "B"
    turned = mode[:-1] + {"L": "B", "B": "L", "N": native}[mode[-1]]
    lower.tile = [_with_mode(tile, turned) for tile in lower.tile]
    return np.asarray(image).astype(np.int32) * 256 + np.asarray(lower)


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF says that it is a negative, which Pillow minds for 8 bits only."""
    return getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == 0


def _deep_mode(image: Image.Image) -> str:
    """How 16-bit colour lies in the file, such as RGB;16B; empty for any other picture."""
    tiles = getattr(image, "tile", None)
    if not tiles:
        return ""
    args = tiles[0][3]
    if isinstance(args, str):
        mode = args
    else:
        mode = str(args[0] if args else "")
    if mode.startswith(("RGB;16", "RGBA;16", "LA;16")):
        return mode
    return ""


def _with_mode(tile: Any, mode: str) -> Any:
    codec, extents, offset, args = tile
    return type(tile)(codec, extents, offset, mode if isinstance(args, str) else (mode, *args[1:]))
