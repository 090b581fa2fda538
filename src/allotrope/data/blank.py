"""Finds images that show nothing: all black, all white, wholly transparent."""

from __future__ import annotations

from collections.abc import Mapping

from allotrope.data.images import SPLITS, ImageSplit

LISTED = 5


def blank_notes(splits: Mapping[str, ImageSplit]) -> list[str]:
    """A line for each split that holds images of a single value, with the first of them."""
    notes = []
    for name in SPLITS:
        split = splits[name]
        flat = split.images.reshape(len(split), -1)
        rows = (flat.min(1) == flat.max(1)).nonzero()[0] if flat.shape[1] > 1 else []
        if len(rows):
            titles = ", ".join(split.title(row, name) for row in rows[:LISTED])
            notes.append(f"{len(rows):,} images of {name} are of a single value: {titles}")
    return notes
