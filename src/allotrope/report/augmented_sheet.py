"""Augmented examples for people: a contact sheet of pictures, or lines of texts and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from allotrope.architectures.augmented_examples import AugmentedExamples
from allotrope.data.examples import Data
from allotrope.inputs.contract import Shown
from allotrope.report.contact_sheet import contact_sheet
from allotrope.tasks import Classification


def augmented_sheet(data: Data, made: AugmentedExamples, preset: str, out: Path | None) -> Path:
    """The file that shows them: pictures in rows and columns, or lines to read.

    `out` is its path; without one it is called after data and preset, in this folder.
    """
    seen = {
        each.name: [[each.show(one) for one in column] for column in made.shown[each.name]]
        for each in data.inputs
    }
    drawn = next((name for name, columns in seen.items() if columns[0][0].picture is not None), "")
    names = [_label(data, row) for row in made.rows.tolist()]
    if not drawn:
        path = out or _free(f"{data.name}-{preset}", ".txt")
        path.write_text(_lines(seen, names), encoding="utf-8")
        return path
    columns = seen[drawn]
    rows: list[list[np.ndarray]] = [
        [shown.picture for column in columns if (shown := column[place]).picture is not None]
        for place in range(len(names))
    ]
    heads = ["as it is", *(f"epoch {number}" for number in range(1, len(columns)))]
    path = out or _free(f"{data.name}-{preset}", ".png")
    contact_sheet(rows, heads, names).save(path)
    return path


def _label(data: Data, row: int) -> str:
    """What the example is labelled with, by the first task."""
    task = data.tasks[0]
    value = np.ravel(data.train[task.name][row])
    if isinstance(task, Classification) and value[0] >= 0:
        return task.classes[int(value[0])]
    return ", ".join(f"{number:g}" for number in value)


def _lines(seen: Mapping[str, Sequence[Sequence[Shown]]], names: Sequence[str]) -> str:
    """Each example as it is, and below it as in each epoch."""
    lines = []
    for place, name in enumerate(names):
        lines.append(f"[{name}]")
        count = len(next(iter(seen.values())))
        for number in range(count):
            words = [_words(columns[number][place]) for columns in seen.values()]
            head = "as it is" if not number else f"epoch {number}"
            lines.append(f"  {head:<9} {'; '.join(words)}")
        lines.append("")
    return "\n".join(lines)


def _words(shown: Shown) -> str:
    cells = ", ".join(f"{name} {value}" for name, value in shown.cells)
    return " ".join(part for part in (shown.text, cells) if part)


def _free(stem: str, suffix: str) -> Path:
    """A file of this folder that is not there yet."""
    path, number = Path(f"{stem}{suffix}"), 1
    while path.exists():
        number += 1
        path = Path(f"{stem}-{number}{suffix}")
    return path
