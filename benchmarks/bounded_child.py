"""This benchmark's processes: bounded in memory, watched, with the system's cache kept small."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Child:
    """The benchmark in a process of its own, perhaps with a bound, and the memory that it holds."""

    def __init__(
        self,
        asked: argparse.Namespace,
        what: str,
        limit: int | None,
        held: str = "",
        core: int | None = None,
    ) -> None:
        """`held`: how much data may be held in memory, if not as usual; `core`: its only one."""
        environment = {**os.environ, "ALLOTROPE_CACHE": str(asked.folder / "store")}
        if held:
            environment["ALLOTROPE_DATA_LIMIT"] = held
        options = ["--folder", str(asked.folder), "--framework", asked.framework]
        options += ["--epochs", str(asked.epochs), "--hashed", str(asked.hashed)]
        options += ["--kind", asked.kind]
        self.peak = self.peak_of_all = 0
        self.process = subprocess.Popen(
            [sys.executable, sys.argv[0], "--child", what, *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: confine(limit, core),
        )
        self.watching = threading.Thread(target=self.watch)
        self.watching.start()

    def watch(self) -> None:
        """Look at the memory of the process and of those below it again and again."""
        while self.process.poll() is None:
            sizes = [anonymous_memory(process) for process in family(self.process.pid)]
            self.peak = max([self.peak, *sizes])
            self.peak_of_all = max(self.peak_of_all, sum(sizes))
            time.sleep(0.1)

    def ended(self) -> dict[str, Any]:
        """What it printed last, or its error."""
        out, errors = self.process.communicate()
        self.watching.join()
        peaks = {"peak": self.peak, "peak_of_all": self.peak_of_all}
        if self.process.returncode:
            last = errors.strip().splitlines()[-1:] or [f"exit code {self.process.returncode}"]
            return {"error": last[0], **peaks}
        return {**json.loads(out.strip().splitlines()[-1]), **peaks}


def confine(limit: int | None, core: int | None) -> None:
    """No more private memory, no other core for the process and each that it starts."""
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    if core is not None:
        os.sched_setaffinity(0, {core})


def family(process: int) -> Iterator[int]:
    """A process and all below it."""
    yield process
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def anonymous_memory(process: int) -> int:
    """Bytes of memory that are no file's: those are the system's to take back."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("RssAnon:")]
    return 1024 * sum(sizes)


def empty_cache(store: Path, cached: int, ended: threading.Event) -> None:
    """Empty the system's cache of what lies in the store whenever disks gave so many bytes.

    So it never holds more of it than on a machine that is as small as the bound.
    """
    before = 0
    while not ended.wait(0.1):
        now = sectors_read()
        if now - before > cached:
            before = now
            for path in store.glob("*/rows.npy"):
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sectors_read() -> int:
    """Bytes that all disks have given since the machine was started (proc/diskstats)."""
    lines = Path("/proc/diskstats").read_text().splitlines()
    return 512 * sum(int(line.split()[5]) for line in lines)


@contextmanager
def emptied(store: Path, cached: int) -> Iterator[None]:
    """The system's cache of the store stays small."""
    ended = threading.Event()
    thread = threading.Thread(target=empty_cache, args=(store, cached, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
