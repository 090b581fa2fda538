"""What a column of texts looks like: dates, categories, names that hardly repeat, or prose."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.inputs.table.cell_codes import CLOCKS, DATE_FORMS, ISO, MISSING_CATEGORY, days
from allotrope.inputs.table.cell_numbers import MISSING

DATES, CATEGORIES, NAMES, NOTHING, TEXTS = "dates", "categories", "names", "nothing", "texts"
FEW = 20
"""So few different texts are categories, however few rows there are."""
REPEATED = 0.5
"""Of categories at most this part of the rows is different; of names, or of prose, more."""
PROSE = 3.0
"""Texts of more words than this on average are prose."""
WIDE = 0x3000
"""From here on characters are those of scripts that put no spaces between words, and emoji."""
MOSTLY_DATES = 0.9


@dataclass(frozen=True)
class DateForms:
    """How the dates of a column may be read, and how many cells each form reads.

    `unread` are the cells that none of the `forms` reads, of which there are few.
    """

    forms: tuple[str, ...]
    counts: Counter[str]
    unread: frozenset[str] = frozenset()

    @property
    def is_date(self) -> bool:
        """Whether the column holds dates, be it in one form, in several, or in unknown order."""
        return bool(self.forms or self.counts)


def present(cells: Sequence[str]) -> list[str]:
    """The cells that hold something."""
    return [cell for cell in cells if cell.lower() not in MISSING_CATEGORY]


def dated_cells(cells: Sequence[str]) -> list[str]:
    """The cells that do not say that a date is missing."""
    return [cell for cell in cells if cell.lower() not in MISSING]


def text_form(column: np.ndarray) -> str:
    """What a column of texts [n] looks like.

    Prose and names are told apart by words: neither repeats.
    """
    cells = present(column.tolist())
    if not cells:
        return NOTHING
    distinct, dates = set(cells), dated_cells(cells)
    if not dates:
        return NOTHING
    if date_forms(sorted(set(dates))).is_date:
        return DATES
    words = sum(map(words_in, cells)) / len(cells)
    if len(distinct) <= max(FEW, REPEATED * len(cells)) and words <= PROSE * PROSE:
        return CATEGORIES
    return TEXTS if words > PROSE else NAMES


def is_prose(pages: Iterable[Sequence[str]]) -> bool:
    """Whether cells that are read by page are TEXTS to `text_form`; none of them may be dates."""
    hashes, words = array("q"), 0
    for cells in pages:
        there = present(cells)
        hashes.extend(map(hash, there))
        words += sum(map(words_in, there))
    count = len(hashes)
    if words <= PROSE * count:
        return False
    few = len(np.unique(np.asarray(hashes))) <= max(FEW, REPEATED * count)
    return not few or words > PROSE * PROSE * count


def words_in(cell: str) -> int:
    """How many words a text has; each character of a script without spaces is one."""
    return cell.count(" ") + 1 + sum(ord(character) >= WIDE for character in cell)


def date_forms(cells: Sequence[str]) -> DateForms:
    """The forms that read nearly all cells; if none does but all of them together do, how many."""
    first = [form for form in _every_form() if _reads(form, cells[0])]
    whole = tuple(form for form in first if all(_reads(form, cell) for cell in cells))
    if whole or not _may_be_dates(cells):
        return DateForms(whole, Counter())
    if len(cells) > FEW:
        left = {form: _unread(form, cells) for form in _every_form()}
        least = min(map(len, left.values()))
        if least <= (1 - MOSTLY_DATES) * len(cells):
            best = tuple(form for form in left if len(left[form]) == least)
            return DateForms(best, Counter(), left[best[0]])
    counts: Counter[str] = Counter()
    for cell in cells:
        counts.update([next((form for form in _every_form() if _reads(form, cell)), "")])
    unread = counts.pop("", 0)
    mostly = unread <= (1 - MOSTLY_DATES) * len(cells)
    return DateForms((), counts if mostly else Counter())


def _unread(form: str, cells: Sequence[str]) -> frozenset[str]:
    return frozenset(cell for cell in cells if not _reads(form, cell))


def _may_be_dates(cells: Sequence[str]) -> bool:
    """Whether most of the first cells are dates: trying all forms on all cells takes long."""
    tried = cells[:FEW]
    read = sum(any(_reads(form, cell) for form in _every_form()) for cell in tried)
    return read >= MOSTLY_DATES * len(tried)


def _every_form() -> list[str]:
    clocks = [form + clock for form in DATE_FORMS if form != ISO for clock in CLOCKS]
    return [*DATE_FORMS, *clocks]


def _reads(form: str, cell: str) -> bool:
    # Without a digit, or as long as a sentence, nothing is a date: strptime need not be asked.
    if not 6 <= len(cell) <= 40 or not any(map(str.isdigit, cell)):
        return False
    try:
        days(cell, form)
    except ValueError:
        return False
    return True
