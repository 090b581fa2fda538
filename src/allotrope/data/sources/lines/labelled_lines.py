"""What labels stand before the texts of lines: fastText's, TREC's, or a single word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

MARK = "__label__"
FASTTEXT = re.compile(rf"(?:{MARK}\S+[ \t]+)*{MARK}\S+")
COARSE_AND_FINE = re.compile(r"[^\s:]+:[^\s:]+")
MOST_CLASSES = 0.1
"""First words are labels if there are at most so many different ones for each line."""
FEW_LINES = 20
"""Of fewer lines, half as many different first words are allowed as there are lines."""
SEPARATOR = "|"


@dataclass(frozen=True)
class LabelledLines:
    """Texts with the words before them, and the `numbers` of their lines.

    `labels` are columns by name: `label`, or `coarse` and `fine`, or `labels` if one line has
    several. `empty` are numbers of lines that hold a label and no text.
    """

    texts: list[str]
    labels: dict[str, list[str]]
    numbers: list[int]
    empty: list[int]


def has_labels(lines: Sequence[str]) -> bool:
    """Whether the first words of these lines are labels."""
    firsts = [line.split(None, 1)[0] for line in lines if line.strip()]
    if not firsts:
        return False
    if all(first.startswith(MARK) for first in firsts):
        return True
    with_text = sum(len(line.split(None, 1)) > 1 for line in lines)
    distinct = len(set(firsts))
    most = max(MOST_CLASSES * len(firsts), min(len(firsts), FEW_LINES) / 2)
    return 1 < distinct <= most and with_text > 0.9 * len(firsts)


def labelled(lines: Sequence[str], form: str) -> LabelledLines:
    """The lines apart in labels and texts, by the form that `form_of` gives."""
    apart = LabelledLines([], {name: [] for name in COLUMNS[form]}, [], [])
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        label, text = _apart(line.strip(), form)
        if not text:
            apart.empty.append(number)
            continue
        apart.texts.append(text)
        apart.numbers.append(number)
        for name, value in zip(COLUMNS[form], _columns(label, form), strict=True):
            apart.labels[name].append(value)
    return apart


def form_of(lines: Sequence[str]) -> str:
    """One of COLUMNS: what the first words of lines look like."""
    firsts = [line.split(None, 1)[0] for line in lines if line.strip()]
    if all(first.startswith(MARK) for first in firsts):
        several = Counter(len(_marks(line)) for line in lines if line.strip())
        return "fasttext" if set(several) == {1} else "fasttext-several"
    if all(map(COARSE_AND_FINE.fullmatch, firsts)):
        return "coarse-and-fine"
    return "first-word"


COLUMNS = {
    "fasttext": ("label",),
    "fasttext-several": ("labels",),
    "coarse-and-fine": ("coarse", "fine"),
    "first-word": ("label",),
}


def _marks(line: str) -> list[str]:
    match = FASTTEXT.match(line.strip())
    return [] if match is None else match[0].split()


def _apart(line: str, form: str) -> tuple[str, str]:
    if form.startswith("fasttext"):
        marks = _marks(line)
        text = line[len(FASTTEXT.match(line)[0]) :] if marks else line  # type: ignore[index]
        return SEPARATOR.join(mark.removeprefix(MARK) for mark in marks), text.strip()
    first, *rest = line.split(None, 1)
    return first, rest[0].strip() if rest else ""


def _columns(label: str, form: str) -> tuple[str, ...]:
    if form == "coarse-and-fine":
        return label.partition(":")[0], label
    return (label,)
