"""Examples by named columns: what every reader gives and every training takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.data.line_titles import taken_titles
from allotrope.inputs.contract import Input
from allotrope.tasks import Task
from allotrope.tasks.contract import Encoded
from allotrope.wording import counted

SPLITS = ("train", "validation", "test")
UNLABELLED = "unlabelled"
"""A further split, if there is such: examples whose labels are all missing."""
IMAGE, LABEL = "image", "label"
"""What the columns of a source are called that does not name them itself."""


@dataclass(frozen=True)
class Examples:
    """Inputs and labels by column name, examples along the first axis, raw.

    Inputs are as the delivered file takes them, such as uint8 [n, h, w, c]; labels are as their
    task encodes them, such as the numbers of classes int64 [n].
    `origin` names the file or row that an example is from, if there is such. A column is an array,
    or rows that stay on disk (`store.stored_rows`): take `column[rows]` of it, not all at once.
    """

    columns: Mapping[str, np.ndarray]
    origin: Sequence[str] | None = None

    def __len__(self) -> int:
        """The number of examples."""
        return len(next(iter(self.columns.values()), ()))

    def __getitem__(self, name: str) -> np.ndarray:
        """The column of this name."""
        return self.columns[name]

    def take(self, rows: np.ndarray) -> Examples:
        """These rows only, in their order."""
        # `take` of a column that stays on disk reads nothing.
        columns = {name: column.take(rows, axis=0) for name, column in self.columns.items()}
        origin = None if self.origin is None else taken_titles(self.origin, rows)
        return Examples(columns, origin)

    def title(self, row: int, split: str) -> str:
        """The file or row that an example is from, or its place such as `test[12]`."""
        return f"{split}[{row}]" if self.origin is None else self.origin[row]


@dataclass(frozen=True)
class Data:
    """What a training may see (`train`, `validation`) and what judges it at the end (`test`).

    The network that trains has an input for each of `inputs` and an output for each of `tasks`,
    by their names. The first task decides, unless another one is asked for.
    `summary` is what was found in the source, for run.json, and `lines` say it in words.
    `taught` are targets and weights of training examples by task, in place of those of their
    labels: what a network before says of examples that have none.
    """

    name: str
    inputs: tuple[Input, ...]
    tasks: tuple[Task, ...]
    splits: Mapping[str, Examples]
    summary: dict[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    taught: Mapping[str, Encoded] = field(default_factory=dict)

    def __str__(self) -> str:
        size = counted(len(self.train), "training example")
        return "\n".join(self.lines) or f"{self.name}: {size}"

    @property
    def train(self) -> Examples:
        """What is learned from."""
        return self.splits["train"]

    @property
    def validation(self) -> Examples:
        """What choices are made by."""
        return self.splits["validation"]

    @property
    def test(self) -> Examples:
        """What takes part in no choice."""
        return self.splits["test"]

    def taken(self, split: str) -> dict[str, np.ndarray]:
        """What the network takes of a split: the columns of the inputs, by name."""
        return {each.name: self.splits[split][each.name] for each in self.inputs}
