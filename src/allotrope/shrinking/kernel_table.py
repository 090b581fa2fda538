"""What parts of networks took on this machine, in a small file that later runs read again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from allotrope.errors import RunFolderError
from allotrope.storage import replace_file
from allotrope.wording import counted

FILE = "kernel-times-{}.json"


class KernelTable:
    """Seconds by the signature of a part, for one machine, runtime and way to run it.

    What cannot be read, or is no such table, counts as empty: it is measured again.
    """

    def __init__(self, folder: Path | None, facts: Mapping[str, str]) -> None:
        """`facts` are what times depend on beside the part; without a folder nothing is written."""
        self.facts = dict(facts)
        self.path = None
        if folder is not None:
            key = hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()[:12]
            self.path = folder / FILE.format(key)
        self.seconds = self._read()

    def add(self, seconds: Mapping[str, float]) -> None:
        """Enters new times, and writes the file; what others wrote meanwhile stays in it."""
        self.seconds = {**self._read(), **self.seconds, **seconds}
        if self.path is None:
            return
        content = json.dumps({"facts": self.facts, "seconds": self.seconds}, indent=1)
        # A full disk costs the time to measure again, and nothing else.
        with contextlib.suppress(RunFolderError, OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.path, content.encode())

    def _read(self) -> dict[str, float]:
        if self.path is None:
            return {}
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            if stored["facts"] != self.facts:
                return {}
            return {name: float(x) for name, x in stored["seconds"].items() if _is_time(x)}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}


def kernel_tables(folder: Path) -> list[Path]:
    """The files of all tables in the folder."""
    return sorted(folder.glob(FILE.format("*")))


def title_of_table(file: Path) -> str:
    """What a table holds, in words; its name if it cannot be read."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        facts, count = stored["facts"], len(stored["seconds"])
        how = f"{facts['runtime']} {facts['version']} {facts['precision']}"
        return f"times of {counted(count, 'kernel')} in {how}, threads: {facts['threads']}"
    except (OSError, ValueError, TypeError, KeyError):
        return file.name


def _is_time(x: object) -> bool:
    return isinstance(x, float) and math.isfinite(x) and x > 0
