"""Reads what a run left in its folder: run.json, history.csv and pictures."""

from __future__ import annotations

import base64
import csv
import json
from dataclasses import dataclass
from pathlib import Path

from allotrope.errors import RunFolderError
from allotrope.report.record import Record, finite

PICTURE_BYTES = 2_000_000
SIGNATURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True)
class RunFolder:
    """A run folder as the report sees it: `record` is run.json, `history` has numbers by epoch."""

    folder: Path
    record: Record
    history: list[dict[str, float]]

    def picture(self, name: str) -> str:
        """The picture `name` of this folder as a data URL.

        Empty where it is missing, outside the folder, too large or no PNG or JPEG.
        """
        if name and "\0" not in name:
            path = (self.folder / name).resolve()
        else:
            path = self.folder
        if (
            not path.is_relative_to(self.folder.resolve())
            or not path.is_file()
            or path.stat().st_size > PICTURE_BYTES
        ):
            return ""
        content = path.read_bytes()
        kind = next(
            (kind for signature, kind in SIGNATURES.items() if content.startswith(signature)), ""
        )
        if kind:
            return f"data:{kind};base64,{base64.b64encode(content).decode()}"
        return ""


def read_run(folder: Path) -> RunFolder:
    """Read the run folder `folder`.

    Raises: RunFolderError where run.json is missing or is not a JSON object. Nothing else is
    required.
    """
    return RunFolder(folder, _read_json(folder / "run.json"), _read_history(folder / "history.csv"))


def _read_json(path: Path) -> Record:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunFolderError(
            f"'{path.parent}' is no run folder: it has no run.json. "
            "Give the folder that `allotrope fit` made."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunFolderError(
            f"'{path}' cannot be read as JSON: {error}. Run the command that made it again."
        ) from error
    if not isinstance(content, dict):
        raise RunFolderError(
            f"'{path}' holds a {type(content).__name__}, expected a JSON object. "
            "Run the command that made it again."
        )
    return Record(content)


def _read_history(path: Path) -> list[dict[str, float]]:
    """The rows whose step can be read; a killed run may leave half a row at the end."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [_numbers(row) for row in csv.DictReader(line.replace("\0", "") for line in file)]
    return [row for row in rows if "epoch" in row]


def _numbers(row: dict[str, str]) -> dict[str, float]:
    numbers = {}
    for name, text in row.items():
        try:
            value = finite(float(text))
        except (TypeError, ValueError):
            continue
        if name and value is not None:
            numbers[name] = value
    return numbers
