"""Scans that a command's arguments name, as examples. A delivered predict.py carries this text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from allotrope.delivery.asked import ArgumentError, Example, Unreadable, inside
from allotrope.inputs.volume.scan_grid import UnreadableVolume
from allotrope.inputs.volume.volume_files import (
    VOLUME_KINDS,
    read_volume,
    scans_below,
    series_files,
)


def read_scans(facts: Mapping[str, Any], path: Path) -> Iterator[Example]:
    """The scan that a path is, or those below a folder, as an input of these `facts` takes them.

    Raises: ArgumentError if there are none.
    """
    paths = list(scans_below(path)) if path.is_dir() else [path]
    if not paths:
        raise ArgumentError(f"no volume is in {path}. Expected {VOLUME_KINDS}.")
    for each, files in (part for place in paths for part in series_at(place)):
        one = Example({"file": str(each)})
        try:
            grid = facts["shape"], facts["spacing"]
            one.inputs[facts["name"]] = read_volume(each, *grid, files)
        except UnreadableVolume as error:
            one.reason = str(error)
        yield one


def add_volume(one: Example, facts: Mapping[str, Any], folder: Path, name: str) -> None:
    """The volume that a cell of a table names, or the reason why there is none."""
    try:
        path = inside(folder, name)
        one.inputs[facts["name"]] = read_volume(path, facts["shape"], facts["spacing"])
    except (Unreadable, UnreadableVolume) as error:
        one.reason = f"'{facts['name']}' is '{name}': {error}"


def series_at(path: Path) -> Iterator[tuple[Path, list[Path]]]:
    """A file itself, a folder of one series, or the first file of each series with all of them."""
    series = series_files(path) if path.is_dir() else []
    if len(series) < 2:
        yield path, []
    else:
        yield from ((files[0], files) for files in series)
