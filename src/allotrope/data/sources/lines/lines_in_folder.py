"""Files of labelled lines that lie in a folder of nothing else to learn from."""

from __future__ import annotations

from pathlib import Path

from allotrope.data.encodings import printable
from allotrope.data.sources.lines.read_lines import may_be_lines
from allotrope.data.split_names import split_name
from allotrope.errors import DataError

SPLITS = ("train", "validation", "test")


def lines_to_read(folder: Path) -> dict[str, Path]:
    """The files of lines by split, if the names of some right in the folder say splits.

    Raises: DataError if two are of one split, or none is for training.
    """
    splits: dict[str, Path] = {}
    evaluation = []
    doubled = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file() or not may_be_lines(path):
            continue
        said = split_name(printable(path.name))
        if said is None or said.split == "unlabelled":
            continue
        if said.split == "evaluation":
            evaluation.append(path)
        elif said.split in splits:
            doubled.append(f"'{splits[said.split].name}' and '{path.name}' are both {said.split}")
        else:
            splits[said.split] = path
    for path in evaluation:
        free = [name for name in SPLITS[1:] if name not in splits]
        if free:
            splits[free[0]] = path
    if doubled:
        raise DataError(f"{folder}: {'; '.join(doubled)} by their names. Name one of the files.")
    if splits and "train" not in splits:
        listed = ", ".join(f"'{path.name}'" for path in splits.values())
        raise DataError(
            f"{folder}: holds {listed} and no file of training texts. Expected a name such as "
            "train.txt."
        )
    return {name: splits[name] for name in SPLITS if name in splits}
