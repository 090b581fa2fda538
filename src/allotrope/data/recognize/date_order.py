"""In which order days and months stand in the dates of a column; it is never guessed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import numpy as np

from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.text_forms import DATES, DateForms, date_forms, dated_cells
from allotrope.errors import DataError
from allotrope.inputs.table.cell_codes import COMPACT, EPOCH_FORMS, ISO, texts_of

DATE_KINDS = ("date", "date-day-first", "date-month-first", *EPOCH_FORMS)
"""A column of dates; the order of day and month is only asked for if nothing else tells it, and
what numbers count since 1970 is never guessed."""
SHOWN = 3


def check_dates(
    frame: Frame, kinds: Mapping[str, str], asked: Collection[str] = frozenset()
) -> None:
    """Raises: DataError for all columns of dates that cannot be read in one way alone.

    In those that are `asked` for as dates, what has no time zone is in UTC.
    """
    problems = []
    for name, kind in kinds.items():
        if kind in DATE_KINDS and frame.form(name) == DATES:
            forms = _forms(frame, name)
            if len(_fitting(forms, kind)) != 1:
                problems.append(_problem(frame, name, kind, forms))
            elif name not in asked:
                problems += _of_zones(frame, name)
    if problems:
        raise DataError(f"{frame.name}: " + "\n".join(problems))


def date_form(frame: Frame, name: str, kind: str) -> str:
    """The form of the dates of a column, which `check_dates` let pass."""
    if kind in EPOCH_FORMS:
        return kind
    (form,) = _fitting(_forms(frame, name), kind)
    return form


def date_kind(form: str) -> str:
    """The kind that reads dates as this form does."""
    if form in EPOCH_FORMS:
        return form
    if form in (ISO, COMPACT):
        return DATE_KINDS[0]
    return DATE_KINDS[1] if _day_first(form) else DATE_KINDS[2]


def _forms(frame: Frame, name: str) -> DateForms:
    cells = dated_cells(texts_of(frame.whole(name)))
    return date_forms(sorted(set(cells)))


def unread_dates(frame: Frame, name: str) -> dict[str, np.ndarray]:
    """The rows by split of which no date can be read, in a column that `check_dates` let pass."""
    if frame.form(name) != DATES:
        return {}
    unread = _forms(frame, name).unread
    if not unread:
        return {}
    return {
        split: np.flatnonzero([cell in unread for cell in part[name].tolist()])
        for split, part in frame.splits.items()
    }


def _fitting(forms: DateForms, kind: str) -> list[str]:
    if kind == "date":
        return list(forms.forms)
    if kind in EPOCH_FORMS:
        return []
    first = kind == "date-day-first"
    return [form for form in forms.forms if form == ISO or _day_first(form) == first]


def zones(frame: Frame, name: str) -> tuple[list[str], list[str]]:
    """The different cells of a column of dates that have a time zone, and those that have none."""
    cells = sorted(set(dated_cells(texts_of(frame.whole(name)))))
    parts: tuple[list[str], list[str]] = ([], [])
    for cell in cells:
        parts[not _has_zone(cell)].append(cell)
    return parts


def _has_zone(cell: str) -> bool:
    try:
        return datetime.fromisoformat(cell).tzinfo is not None
    except ValueError:
        return False  # another form than ISO's, or no date: such have no zone


def _of_zones(frame: Frame, name: str) -> list[str]:
    with_zone, without = zones(frame, name)
    if not with_zone or not without:
        return []
    return [
        f"of the dates of '{name}' {len(with_zone):,} have a time zone ('{with_zone[0]}') and "
        f"{len(without):,} have none ('{without[0]}'). Write all alike, or say --input {name}=date "
        "to take those without as UTC."
    ]


def _day_first(form: str) -> bool:
    return form.find("%d") < max(form.find(month) for month in ("%m", "%b", "%B"))


def _problem(frame: Frame, name: str, kind: str, forms: DateForms) -> str:
    cells = dated_cells(frame.whole(name).tolist())[:SHOWN]
    shown = ", ".join(f"'{cell}'" for cell in cells)
    if len(forms.forms) > 1:
        return (
            f"the dates of '{name}' ({shown}) can be read in two ways. Say which:\n"
            f"  --input {name}=date-day-first     the day comes first\n"
            f"  --input {name}=date-month-first   the month comes first"
        )
    if forms.forms:
        return f"no dates of '{name}' ({shown}) are {kind}: they are written as {forms.forms[0]}."
    counts = ", ".join(f"{count:,} as {form}" for form, count in forms.counts.most_common())
    return (
        f"the dates of '{name}' are written in several forms: {counts}. Write all in one, such "
        f"as 2026-11-26, or say --input {name}=none."
    )
