"""Checkpoints that survive a kill: a temporary name, synced, renamed, the folder synced.

Read back only if their checksum holds.

A checkpoint is one safetensors file: the arrays, and in its header a JSON record and a checksum of
the arrays.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import TrainingError
from allotrope.storage import replace_file, sync_folder, writing

Arrays = dict[str, np.ndarray]
LAST, PREVIOUS, BEST = "last.safetensors", "previous.safetensors", "best.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """What was saved: `arrays` by name and a `record` of plain JSON values."""

    arrays: Arrays
    record: dict[str, Any]


class Checkpoints:
    """A run's checkpoints: `last` to resume, the `previous` one as its spare, `best` to deliver."""

    def __init__(self, folder: Path) -> None:
        """Raises: RunFolderError if the folder cannot be made."""
        self.folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def save_last(self, checkpoint: Checkpoint) -> None:
        """Write what a resumed training starts from; the one before it is kept.

        Raises: RunFolderError.
        """
        last, previous = self.folder / LAST, self.folder / PREVIOUS
        newest = self.folder / f"{LAST}.new"
        replace_file(newest, _bytes(checkpoint))
        with writing(last):
            if last.exists():
                last.replace(previous)
            newest.replace(last)
            sync_folder(self.folder)

    def save_best(self, checkpoint: Checkpoint) -> None:
        """Write the best weights so far. Raises: RunFolderError."""
        replace_file(self.folder / BEST, _bytes(checkpoint))

    def last(self, report: Callable[[str], None]) -> Checkpoint | None:
        """The newest sound checkpoint, or None if none was ever written.

        A damaged one is reported and the one before it used.

        Raises: TrainingError if there are checkpoints and all are damaged.
        """
        damaged: list[str] = []
        for name in (LAST, PREVIOUS):
            try:
                checkpoint = read(self.folder / name)
            except FileNotFoundError:
                continue
            except TrainingError as error:
                damaged.append(str(error))
                continue
            for problem in damaged:
                report(f"{problem} Going on from the checkpoint before it, {self.folder / name}.")
            return checkpoint
        if damaged:
            raise TrainingError(
                f"{' '.join(damaged)} No sound checkpoint is left to resume from; start again in "
                "a new run folder."
            )
        return None

    def best(self, report: Callable[[str], None]) -> Checkpoint | None:
        """The best weights so far; None, with a report if they are damaged, if there are none."""
        try:
            return read(self.folder / BEST)
        except FileNotFoundError:
            return None
        except TrainingError as error:
            report(
                f"{error} The best weights so far are lost; the search for the best begins anew."
            )
            return None


def resumable(folder: Path) -> bool:
    """Whether a training wrote checkpoints there.

    A kill between two renames may have left only the previous one.
    """
    return any((folder / name).exists() for name in (LAST, PREVIOUS))


def read(path: Path) -> Checkpoint:
    """A checkpoint from its file.

    Raises: FileNotFoundError; TrainingError, naming the file, if it is damaged or not a checkpoint.
    """
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        raise FileNotFoundError(path)
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            names = file.keys()  # it is no mapping, so this is the only way to its names
            arrays = {name: file.get_tensor(name) for name in names}
        record, expected = json.loads(header["record"]), header["checksum"]
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise TrainingError(
            f"the checkpoint {path} cannot be read ({error}): it is damaged or not a checkpoint "
            "of Allotrope."
        ) from error
    if _checksum(arrays) != expected:
        raise TrainingError(
            f"the checkpoint {path} is damaged: the checksum of its arrays is not the one in its "
            "header."
        )
    return Checkpoint(arrays, record)


def _bytes(checkpoint: Checkpoint) -> bytes:
    from safetensors.numpy import save

    arrays = {
        name: np.ascontiguousarray(array).reshape(array.shape)
        for name, array in checkpoint.arrays.items()
    }
    return save(arrays, {"record": json.dumps(checkpoint.record), "checksum": _checksum(arrays)})


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    total = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        total = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), total)
        total = zlib.crc32(array.tobytes(), total)
    return f"{total:08x}"
