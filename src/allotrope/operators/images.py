"""Image files, decoded on the host by Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from allotrope.errors import DataError, UnsupportedError
from allotrope.operators.operator_table import operator

_FORMATS = ("JPEG", "JPEG2000", "PNG", "BMP", "TIFF", "WEBP", "PPM")
_MODES = {"RGB": "RGB", "BGR": "RGB", "Grayscale": "L"}


@operator("ImageDecoder", host=("*",))
def image_decoder(p: Any, encoded: np.ndarray, *, pixel_format: str = "RGB") -> np.ndarray:
    """The bytes of an image file as pixels, uint8 [h, w, channels]."""
    from PIL import Image

    if pixel_format not in _MODES:
        raise UnsupportedError(
            f"pixel_format '{pixel_format}' is not supported; {', '.join(_MODES)} are."
        )
    try:
        with Image.open(io.BytesIO(encoded.tobytes()), formats=_FORMATS) as image:
            pixels = np.asarray(image.convert(_MODES[pixel_format]))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{encoded.size} bytes are no image that can be decoded "
            f"({', '.join(_FORMATS)}): {error}"
        ) from error
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixel_format == "BGR":
        return pixels[:, :, ::-1]
    return pixels
