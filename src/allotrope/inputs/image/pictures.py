"""Opens pictures of unknown origin and brings each to one size as uint8 pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from allotrope.errors import DataError
from allotrope.inputs.image.decoding import deep_values, is_deep, to_pixels
from allotrope.inputs.image.formats import FORMATS

ANIMATED = ("PNG", "WEBP", "TIFF", "GIF", "AVIF")
"""Formats in which several frames or pages are several pictures; a JPEG's others are previews."""
MOST_PIXELS = (
    89_478_485  # Pillow's own limit against decompression bombs: a quarter of a gigabyte as RGB
)
UNKNOWN_RANGE = (
    "has more than 8 bits a channel, and no such picture was trained on, so that it is not known "
    "which values are black and white; bring it to 8 bits"
)
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")


class UnreadablePicture(DataError):
    """One picture that cannot be read; `reason` says why without naming the file again."""

    def __init__(self, path: Path, reason: str) -> None:
        """Keeps the reason apart, for lists of files."""
        super().__init__(f"{path}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Header:
    """What a picture says of itself before it is decoded: height and width, Pillow's mode, format.

    `grey`: it has no colour. `deep`: it has more than 8 bits a channel. `several`: it holds several
    frames or pages.
    """

    size: tuple[int, int]
    mode: str
    format: str
    grey: bool = False
    deep: bool = False
    several: bool = False


def read_picture(
    path: Path,
    height: int,
    width: int,
    channels: int,
    value_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """The pixels uint8 [height, width, channels] of a picture file, as `to_pixels` gives them.

    `value_range` are the values that are black and white in pictures of more than 8 bits a channel.
    Raises: UnreadablePicture.
    """
    with _opened(path) as image:
        if value_range is None and is_deep(image):
            raise UnreadablePicture(path, UNKNOWN_RANGE)
        return to_pixels(image, height, width, channels, value_range)


def read_values(path: Path) -> np.ndarray:
    """The values of a picture of more than 8 bits a channel: [h, w] or [h, w, 3].

    Raises: UnreadablePicture.
    """
    with _opened(path) as image:
        values = deep_values(image)
        if values.ndim == 3:
            return values[..., :3]
        return values


def read_header(path: Path) -> Header:
    """Size, mode and format of a picture, without decoding it.

    Raises: UnreadablePicture.
    """
    with _opened(path) as image:
        several = image.format in ANIMATED and bool(getattr(image, "is_animated", False))
        if image.format == "MPO":
            kind = "JPEG"
        else:
            kind = str(image.format)
        grey = image.mode in GREY_MODES or (image.mode == "P" and _is_grey_palette(image))
        return Header((image.height, image.width), image.mode, kind, grey, is_deep(image), several)


@contextmanager
def strict_size() -> Iterator[None]:
    """Makes Pillow refuse what is above its pixel limit, and keep quiet on odd files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        if not path.stat().st_size:
            raise UnreadablePicture(path, "the file is empty (0 bytes)")
        with Image.open(path, formats=list(FORMATS)) as image:
            if image.width * image.height > MOST_PIXELS:
                raise UnreadablePicture(
                    path,
                    f"{image.width}x{image.height} pixels; at most {MOST_PIXELS:,} are decoded",
                )
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadablePicture(
            path, f"its header says more than {MOST_PIXELS:,} pixels, the most that is decoded"
        ) from None
    except UnidentifiedImageError:
        raise UnreadablePicture(path, _unidentified(path)) from None
    except DataError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise UnreadablePicture(path, f"cannot be opened: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a broken file
        raise UnreadablePicture(path, f"damaged: {error or type(error).__name__}") from None


def _is_grey_palette(image: Image.Image) -> bool:
    colours = np.array(image.getpalette() or [0, 1, 0]).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def _unidentified(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if start in (b"II*\0", b"MM\0*"):
        return (
            "a TIFF whose kind of pixels is not read; expected 1 (grey), 3 or 4 (colour) "
            "channels of 8 or 16 bits, or one of 32"
        )
    return f"its content is none of {', '.join(FORMATS)}"
