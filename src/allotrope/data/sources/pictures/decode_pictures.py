"""Pictures of unknown origin as pixels of one size: decoded once, in parallel, and cached."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from allotrope.config import DataOptions
from allotrope.data.encodings import shown
from allotrope.data.memory_limit import require_memory
from allotrope.data.sources.pictures.decoder import Decoder
from allotrope.data.sources.pictures.deep_pictures import find_value_range
from allotrope.data.sources.pictures.picture_cache import cache_file, load_cache, store_cache
from allotrope.errors import UsageError
from allotrope.inputs.image.formats import SUFFIXES
from allotrope.inputs.image.pictures import Header, read_header, read_picture, strict_size

Report = Callable[[str], None]
STEP, LARGEST_CHOSEN = 32, 128


def decoded_pictures(
    folder: Path, files: Sequence[Path], parts: Sequence[str], options: DataOptions, report: Report
) -> tuple[np.ndarray, dict[str, Any]]:
    """Pixels and facts as `decode_pictures` gives them, from the cache if they are there."""
    if options.image_size is not None and options.image_size < 1:
        raise UsageError(f"image size {options.image_size}: expected at least 1 pixel.")
    lengths = tuple((split, sum(1 for _ in rows)) for split, rows in groupby(parts))
    asked = options.image_size, options.value_range
    stored = cache_file(folder, files, *asked, lengths, PIL.__version__)
    decoded = load_cache(stored, report)
    if decoded is None:
        decoded = decode_pictures(folder, files, parts, options, report)
        store_cache(stored, *decoded, report)
    return decoded


def decode_pictures(
    folder: Path, files: Sequence[Path], parts: Sequence[str], options: DataOptions, report: Report
) -> tuple[np.ndarray, dict[str, Any]]:
    """Pixels uint8 [readable files, h, w, c], and the facts that go with them into the cache.

    `parts` says of each file to which split it belongs.
    Raises: DataError if too many files cannot be read, if they would not fit in memory, or if the
    values of splits disagree.
    """
    decoder = Decoder(folder, files, options.workers or os.cpu_count() or 1, report)
    with strict_size():
        headers = dict(decoder.each(read_header, range(len(files)), "looked at"))
        if not headers:
            decoder.check_unreadable()
        (height, width), reason = choose_size(list(headers.values()), options.image_size)
        channels = 1 if all(header.grey for header in headers.values()) else 3
        require_memory(
            len(headers) * height * width * channels,
            f"{folder} at {height}x{width}",
            "Choose a smaller --image-size.",
        )
        notes: list[str] = []
        value_range = find_value_range(decoder, headers, parts, options.value_range, notes)
        pixels = np.empty((len(headers), height, width, channels), np.uint8)
        places = {row: place for place, row in enumerate(headers)}
        done = []
        decode = partial(
            read_picture, height=height, width=width, channels=channels, value_range=value_range
        )
        for row, picture in decoder.each(decode, list(headers), "decoded"):
            pixels[places[row]] = picture
            done.append(row)
    decoder.check_unreadable()
    readable = pixels if len(done) == len(pixels) else pixels[[places[row] for row in done]]
    facts = _facts(
        folder, files, {row: headers[row] for row in done}, decoder.unreadable, [reason, *notes]
    )
    return readable, facts | {"value_range": value_range}


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
