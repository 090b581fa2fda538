"""A user's file of words that mean the same: a line each group, commas or tabs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from allotrope.data.reading import Reading
from allotrope.data.sources.lines.text_file import read_text_file
from allotrope.errors import DataError, UsageError
from allotrope.inputs.contract import Input
from allotrope.inputs.text.raw_bytes import text_of
from allotrope.inputs.text.synonyms import SIGNS, Synonyms
from allotrope.inputs.text.text_input import Text
from allotrope.wording import counted

COMMENT = "#"
LISTED = 8
EXPECTED = (
    "Expected a line for each group of words that mean the same, with commas or tabs between them, "
    "such as: film, movie, motion picture"
)


def with_synonyms(reading: Reading, file: Path) -> None:
    """Lets training replace words of the reading's texts by their synonyms in a file.

    Raises: DataError for a file that is none, UsageError if there is no text of words.
    """
    if not any(isinstance(each, Text) for each in reading.inputs):
        kinds = ", ".join(f"'{each.name}' ({each.kind})" for each in reading.inputs)
        raise UsageError(
            f"--synonyms replaces words of texts, and there are none: {kinds}. Leave it out."
        )
    notes: list[str] = []
    groups = read_groups(file, notes)
    synonyms = Synonyms.of(groups)

    def knowing(each: Input) -> Input:
        return replace(each, synonyms=synonyms) if isinstance(each, Text) else each

    reading.inputs = tuple(map(knowing, reading.inputs))
    single = {word for word in synonyms.others if " " not in word}
    present = len(single & _words_in(reading))
    reading.notes.extend(notes)
    reading.notes.append(
        f"synonyms: {counted(len(groups), 'group')} of words in '{file.name}'; {present:,} of the "
        f"{counted(len(single), 'single word')} stand in training texts, where some give way to "
        "each other in training: --synonym-rate says how many"
    )


def read_groups(file: Path, notes: list[str]) -> list[tuple[str, ...]]:
    """The words of each line. Raises: DataError with all lines that are no group."""
    if not file.is_file():
        raise DataError(f"--synonyms {file}: there is no such file. {EXPECTED}.")
    text = read_text_file(file)
    notes += text.notes
    groups, problems = [], []
    for number, line in enumerate(text.lines, 1):
        if not line.strip() or line.lstrip().startswith(COMMENT):
            continue
        words = _words_of(line)
        problem = _problem(words)
        if problem:
            problems.append(f"line {number} {problem}: {line.strip()[:60]!r}")
        else:
            groups.append(words)
    if problems:
        more = ""
        if len(problems) > LISTED:
            more = f"; and {len(problems) - LISTED:,} more lines"
        raise DataError(f"{file}: {'; '.join(problems[:LISTED])}{more}. {EXPECTED}.")
    if not groups:
        raise DataError(f"{file}: holds no words. {EXPECTED}.")
    return groups


def _words_of(line: str) -> tuple[str, ...]:
    """The words of a line, each with single spaces and without signs around it."""
    parts = line.split("\t" if "\t" in line else ",")
    words = [" ".join(part.split()).strip(SIGNS) for part in parts]
    return tuple(dict.fromkeys(words))


def _problem(words: Sequence[str]) -> str:
    """What is wrong with a group, in words; nothing if it is one."""
    if not all(words):
        return "has an empty word"
    if len({word.casefold() for word in words}) < 2:
        return "has one word"
    return ""


def _words_in(reading: Reading) -> set[str]:
    """The words of the training texts, in small letters."""
    words: set[str] = set()
    for each in reading.inputs:
        if isinstance(each, Text):
            for row in reading.splits["train"][each.name]:
                words |= {word.strip(SIGNS) for word in text_of(row).casefold().split()}
    return words
