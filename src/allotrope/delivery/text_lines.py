"""Texts as a network takes them: UTF-8 bytes. A delivered predict.py carries this text."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.delivery.asked import ArgumentError, Example

LINES = (".txt",)
"""How files are called that hold a text a line."""
OBJECTS = (".jsonl", ".ndjson", ".json")
"""How files are called that hold a JSON object a line, or a list of them."""
ZIPPED, ZIPPED_BEGINNING = ".gz", b"\x1f\x8b"
"""How gzip's files are called, and how they begin."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How texts begin that are marked so, as spreadsheets write them."""
MOST_UNPACKED = 2_000_000_000
"""Bytes: a small file may say that it holds any number."""
BYTES_AT_ONCE = 262_144
"""Texts are answered together if they have no more bytes than this, each as many as the longest."""
STEP = 32
"""Texts that are answered together become a multiple of so many bytes long."""


def bytes_of(text: str) -> np.ndarray:
    """uint8 [length] of a text, one zero if it is empty; a zero in it ends it too early."""
    data = text.replace("\0", " ").encode("utf-8", "replace")
    return np.frombuffer(data or b"\0", np.uint8)


def read_texts(facts: Mapping[str, Any], argument: str) -> Iterator[Example]:
    """The argument itself as the input of these `facts`, or each line of the file that it names.

    If the network has learned from files, a file is one text, and a folder is all of its files.
    Raises: ArgumentError for a file that cannot be read, or what is called as one and is not there.
    """
    name, path = facts["name"], Path(argument)
    if facts.get("whole_files") and exists(path):
        files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
        for file in files:
            text = text_in(file, encoding_of([facts]))
            yield Example({"file": str(file)}, {name: bytes_of(text)})
        return
    suffix = inner_suffix(path)
    if not exists(path) and suffix in LINES + OBJECTS and len(argument.split()) == 1:
        raise ArgumentError(f"{argument}: there is no such file.")
    if suffix in OBJECTS and exists(path):
        yield from read_objects(facts, path)
        return
    if suffix not in LINES or not exists(path):
        yield Example({"file": excerpt(argument)}, {name: bytes_of(argument)})
        return
    for line, text in enumerate(text_in(path, encoding_of([facts])).splitlines(), 1):
        if text.strip():
            yield Example({"file": str(path), "line": line}, {name: bytes_of(text)})


def read_objects(facts: Mapping[str, Any], path: Path) -> Iterator[Example]:
    """The text that each line's JSON object has for this input; a line without has a reason."""
    name = facts["name"]
    for line, value in objects_in(path, encoding_of([facts])):
        one = Example({"file": str(path), "line": line})
        cell = value.get(name) if isinstance(value, dict) else None
        if isinstance(cell, str):
            one.inputs[name] = bytes_of(cell)
        else:
            one.reason = f'expected a JSON object with a text such as {{"{name}": "…"}}'
        yield one


def objects_in(path: Path, encoding: str = "") -> Iterator[tuple[int, Any]]:
    """Number and value of each line that is not empty, or of each entry of a list; None for none.

    Raises: ArgumentError.
    """
    text = text_in(path, encoding)
    entries = parsed(text) if text.lstrip().startswith("[") else None
    if isinstance(entries, list):
        yield from enumerate(entries, 1)
        return
    for line, row in enumerate(text.splitlines(), 1):
        if row.strip():
            yield line, parsed(row)


def parsed(text: str) -> Any:
    """What a text says in JSON; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def exists(path: Path) -> bool:
    """Whether there is such a file or folder; a long text is no name of one."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def inner_suffix(path: Path) -> str:
    """`.jsonl` of rows.jsonl and of rows.jsonl.gz."""
    return Path(path.name.lower().removesuffix(ZIPPED)).suffix


def in_encoding(columns: Mapping[str, Any], encoding: str | None) -> dict[str, Any]:
    """What is known of the inputs, with the encoding that their files are in.

    Raises: ArgumentError for a name of no encoding of texts.
    """
    try:
        "".encode(encoding or "utf-8")
    except LookupError:
        raise ArgumentError(
            f"--encoding {encoding}: there is no such encoding of texts. Expected a name such as "
            "utf-8, cp1252, gb18030, big5, shift_jis, euc_kr or cp1251."
        ) from None
    inputs = [{**facts, "encoding": encoding or ""} for facts in columns["inputs"]]
    return {**columns, "inputs": inputs}


def encoding_of(inputs: Sequence[Mapping[str, Any]]) -> str:
    """The encoding that files of these inputs are in; nothing if none was said."""
    return str(inputs[0].get("encoding", "")) if inputs else ""


def text_in(path: Path, encoding: str = "") -> str:
    """The text of a file in an encoding; by default UTF-8, or UTF-16 if it is marked so.

    It is decompressed if it is gzip's.

    Raises: ArgumentError.
    """
    try:
        data = unpacked(path)
        usual = "utf-16" if data[:2] in UTF_16 else "utf-8-sig"
        return data.decode(encoding or usual)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ArgumentError(
            f"{path}: cannot be decompressed: {error}. Expected a whole gzip file."
        ) from None
    except OSError as error:
        raise ArgumentError(f"{path}: cannot be opened: {error.strerror}.") from None
    except UnicodeDecodeError:
        said = encoding or "UTF-8"
        raise ArgumentError(
            f"{path}: is not in {said}. Save it as UTF-8, or say with --encoding what it is in."
        ) from None


def unpacked(path: Path, most: int = MOST_UNPACKED) -> bytes:
    """The bytes of a file, decompressed if they are gzip's or it is called so.

    Raises: ArgumentError if they are more than `most`, OSError, EOFError, zlib.error.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == ZIPPED_BEGINNING or path.suffix.lower() == ZIPPED
    if not zipped:
        return path.read_bytes()
    with gzip.open(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ArgumentError(f"{path}: holds more than {most:,} bytes decompressed. Split it.")
    return data


def excerpt(text: str) -> str:
    """The beginning of a text in one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def together(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Inputs of several examples as one [n, …]; shorter texts are filled with zeros."""
    longest = max(len(array) for array in arrays) if arrays[0].ndim else 0
    if all(array.shape == arrays[0].shape for array in arrays):
        return np.stack(arrays)
    # Runtimes prepare for each new shape: a few lengths are asked for again and again.
    whole = np.zeros((len(arrays), -(-longest // STEP) * STEP), arrays[0].dtype)
    for row, array in zip(whole, arrays, strict=True):
        row[: len(array)] = array
    return whole


def groups(examples: Sequence[Mapping[str, Any]], most: int) -> Iterator[list[int]]:
    """The numbers of examples that are answered together, of like lengths: little is padding.

    At most so many at once, and no more than their texts allow.
    """
    lengths = [_length(one) for one in examples]
    group: list[int] = []
    # From short to long, so that the last one says how long all of its group become.
    for number in sorted(range(len(examples)), key=lengths.__getitem__):
        if group and (len(group) == most or (len(group) + 1) * lengths[number] > BYTES_AT_ONCE):
            yield group
            group = []
        group.append(number)
    if group:
        yield group


def _length(example: Mapping[str, Any]) -> int:
    return max((array.size for array in example.values() if array.ndim == 1), default=0)
