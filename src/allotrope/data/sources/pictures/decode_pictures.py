"""Pictures of unknown origin as pixels of one size: looked at, then decoded in parallel."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable, shown
from allotrope.data.sources.pictures.decoder import Decoder
from allotrope.data.sources.pictures.deep_pictures import find_value_range
from allotrope.inputs.image.formats import SUFFIXES
from allotrope.inputs.image.pictures import Header, read_header, read_picture, strict_size
from allotrope.wording import counted

Report = Callable[[str], None]
STEP, LARGEST_CHOSEN = 32, 128


@dataclass
class Pictures:
    """Picture files of which the headers were read, and what becomes of each: uint8 `shape`.

    `shape` is [h, w, c]. `done` are the rows that were decoded, as far as `decoded` came.
    """

    decoder: Decoder
    headers: Mapping[int, Header]
    shape: tuple[int, int, int]
    value_range: tuple[float, float] | None
    notes: list[str]
    done: list[int] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """What all of them take, decoded."""
        return len(self.headers) * int(np.prod(self.shape))

    def decoded(self) -> Iterator[np.ndarray]:
        """The pixels [h, w, c] of each picture that can be read, in order.

        Raises: DataError at the end, if too many cannot be read.
        """
        height, width, channels = self.shape
        decode = partial(
            read_picture,
            height=height,
            width=width,
            channels=channels,
            value_range=self.value_range,
        )
        self.done.clear()
        with strict_size():
            for row, picture in self.decoder.each(decode, list(self.headers), "decoded"):
                yield picture
                self.done.append(row)
        self.decoder.check_unreadable()

    def in_memory(self) -> np.ndarray:
        """The pixels uint8 [readable files, h, w, c]. Raises: DataError as `decoded`."""
        pixels = np.empty((len(self.headers), *self.shape), np.uint8)
        count = 0
        for picture in self.decoded():
            pixels[count] = picture
            count += 1
        return pixels[:count]

    def facts(self) -> dict[str, Any]:
        """What goes with the pixels, when they are decoded."""
        headers = {row: self.headers[row] for row in self.done}
        folder, files = self.decoder.folder, self.decoder.files
        facts = _facts(folder, files, headers, self.decoder.unreadable, self.notes)
        height, width, _ = self.shape
        title = f"{folder.resolve()}: {counted(len(headers), 'picture')} of {height}x{width}"
        return facts | {"value_range": self.value_range, "title": printable(title)}


def look_at_pictures(
    folder: Path, files: Sequence[Path], parts: Sequence[str], options: DataOptions, report: Report
) -> Pictures:
    """The pictures before any is decoded: of what size they will be, and which values are white.

    `parts` says of each file to which split it belongs.
    Raises: DataError if too many files cannot be read, or if the values of splits disagree.
    """
    decoder = Decoder(folder, files, options.workers or os.cpu_count() or 1, report)
    with strict_size():
        headers = dict(decoder.each(read_header, range(len(files)), "looked at"))
        if not headers:
            decoder.check_unreadable()
        (height, width), reason = choose_size(list(headers.values()), options.image_size)
        channels = 1 if all(header.grey for header in headers.values()) else 3
        notes = [reason]
        value_range = find_value_range(decoder, headers, parts, options.value_range, notes)
    return Pictures(decoder, headers, (height, width, channels), value_range, notes)


def choose_size(headers: Sequence[Header], wanted: int | None) -> tuple[tuple[int, int], str]:
    """Height and width for all pictures, and why.

    Without a wish: the pictures' own size where they all share one that is small; else a square
    whose side is the largest multiple of 32 within their median shorter side, from 32 to 128 (a
    side of 224 takes three times as long to train; it can be asked for).
    """
    if wanted is not None:
        return (wanted, wanted), f"pictures are brought to {wanted}x{wanted}, as asked for"
    sizes = {header.size for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_CHOSEN:
        height, width = next(iter(sizes))
        return (height, width), f"pictures keep their size of {height}x{width}"
    middle = int(np.median([min(header.size) for header in headers]))
    side = min(max(middle // STEP * STEP, STEP), LARGEST_CHOSEN)
    reason = (
        f"pictures are squashed to {side}x{side}, chosen from their median shorter side of "
        f"{middle} (--image-size changes it)"
    )
    return (side, side), reason


def _facts(
    folder: Path,
    files: Sequence[Path],
    headers: dict[int, Header],
    unreadable: dict[int, str],
    notes: list[str],
) -> dict[str, Any]:
    renamed = [
        shown(files[row], folder)
        for row, header in headers.items()
        if SUFFIXES[files[row].suffix.lower()] != header.format
    ]
    several = [shown(files[row], folder) for row, header in headers.items() if header.several]
    named = "files are named for another format than their content, and were read by content"
    framed = "files hold several frames or pages, of which the first was read"
    return {
        "rows": list(headers),
        "sizes": [
            [*size, count]
            for size, count in Counter(header.size for header in headers.values()).items()
        ],
        "modes": dict(Counter(header.mode for header in headers.values())),
        "unreadable": [
            {"file": shown(files[row], folder), "reason": why}
            for row, why in sorted(unreadable.items())
        ],
        "notes": notes + _counted(renamed, named) + _counted(several, framed),
    }


def _counted(files: list[str], what: str) -> list[str]:
    return [f"{len(files):,} {what}: {', '.join(files[:5])}"] if files else []
