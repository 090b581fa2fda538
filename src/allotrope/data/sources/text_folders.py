"""Folders of text files whose names are the labels, below folders of splits or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.encodings import printable, shown
from allotrope.data.examples import LABEL, UNLABELLED
from allotrope.data.file_text import OVERRULED, USUAL, FilesText, titled
from allotrope.data.reading import Reading
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.frames import checked
from allotrope.data.recognize.read_frame import read_frame
from allotrope.data.sources.folder.tree import reason_to_skip
from allotrope.data.sources.lfs_pointers import is_pointer
from allotrope.data.sources.text_keeper import TextKeeper
from allotrope.data.split_names import split_name, to_learn_from
from allotrope.data.store.lazy_columns import Columns
from allotrope.data.store.store import NoRoom, raised_apart
from allotrope.data.store.stored_texts import as_text_column
from allotrope.errors import DataError
from allotrope.inputs.text.text_input import Text
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.memory_limit import require_memory
from allotrope.wording import counted

Report = Callable[[str], None]
TEXT = "text"
SUFFIX = ".txt"
MEMORY_PER_BYTE = 4
LISTED = 8


@dataclass
class TextFiles:
    """The files of each split with their class, and folders that were left out, with the reason."""

    splits: dict[str, list[tuple[Path, str]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


def find_text_files(folder: Path) -> TextFiles:
    """The text files in class folders, perhaps below folders of splits; none if there are no such.

    Raises: DataError if two folders are of one split, or there is none to learn from.
    """
    files = TextFiles()
    by_split = {path: _split_of(path) for path in _folders(folder) if _split_of(path)}
    classes = [path for path in _folders(folder) if path not in by_split]
    for path, split in by_split.items():
        inside = _of_classes(_folders(path), files, folder)
        if inside and str(split) in files.splits:
            raise DataError(f"{folder}: several folders of texts are {split} by their names.")
        if inside:
            files.splits[str(split)] = inside
    beside = _of_classes(classes, files, folder)
    if beside and not files.splits.get("train"):
        files.splits["train"] = beside
    elif beside:
        names = ", ".join(f"'{path.name}'" for path in classes)
        files.left_out[names] = "in no split"
    if UNLABELLED in files.splits:
        files.splits[UNLABELLED] = files.splits.pop(UNLABELLED)  # those to learn from come first
    if files.splits and "train" not in files.splits:
        raise DataError(
            f"{folder}: holds texts for {', '.join(files.splits)} and none to train on. Expected a "
            "folder called train."
        )
    return files


def _split_of(path: Path) -> str | None:
    said = split_name(printable(path.name))
    if said is None or not said.pure or said.split == "unlabelled":
        return None
    return "validation" if said.split == "evaluation" else said.split


def _folders(folder: Path) -> list[Path]:
    visible = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in visible if path.is_dir() and reason_to_skip(path) is None)


def _of_classes(folders: list[Path], files: TextFiles, root: Path) -> list[tuple[Path, str]]:
    """The text files right in these folders, each with the name of its folder.

    Those without labels become a split of their own.
    """
    listed = []
    for path in folders:
        said = split_name(printable(path.name))
        texts = sorted(file for file in path.iterdir() if file.suffix.lower() == SUFFIX)
        if to_learn_from(printable(path.name)):
            _check_plain(path, root)
            files.splits.setdefault(UNLABELLED, []).extend((file, "") for file in texts)
            continue
        if texts and said is not None and said.pure and said.split == "unlabelled":
            files.left_out[f"'{shown(path, root)}'"] = "unlabelled by its name"
            continue
        listed += [(file, printable(path.name)) for file in texts]
    return listed


def _check_plain(unlabelled: Path, root: Path) -> None:
    """Raises: DataError if unlabelled texts lie in folders, which may be classes."""
    inner = [path.name for path in _folders(unlabelled) if any(path.glob(f"*{SUFFIX}"))]
    if inner:
        listed = ", ".join(f"'{printable(name)}'" for name in inner[:LISTED])
        raise DataError(
            f"{root}: '{shown(unlabelled, root)}' holds the folders {listed}. Unlabelled texts "
            "have no classes: put them right into that folder, or the folders among those to "
            "train on if they are classes."
        )


def read_text_files(
    folder: Path, files: TextFiles, options: DataOptions, report: Report = lambda line: None
) -> Reading:
    """The reading of these files: a text a file. Raises: DataError, UsageError."""
    encodings: Counter[str] = Counter()
    texts = _texts(folder, files, options, report, encodings)
    splits: dict[str, Columns] = {}
    origin = {}
    for split, part in files.splits.items():
        labels = np.array([name for _, name in part], "U")
        splits[split] = {TEXT: texts[split], LABEL: labels}
        origin[split] = tuple(shown(path, folder) for path, _ in part)
    frame = Frame(printable(folder.resolve().name), splits, origin)
    frame.notes.extend(_notes(files, encodings))
    reading = read_frame(checked(frame), options)
    return replace(reading, inputs=tuple(map(_of_files, reading.inputs)))


def _texts(
    folder: Path, files: TextFiles, options: DataOptions, report: Report, encodings: Counter[str]
) -> dict[str, np.ndarray]:
    """The texts of each split, on disk if they are more than is held in memory.

    Raises: DataError if there is room for them nowhere.
    """
    paths = [path for part in files.splits.values() for path, _ in part]
    lengths = tuple((split, len(part)) for split, part in files.splits.items())
    how = lengths if options.encoding is None else (*lengths, options.encoding)
    read = FilesText(folder, paths, options.encoding)
    keeper = TextKeeper.of_large(folder, paths, str(folder), MEMORY_PER_BYTE, how, options, report)
    if keeper is not None:
        try:
            return {
                split: _on_disk(keeper, part, split, read, encodings)
                for split, part in files.splits.items()
            }
        except NoRoom as error:
            keeper.require_memory(error)
            encodings.clear()
    size = sum(path.stat().st_size for path in paths)
    require_memory(size * MEMORY_PER_BYTE, str(folder), "Leave out --cache-size 0.")
    return {
        split: np.array(list(_contents(part, read, encodings)), np.dtypes.StringDType())
        for split, part in files.splits.items()
    }


def _on_disk(
    keeper: TextKeeper,
    files: Sequence[tuple[Path, str]],
    split: str,
    read: FilesText,
    encodings: Counter[str],
) -> np.ndarray:
    """The texts of a split on disk, from files that are read if that was not done before."""
    stored = keeper.opened(split)
    if stored is None:
        own: Counter[str] = Counter()
        with keeper.taking([split]) as taken:
            for text in raised_apart(_contents(files, read, own)):
                taken.add(split, text)
            taken.facts["encodings"] = dict(own)
        stored = keeper.opened(split)
    if stored is not None:
        encodings.update(stored.facts["encodings"])
    return as_text_column(keeper.column(split))


def _contents(
    files: Sequence[tuple[Path, str]], read: FilesText, encodings: Counter[str]
) -> Iterator[str]:
    """The text of each file, whose encoding is counted."""
    for path, _ in files:
        if is_pointer(path):
            raise DataError(f"{path}: is a pointer of Git LFS.")
        text, encoding = read.read(path)
        encodings[encoding] += 1
        yield text.removeprefix("\ufeff")


def _of_files(each: object) -> Text | Tokens:
    assert isinstance(each, Text | Tokens)
    return replace(each, whole_files=True)


def _notes(files: TextFiles, encodings: Mapping[str, int]) -> list[str]:
    notes = ["a text a file, whose folder is the label"]
    strange = {name: count for name, count in encodings.items() if name not in USUAL}
    if strange:
        listed = ", ".join(
            f"{counted(count, 'file')} as {titled(name)}" for name, count in strange.items()
        )
        notes.append(f"not all files are UTF-8: {listed}; {OVERRULED}")
    if files.left_out:
        listed = ", ".join(
            f"{name} ({reason})" for name, reason in list(files.left_out.items())[:LISTED]
        )
        notes.append(f"left out: {listed}")
    return notes
