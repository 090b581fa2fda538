"""Data as a network takes it that was trained before, and says of what: its codes, its classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from allotrope.config import KnownColumns
from allotrope.data.examples import Data, Examples
from allotrope.data.recognize.date_order import date_kind
from allotrope.data.recognize.joined_flags import LABELS
from allotrope.data.suited_columns import LISTED, LabelsFor, misfit, recoded_cells
from allotrope.errors import UsageError
from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.text_input import Text
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.inputs.volume.volume import Volume
from allotrope.tasks import MultiLabel, Task

Column = TypeVar("Column", Input, Task)
AT_ONCE = 65_536
"""Rows of a table that are looked at at a time: they may lie on disk."""


def known_columns(inputs: Sequence[Input], tasks: Sequence[Task]) -> KnownColumns:
    """What reading has to know of columns, so that they suit a network with these."""
    targets: list[str] = []
    for task in tasks:
        # Flags of several columns were joined under this name; each is a column of its own again.
        if isinstance(task, MultiLabel) and task.name.rstrip("_") == LABELS:
            targets += task.labels
        else:
            targets.append(task.name)
    known, texts = dict[str, str](), dict[str, tuple[str, ...]]()
    for each in inputs:
        if isinstance(each, Table):
            known |= dict(zip(each.columns, _cell_kinds(each), strict=True))
            texts |= {each.columns[place]: each.categories[place] for place in each.coded}
        elif isinstance(each, Image | Text | Volume):
            known[each.name] = each.kind
        elif isinstance(each, Tokens):
            known[each.name] = Text.kind
    grids = [(each.shape, each.spacing) for each in inputs if isinstance(each, Volume)]
    kinds = {task.name: task.kind for task in tasks if task.name in targets}
    return KnownColumns(tuple(targets), kinds, known, texts, grids[0] if grids else None)


def _cell_kinds(table: Table) -> list[str]:
    kinds = ["number"] * len(table.columns)
    for place, form in enumerate(table.dates):
        if form:
            kinds[place] = date_kind(form)
    for place in table.coded:
        kinds[place] = "categorical"
    return kinds


def suited(
    data: Data,
    inputs: Sequence[Input],
    tasks: Sequence[Task],
    file: str,
    new_head: bool = False,
) -> Data:
    """The data with the columns of a network with these inputs and tasks, by their names.

    What was left out or renamed is added to its lines. With a `new_head` its tasks are its own.

    Raises: UsageError for everything that the network takes and the data lacks, or has otherwise.
    """
    suiting = _Suiting(data)
    for each in inputs:
        suiting.take(each, inputs)
    tasks = data.tasks if new_head else tasks
    for task in tasks:
        suiting.judge_by(task, tasks)
    lacking = {task.name for task in data.tasks} - suiting.used
    suiting.problems += [f"it answers nothing like '{name}'" for name in sorted(lacking)]
    if not suiting.tasks and not suiting.problems:
        suiting.problems.append("the data has labels of no task of it")
    if suiting.problems:
        takes = ", ".join(f"'{each.name}' ({each.kind})" for each in inputs)
        answers = ", ".join(f"'{task.name}' ({task.kind})" for task in tasks)
        raise UsageError(
            f"{data.name} does not suit {file}: {'; '.join(suiting.problems)}. The network takes "
            f"{takes} and answers {answers}. Bring columns to these names and kinds, by "
            "--target and --input if they are there, or take a network of the zoo."
        )
    return suiting.done()


@dataclass
class _Suiting:
    """Columns of the data in the form of the network's, and what keeps some from it.

    `source` is the data's name for each task of the network.
    """

    data: Data
    notes: list[str] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    source: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def done(self) -> Data:
        """The data with these columns alone."""
        left_out = [each.name for each in self.data.inputs if each.name not in self.used]
        if left_out:
            names = ", ".join(f"'{name}'" for name in left_out)
            self.notes.append(f"The network takes no {names}: left out.")
        splits = {
            split: Examples(self.columns[split], examples.origin)
            for split, examples in self.data.splits.items()
        }
        # The task that decides stays in front.
        order = [task.name for task in self.data.tasks]
        tasks = sorted(self.tasks, key=lambda task: order.index(self.source[task.name]))
        said = {**self.data.summary, "notes": [*self.data.summary.get("notes", ()), *self.notes]}
        return replace(
            self.data,
            inputs=tuple(self.inputs),
            tasks=tuple(tasks),
            splits=splits,
            summary=said,
            lines=(*self.data.lines, *(f"note: {line}" for line in self.notes)),
        )

    # --- inputs

    def take(self, wanted: Input, among: Sequence[Input]) -> None:
        """One input of the network from the data."""
        if isinstance(wanted, Table):
            self._take_row(wanted)
            return
        own = self._counterpart(wanted, among, self.data.inputs)
        if own is None:
            self.problems.append(f"there is no '{wanted.name}' ({wanted.kind})")
            return
        problem = misfit(own, wanted)
        if problem:
            self.problems.append(problem)
        if isinstance(own, Text) and isinstance(wanted, Text):
            # Any length will do, so that training texts are cut as suits them.
            wanted = replace(own, name=wanted.name)
        if isinstance(own, Tokens) and isinstance(wanted, Tokens):
            wanted = replace(own, name=wanted.name)
            texts = {name: part[own.texts] for name, part in self.data.splits.items()}
            self._add(wanted.texts, texts)
        self.inputs.append(wanted)
        self._add(wanted.name, {name: part[own.name] for name, part in self.data.splits.items()})

    def _take_row(self, wanted: Table) -> None:
        """A row of cells, which the data may have in another order and among others."""
        tables = [each for each in self.data.inputs if isinstance(each, Table)]
        places = {name: (each, at) for each in tables for at, name in enumerate(each.columns)}
        lacking = [name for name in wanted.columns if name not in places]
        if lacking:
            more = f" and {len(lacking) - LISTED} more" if len(lacking) > LISTED else ""
            listed = ", ".join(f"'{name}'" for name in lacking[:LISTED])
            self.problems.append(f"there is no column {listed}{more}")
            return
        self.used |= {places[name][0].name for name in wanted.columns}
        strange = [name for table in tables for name in table.columns if name not in wanted.columns]
        if strange:
            listed = ", ".join(f"'{name}'" for name in strange[:LISTED])
            self.notes.append(f"The network takes no column {listed}: left out.")
        cells = [recoded_cells(*places[name], wanted, at) for at, name in enumerate(wanted.columns)]
        self.problems += [cell for cell in cells if isinstance(cell, str)]
        self.inputs.append(wanted)
        if any(isinstance(cell, str) for cell in cells):
            return
        sources = [places[name][0].name for name in wanted.columns]
        rows = {
            split: np.concatenate([*_recoded(part, sources, cells)])
            for split, part in self.data.splits.items()
        }
        self._add(wanted.name, rows)

    # --- tasks

    def judge_by(self, wanted: Task, among: Sequence[Task]) -> None:
        """One task of the network by the labels of the data, if it has some."""
        own = self._counterpart(wanted, among, self.data.tasks)
        if own is None:
            self.notes.append(
                f"The data has no labels for '{wanted.name}': the network answers it no longer."
            )
            return
        labels = LabelsFor(own, wanted)
        self.problems += labels.problems()
        if self.problems:
            return
        parts = {name: labels.of(part[own.name]) for name, part in self.data.splits.items()}
        self.tasks.append(labels.task())
        self.source[wanted.name] = own.name
        self._add(wanted.name, parts)

    def _counterpart(
        self, wanted: Column, among: Sequence[Column], own: Sequence[Column]
    ) -> Column | None:
        """The data's column of this name; else the only one of its kind that either has."""
        alike = [each for each in own if each.kind == wanted.kind]
        chosen = next((each for each in alike if each.name == wanted.name), None)
        single = len(alike) == len([each for each in among if each.kind == wanted.kind]) == 1
        if chosen is None and single:
            (chosen,) = alike
            self.notes.append(f"'{chosen.name}' stands for the network's '{wanted.name}'.")
        if chosen is not None:
            self.used.add(chosen.name)
        return chosen

    def _add(self, name: str, parts: Mapping[str, Any]) -> None:
        for split, column in parts.items():
            self.columns.setdefault(split, {})[name] = column


def _recoded(part: Examples, sources: Sequence[str], cells: Sequence[Any]) -> Iterator[np.ndarray]:
    """Rows float32 [m, k] of cells that are made of columns of these names, some at a time."""
    for start in range(0, len(part), AT_ONCE):
        rows = {name: part[name][start : start + AT_ONCE] for name in set(sources)}
        columns = [cell(rows[name]) for name, cell in zip(sources, cells, strict=True)]
        yield np.stack(columns, 1).astype(np.float32)
