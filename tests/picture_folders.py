"""Folders of pictures that nothing decodes, and what is read of them."""

from __future__ import annotations

import pytest

from allotrope.data.sources.folder.folder_layout import find_layout
from allotrope.errors import DataError


def tree(root, *folders, count=4):
    """Pictures in each folder, empty as nothing decodes them; `name*7` holds seven."""
    for folder in folders:
        name, _, number = folder.partition("*")
        place = root / name
        place.mkdir(parents=True, exist_ok=True)
        for index in range(int(number or count)):
            (place / f"{index}.png").touch()
    return root


def read(root, layout="auto"):
    """Counts of pictures by split and class, and the notes as one text."""
    folders = find_layout(root, layout)
    counts = {}
    for split, pictures in folders.splits.items():
        counts[split] = {name: sum(other == name for _, other in pictures) for _, name in pictures}
    return counts, "\n".join(folders.notes)


def error_of(root, layout="auto"):
    with pytest.raises(DataError) as caught:
        find_layout(root, layout)
    return str(caught.value)


def cats_and_dogs(*splits):
    """A folder of each in every split."""
    return [f"{split}/{name}" for split in splits for name in ("cat", "dog")]


TWO = {"cat": 4, "dog": 4}
