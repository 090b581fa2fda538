"""Reads many pictures in parallel, in order, and keeps a list of those that cannot be read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from allotrope.data.encodings import shown
from allotrope.errors import DataError
from allotrope.inputs.image.pictures import UnreadablePicture

T = TypeVar("T")
FATAL_SHARE = 0.01  # of unreadable files
SECONDS_BETWEEN_LINES = 5.0


@dataclass
class Decoder:
    """The files of a folder, by row; `unreadable` says of a row why it cannot be read.

    Progress is reported every so many `seconds`.
    """

    folder: Path
    files: Sequence[Path]
    workers: int
    report: Callable[[str], None]
    seconds: float = SECONDS_BETWEEN_LINES
    unreadable: dict[int, str] = field(default_factory=dict)

    def each(
        self, read: Callable[[Path], T], rows: Sequence[int], verb: str
    ) -> Iterator[tuple[int, T]]:
        """Row and result of each file that can be read, in order.

        The others go to `unreadable`, and are not tried again.
        """
        rows = [row for row in rows if row not in self.unreadable]
        began = last = time.perf_counter()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="pictures") as pool:
            for done, (row, future) in enumerate(self._few_ahead(pool, read, rows), 1):
                try:
                    yield row, future.result()
                except UnreadablePicture as error:
                    self.unreadable.setdefault(row, error.reason)
                now = time.perf_counter()
                if now - last > self.seconds:
                    last = now
                    self.report(
                        f"{verb} {done:,} of {len(rows):,} pictures ({done / (now - began):,.0f}/s)"
                    )

    def _few_ahead(
        self, pool: ThreadPoolExecutor, read: Callable[[Path], T], rows: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """Submits few rows before their turn: an interruption then waits for few."""
        waiting = iter(rows)
        submitted = deque(
            (row, pool.submit(read, self.files[row])) for row in islice(waiting, 4 * self.workers)
        )
        while submitted:
            yield submitted.popleft()
            submitted.extend(
                (row, pool.submit(read, self.files[row])) for row in islice(waiting, 1)
            )

    def check_unreadable(self) -> None:
        """Raises DataError with the whole list if more than a few cannot be read."""
        count = len(self.unreadable)
        if count > FATAL_SHARE * len(self.files):
            listed = "\n".join(
                f"  {shown(self.files[row], self.folder)}: {why}"
                for row, why in sorted(self.unreadable.items())
            )
            raise DataError(
                f"{self.folder}: {count:,} of {len(self.files):,} pictures cannot be read; at "
                "most 1 % may be left out. "
                f"Repair or remove them:\n{listed}"
            )
