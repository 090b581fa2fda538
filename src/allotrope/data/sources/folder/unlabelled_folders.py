"""Folders of pictures without labels that are learned from all the same."""

from __future__ import annotations

from allotrope.data.encodings import shown
from allotrope.data.sources.folder.interpretations import Interpretation, says_nothing
from allotrope.data.sources.folder.layout_readers import UNLABELLED
from allotrope.data.sources.folder.tree import Folder
from allotrope.data.split_names import is_part, to_learn_from
from allotrope.errors import DataError

LISTED = 8


def take_unlabelled(chosen: Interpretation, root: Folder) -> None:
    """Takes folders that were left out as unlabelled by their names for what they are.

    Those called after answers, such as `pred`, stay left out.
    Raises: DataError if one holds folders of its own that may be classes.
    """
    folders = [
        folder
        for folder in root.walk()
        if chosen.reasons.get(folder.path) == UNLABELLED and to_learn_from(folder.name)
    ]
    problems = [problem for folder in folders if (problem := _classes_inside(folder, root))]
    if problems:
        raise DataError(
            f"{root.path}: {'; '.join(problems)}. Unlabelled pictures have no classes: put them "
            "right into that folder, or the folders among those to train on if they are classes."
        )
    chosen.unlabelled = {shown(folder.path, root.path): folder for folder in folders}
    for folder in folders:
        del chosen.reasons[folder.path]


def _classes_inside(folder: Folder, root: Folder) -> str:
    """What is wrong with a folder inside which others may be classes; nothing if none may."""
    inner = [
        each.name
        for each in folder.walk()
        if each is not folder and not says_nothing(each.name) and not is_part(each.name)
    ]
    if not inner:
        return ""
    listed = ", ".join(f"'{name}'" for name in inner[:LISTED])
    more = f" and {len(inner) - LISTED:,} more" if len(inner) > LISTED else ""
    return f"'{shown(folder.path, root.path)}' holds the folders {listed}{more}"
