"""The run folder: made anew, held by one process, written so that a crash loses nothing."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from allotrope.errors import RunFolderError
from allotrope.run_record import READABLE, SCHEMA, Entry, RunRecord, current
from allotrope.run_words import written
from allotrope.storage import replace_file, writing

RECORD = "run.json"
HISTORY = "history.csv"
LARGEST_RECORD = 256_000_000
"""Bytes; a larger file of that name, found among somebody's data, is not looked into."""
_LOCK = "lock"


class Run:
    """One run folder, locked from `create` or `resume` until `close`.

    `json` is what run.json holds.
    """

    def __init__(self, folder: Path, lock: io.TextIOWrapper, record: dict[str, Any]) -> None:
        self.folder = folder
        self.json = record
        self._lock = lock

    @classmethod
    def create(cls, name: str, parent: str | Path = "runs") -> Run:
        """A new folder `parent/<name>-<n>`, the first number that is free, with a new run.json.

        Raises: RunFolderError where no folder can be made or written.
        """
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
        with writing(Path(parent)):
            folder = _new_folder(Path(parent), stem)
        with writing(folder):
            run = cls(
                folder,
                _locked(folder),
                {"schema": SCHEMA, "status": "running", "run": str(folder), "created": _now()},
            )
        run.save()
        return run

    @classmethod
    def resume(cls, folder: str | Path) -> Run:
        """The run in `folder`, to go on with.

        Raises: RunFolderError where the folder is no run or another process uses it.
        """
        folder = Path(folder)
        record = read_record(folder)
        with writing(folder):
            return cls(folder, _locked(folder), record)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets other processes use the folder."""
        self._lock.close()

    def save(self, **facts: Any) -> None:
        """Adds the facts to run.json, which at any moment holds all of the old or of the new.

        Raises: RunFolderError where it cannot be written; the file is then as it was.
        """
        self.json.update(plain(facts))
        text = json.dumps(self.json, indent=1, allow_nan=False)
        replace_file(self.folder / RECORD, text.encode())

    def enter(self, entry: Entry) -> None:
        """Adds an entry to run.json. Raises: RunFolderError where it cannot be written."""
        self.save(**entry.facts())

    @property
    def record(self) -> RunRecord:
        """What run.json holds, by entries."""
        return RunRecord.of(self.json)

    def history(self) -> list[dict[str, str]]:
        """The rows of history.csv as they stand there; none where there is no such file."""
        path = self.folder / HISTORY
        if not path.is_file():
            return []
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def save_history(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes history.csv, a row an evaluation; columns that a row lacks stay empty.

        Raises: RunFolderError where it cannot be written; the file is then as it was.
        """
        rows = written(rows, self.json.get("data", {}))
        columns = list(dict.fromkeys(column for row in rows for column in row))
        text = io.StringIO()
        table = csv.DictWriter(text, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        replace_file(self.folder / HISTORY, text.getvalue().encode())


def read_record(folder: str | Path) -> dict[str, Any]:
    """What the run.json in `folder` holds, as this version would have written it.

    Raises: RunFolderError where there is none, or it is not one that this version reads.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        raise RunFolderError(
            f"'{folder}' is no run folder: it has no {RECORD}. Name one that `allotrope fit` "
            "made, such as runs/digits-1."
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{path}: cannot be read: {error}. Name another run, or fit again."
        ) from error
    if isinstance(record, dict):
        schema = record.get("schema")
    else:
        schema = type(record).__name__
    if schema not in READABLE:
        readable = " or ".join(map(str, READABLE))
        raise RunFolderError(
            f"{path}: found schema {schema}, expected {readable}. It is from another version of "
            "Allotrope: fit again."
        )
    return current(record)


def is_run_folder(folder: Path) -> bool:
    """Whether a folder is a run's: by its run.json, or the lock and one that cannot be read."""
    path = folder / RECORD
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_RECORD:
            return False
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return (folder / _LOCK).is_file()
    return isinstance(record, dict) and {"schema", "status"} <= record.keys()


def _new_folder(parent: Path, stem: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = parent / f"{stem}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _locked(folder: Path) -> io.TextIOWrapper:
    """The lock file, held by this process.

    The system lets go of it when the process ends, however it ends.
    """
    # Held until the run is closed.
    file = open(folder / _LOCK, "a+", encoding="utf-8")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        remedy = "Wait until it ends, or leave out --resume to start a new run"
        raise RunFolderError(f"run folder '{folder}' is in use by {holder}. {remedy}.") from None
    file.truncate(0)
    file.write(f"process {os.getpid()}\n")
    file.flush()
    return file


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain(value: Any) -> Any:
    """The value as JSON can hold it: dataclasses as objects, arrays as lists, paths as text.

    Raises: TypeError for anything else.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None
    if value is None or isinstance(value, (str, int)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
