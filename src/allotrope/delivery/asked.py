"""Examples that a command's arguments name, and pictures among them.

A delivered predict.py carries this text.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from allotrope.inputs.image.decoding import to_pixels
from allotrope.inputs.image.formats import FORMATS, SUFFIXES

MOST_PIXELS = 89_478_485
"""Pillow's own limit against decompression bombs: a quarter of a gigabyte as RGB."""


class ArgumentError(Exception):
    """An argument that cannot be read as a whole."""


class Unreadable(Exception):
    """A part of one example that cannot be read; its text is the reason."""


@dataclass
class Example:
    """One example: where it is from, raw inputs by name, or the `reason` why there are none."""

    origin: dict[str, Any]
    inputs: dict[str, np.ndarray] = field(default_factory=dict)
    reason: str = ""


def needed(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns of a table that has all inputs."""
    return [name for each in inputs for name in each.get("columns", [each["name"]])]


def listed(names: Iterable[str]) -> str:
    """Names, each in quotes."""
    return ", ".join(f"'{name}'" for name in names)


def sorted_pictures(folder: Path) -> list[Path]:
    """Every picture below, but for hidden ones and those in folders of runs."""
    pictures = []
    for parent, folders, files in os.walk(folder):
        here = Path(parent)
        if here != folder and (here / "run.json").is_file():
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        pictures += [
            here / name
            for name in sorted(files)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    return pictures


def read_picture(path: Path, facts: Mapping[str, Any]) -> np.ndarray:
    """Pixels uint8 [h, w, c] as an input of these `facts` takes them. Raises: Unreadable."""
    # Only here: without pictures, Pillow need not be there.
    from PIL import Image, UnidentifiedImageError

    if not path.is_file():
        raise Unreadable("no such file")
    if not path.stat().st_size:
        raise Unreadable("the file is empty (0 bytes)")
    size = facts["height"], facts["width"], facts["channels"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=list(FORMATS)) as image:
                if image.width * image.height > MOST_PIXELS:
                    at_most = f"at most {MOST_PIXELS:,} are decoded"
                    raise Unreadable(f"{image.width}x{image.height} pixels; {at_most}")
                return np.ascontiguousarray(to_pixels(image, *size, facts.get("value_range")))
    except UnidentifiedImageError:
        raise Unreadable(f"its content is none of {', '.join(FORMATS)}") from None
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a broken file
        raise Unreadable(str(error) or type(error).__name__) from None


def inside(folder: Path, name: str) -> Path:
    """The file of this name in the folder or below. Raises: Unreadable for any other."""
    name = name.strip()
    if "/" not in name:
        name = name.replace("\\", "/")
    if not name or "\0" in name:
        raise Unreadable("no file is named")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name):
        raise Unreadable("a web address; nothing is downloaded")
    outside = Unreadable("lies outside of the table's folder, where nothing is read")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise outside
    real, home = os.path.realpath(folder / name), os.path.realpath(folder)
    if os.path.commonpath([real, home]) != home:
        raise outside
    return folder / name
