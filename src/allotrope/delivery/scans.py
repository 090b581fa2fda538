"""Scans that a command's arguments name, as examples. A delivered predict.py carries this text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from allotrope.delivery.asked import ArgumentError, Example
from allotrope.inputs.volume.scan_grid import UnreadableVolume
from allotrope.inputs.volume.volume_files import (
    VOLUME_KINDS,
    dicom_files,
    read_volume,
    scans_below,
)


def read_scans(facts: Mapping[str, Any], path: Path) -> Iterator[Example]:
    """The scan that a path is, or those below a folder, as an input of these `facts` takes them.

    Raises: ArgumentError if there are none.
    """
    paths = [path]
    # A folder that holds slices itself is one scan; any other may hold many.
    if path.is_dir() and not dicom_files(path):
        paths = list(scans_below(path))
    if not paths:
        raise ArgumentError(f"no volume is in {path}. Expected {VOLUME_KINDS}.")
    for each in paths:
        one = Example({"file": str(each)})
        try:
            one.inputs[facts["name"]] = read_volume(each, facts["shape"], facts["spacing"])
        except UnreadableVolume as error:
            one.reason = str(error)
        yield one
