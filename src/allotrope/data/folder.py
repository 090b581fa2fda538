"""Reads a folder of pictures in class folders: decoded once, in parallel, and cached."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import PIL

from allotrope.config import DataOptions
from allotrope.data.cache import cache_file, load_cache, store_cache
from allotrope.data.images import ImageSplit, Reading
from allotrope.data.layout import Layout, find_layout
from allotrope.data.memory import require_memory
from allotrope.data.pictures import GREY_MODES, SUFFIXES, Header, UnreadablePicture, read_header, read_picture, strict_size
from allotrope.data.text import shown
from allotrope.errors import DataError, UsageError

Report = Callable[[str], None]
T = TypeVar("T")
FATAL_SHARE = 0.01  # of unreadable files
STEP, LARGEST_CHOSEN = 32, 128
SECONDS_BETWEEN_LINES = 5.0


def read_folder(folder: Path, options: DataOptions, report: Report) -> Reading:
    """The pictures of a folder, all of one size; see `choose_size` for which, and `pictures.to_pixels` for how.

    Raises: DataError where there is nothing to learn from, or where more than 1 % of the files cannot be read.
    """
    if options.image_size is not None and options.image_size < 1:
        raise UsageError(f"image size {options.image_size}: expected at least 1 pixel.")
    layout = find_layout(folder, options.layout)
    files = [path for pictures in layout.splits.values() for path, _ in pictures]
    stored = cache_file(folder, files, options.image_size, PIL.__version__)
    found = load_cache(stored, report)
    if found is None:
        found = decode_pictures(folder, files, options, report)
        store_cache(stored, *found, report)
    return _reading(folder, layout, *found)


def decode_pictures(folder: Path, files: Sequence[Path], options: DataOptions, report: Report) -> tuple[np.ndarray, dict[str, Any]]:
    """Pixels uint8 [readable files, h, w, c], and the facts that go with them into the cache.

    Raises: DataError where too many files cannot be read, or where they would not fit in memory.
    """
    workers = options.workers or os.cpu_count() or 1
    unreadable: dict[int, str] = {}
    with strict_size():
        headers = dict(_readable(read_header, files, range(len(files)), unreadable, workers, "looked at", report))
        if not headers:
            _check_unreadable(folder, files, unreadable)
        (height, width), reason = choose_size(list(headers.values()), options.image_size)
        channels = 1 if all(header.mode in GREY_MODES for header in headers.values()) else 3
        require_memory(len(headers) * height * width * channels, f"{folder} at {height}x{width}", "Choose a smaller --image-size.")
        pixels = np.empty((len(headers), height, width, channels), np.uint8)
        places = {row: place for place, row in enumerate(headers)}
        done = []
        decode = partial(read_picture, height=height, width=width, channels=channels)
        for row, picture in _readable(decode, files, list(headers), unreadable, workers, "decoded", report):
            pixels[places[row]] = picture
            done.append(row)
    _check_unreadable(folder, files, unreadable)
    kept = pixels if len(done) == len(pixels) else pixels[[places[row] for row in done]]
    return kept, _facts(folder, files, {row: headers[row] for row in done}, unreadable, reason)


def choose_size(headers: Sequence[Header], wanted: int | None) -> tuple[tuple[int, int], str]:
    """Height and width for all pictures, and why.

    Without a wish: the pictures' own size where they all share one that is small; else a square whose side is the largest
    multiple of 32 within their median shorter side, from 32 to 128 (a side of 224 takes three times as long to train;
    it can be asked for).
    """
    if wanted is not None:
        return (wanted, wanted), f"pictures are brought to {wanted}x{wanted}, as asked for"
    sizes = {header.size for header in headers}
    if len(sizes) == 1 and max(next(iter(sizes))) <= LARGEST_CHOSEN:
        height, width = next(iter(sizes))
        return (height, width), f"pictures keep their size of {height}x{width}"
    middle = int(np.median([min(header.size) for header in headers]))
    side = min(max(middle // STEP * STEP, STEP), LARGEST_CHOSEN)
    reason = f"pictures are squashed to {side}x{side}, chosen from their median shorter side of {middle} (--image-size changes it)"
    return (side, side), reason


def _readable(
    read: Callable[[Path], T],
    files: Sequence[Path],
    rows: Sequence[int],
    unreadable: dict[int, str],
    workers: int,
    verb: str,
    report: Report,
) -> Iterator[tuple[int, T]]:
    """Row and result of each file that can be read, in order, read in parallel; the others go to `unreadable` with the reason."""
    began = last = time.perf_counter()
    with ThreadPoolExecutor(workers, thread_name_prefix="pictures") as pool:
        for done, (row, future) in enumerate(_few_ahead(pool, lambda row: read(files[row]), rows, 4 * workers), 1):
            try:
                yield row, future.result()
            except UnreadablePicture as error:
                unreadable[row] = error.reason
            now = time.perf_counter()
            if now - last > SECONDS_BETWEEN_LINES:
                last = now
                report(f"{verb} {done:,} of {len(rows):,} pictures ({done / (now - began):,.0f}/s)")


def _few_ahead(pool: ThreadPoolExecutor, read: Callable[[int], T], rows: Sequence[int], ahead: int) -> Iterator[tuple[int, Any]]:
    """Submits at most `ahead` rows before their turn, so that an interruption has little to wait for and results do not pile up."""
    waiting = iter(rows)
    submitted = deque((row, pool.submit(read, row)) for row in islice(waiting, ahead))
    while submitted:
        yield submitted.popleft()
        submitted.extend((row, pool.submit(read, row)) for row in islice(waiting, 1))


def _check_unreadable(folder: Path, files: Sequence[Path], unreadable: dict[int, str]) -> None:
    if len(unreadable) > FATAL_SHARE * len(files):
        listed = "\n".join(f"  {shown(files[row], folder)}: {reason}" for row, reason in sorted(unreadable.items()))
        raise DataError(
            f"{folder}: {len(unreadable):,} of {len(files):,} pictures cannot be read; at most 1 % may be left out. "
            f"Repair or remove them:\n{listed}"
        )


def _facts(folder: Path, files: Sequence[Path], headers: dict[int, Header], unreadable: dict[int, str], reason: str) -> dict[str, Any]:
    renamed = [shown(files[row], folder) for row, header in headers.items() if SUFFIXES[files[row].suffix.lower()] != header.format]
    note = f"{len(renamed):,} files are named for another format than their content, and were read by content: {', '.join(renamed[:5])}"
    return {
        "rows": list(headers),
        "sizes": [[*size, count] for size, count in Counter(header.size for header in headers.values()).items()],
        "modes": dict(Counter(header.mode for header in headers.values())),
        "unreadable": [{"file": shown(files[row], folder), "reason": why} for row, why in sorted(unreadable.items())],
        "notes": [reason] + ([note] if renamed else []),
    }


def _reading(folder: Path, layout: Layout, pixels: np.ndarray, facts: dict[str, Any]) -> Reading:
    numbers = {name: number for number, name in enumerate(layout.classes)}
    listed = [(split, path, name) for split, pictures in layout.splits.items() for path, name in pictures]
    kept = [listed[row] for row in facts["rows"]]
    labels = np.array([numbers[name] for _, _, name in kept], np.int64)
    names = [shown(path, folder) for _, path, _ in kept]
    splits = {}
    for split in layout.splits:
        rows = [row for row, (of, _, _) in enumerate(kept) if of == split]
        part = pixels[rows[0] : rows[-1] + 1] if rows else pixels[:0]  # rows of a split follow each other
        splits[split] = ImageSplit(part, labels[rows], tuple(names[row] for row in rows))
    return Reading(
        name=folder.resolve().name,
        classes=layout.classes,
        splits=splits,
        sizes={(height, width): count for height, width, count in facts["sizes"]},
        modes=facts["modes"],
        notes=layout.notes + facts["notes"],
        unreadable=facts["unreadable"],
    )
