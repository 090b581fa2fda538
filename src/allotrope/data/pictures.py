"""Opens pictures of unknown origin and brings each to one size as uint8 pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from allotrope.errors import DataError

FORMATS = {"JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"), "PNG": (".png",), "BMP": (".bmp", ".dib"), "WEBP": (".webp",)}
SUFFIXES = {suffix: name for name, suffixes in FORMATS.items() for suffix in suffixes}
MOST_PIXELS = 89_478_485  # Pillow's own limit against decompression bombs: a quarter of a gigabyte as RGB
GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")


class UnreadablePicture(DataError):
    """One picture that cannot be read; `reason` says why without naming the file again."""

    def __init__(self, path: Path, reason: str) -> None:
        """Keeps the reason apart, for lists of files."""
        super().__init__(f"{path}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Header:
    """What a picture says of itself before it is decoded: height and width, Pillow's mode, and its format by content."""

    size: tuple[int, int]
    mode: str
    format: str


def to_pixels(image: Image.Image, height: int, width: int, channels: int) -> np.ndarray:
    """Pixels uint8 [height, width, channels] of an opened picture; the delivered predict.py does literally the same.

    Turned upright by its EXIF orientation, its first frame, transparency over white, 16 bits brought to 8, then resized to
    the whole size without regard to proportions: nothing at the border is lost, and every network sees the whole object.
    """
    image.draft(None, (2 * width, 2 * height))  # lets a large JPEG be decoded at half, a quarter or an eighth of its size
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
    image = image.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(height, width, channels)


def read_picture(path: Path, height: int, width: int, channels: int) -> np.ndarray:
    """The pixels uint8 [height, width, channels] of a picture file, as `to_pixels` gives them.

    Raises: UnreadablePicture.
    """
    with _opened(path) as image:
        return to_pixels(image, height, width, channels)


def read_header(path: Path) -> Header:
    """Size, mode and format of a picture, without decoding it.

    Raises: UnreadablePicture.
    """
    with _opened(path) as image:
        return Header((image.height, image.width), image.mode, "JPEG" if image.format == "MPO" else str(image.format))


@contextmanager
def strict_size() -> Iterator[None]:
    """Makes Pillow refuse what is above its pixel limit, where it would only warn, and keeps its remarks on odd files quiet."""
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
                raise UnreadablePicture(path, f"{image.width}x{image.height} pixels; at most {MOST_PIXELS:,} are decoded")
            yield image
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise UnreadablePicture(path, f"its header says more than {MOST_PIXELS:,} pixels, the most that is decoded") from None
    except UnidentifiedImageError:
        raise UnreadablePicture(path, f"its content is none of {', '.join(FORMATS)}") from None
    except DataError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise UnreadablePicture(path, f"cannot be opened: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a broken file
        raise UnreadablePicture(path, f"damaged: {error or type(error).__name__}") from None
