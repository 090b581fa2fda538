"""What labels stand before the texts of lines: fastText's, TREC's, or a single word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from allotrope.data.store.stored_texts import StoredTexts

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
    several. `empty` are numbers of lines that hold a label and no text. Texts may lie on disk.
    """

    texts: list[str] | StoredTexts
    labels: Mapping[str, list[str]]
    numbers: Sequence[int]
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
    labels: dict[str, list[str]] = {name: [] for name in COLUMNS[form]}
    texts, numbers, empty = list[str](), list[int](), list[int]()
    for number, values, text in parted(lines, form, empty):
        texts.append(text)
        numbers.append(number)
        for name, value in zip(COLUMNS[form], values, strict=True):
            labels[name].append(value)
    return LabelledLines(texts, labels, numbers, empty)


def parted(
    lines: Iterable[str], form: str, empty: list[int]
) -> Iterator[tuple[int, tuple[str, ...], str]]:
    """The number, the labels and the text of each line; those without text are added to `empty`."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        label, text = _apart(line.strip(), form)
        if text:
            yield number, _columns(label, form), text
        else:
            empty.append(number)


@dataclass
class LineForms:
    """Goes over lines, and remembers what their first words look like."""

    marked: bool = True
    coarse_and_fine: bool = True
    marks: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, lines: Iterable[str]) -> LineForms:
        """What those of these lines look like."""
        forms = cls()
        for line in lines:
            if line.strip():
                forms.take(line)
        return forms

    def take(self, line: str) -> None:
        """Look at one more line, which is not empty."""
        first = line.split(None, 1)[0]
        self.marked = self.marked and first.startswith(MARK)
        if self.marked:
            self.marks.add(len(_marks(line)))
        self.coarse_and_fine = bool(self.coarse_and_fine and COARSE_AND_FINE.fullmatch(first))

    def joined(self, other: LineForms) -> LineForms:
        """What the lines of two files look like together."""
        return LineForms(
            self.marked and other.marked,
            self.coarse_and_fine and other.coarse_and_fine,
            self.marks | other.marks,
        )

    @property
    def form(self) -> str:
        """One of COLUMNS."""
        if self.marked:
            return "fasttext" if self.marks == {1} else "fasttext-several"
        return "coarse-and-fine" if self.coarse_and_fine else "first-word"


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
