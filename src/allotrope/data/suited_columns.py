"""Columns of data in the codes and classes of a network that was trained before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.table.table import Table
from allotrope.inputs.volume.volume import Volume
from allotrope.tasks import Classification, MultiLabel, Task

LISTED = 8


def misfit(own: Input, wanted: Input) -> str:
    """Why an input of the data cannot be the network's; nothing if it can."""
    if isinstance(own, Image) and isinstance(wanted, Image):
        sizes = [(each.height, each.width, each.channels) for each in (own, wanted)]
        if sizes[0] != sizes[1]:
            return f"'{own.name}' is {sizes[0]}, and the network takes {sizes[1]}"
    if isinstance(own, Volume) and isinstance(wanted, Volume) and own.shape != wanted.shape:
        return f"'{own.name}' is {own.shape}, and the network takes {wanted.shape}"
    return ""


def recoded_cells(own: Table, at: int, wanted: Table, to: int) -> Any:
    """What makes cells as the network takes them of rows x [n, k]; or why there is nothing."""
    name = own.columns[at]
    if (at in own.coded) != (to in wanted.coded):
        kinds = [
            "categories" if coded else "numbers" for coded in (at in own.coded, to in wanted.coded)
        ]
        return f"'{name}' holds {kinds[0]}, and the network takes {kinds[1]}"
    if at not in own.coded:
        return lambda x: x[:, at]
    codes = {text: code for code, text in enumerate(wanted.categories[to], 1)}
    # Code 0 is any other text, here and there.
    table = np.array([0, *(codes.get(text, 0) for text in own.categories[at])], np.float32)

    def recoded(x: np.ndarray) -> np.ndarray:
        known = np.nan_to_num(x[:, at]).astype(int)
        return np.where(np.isnan(x[:, at]), np.nan, table[known])

    return recoded


@dataclass(frozen=True)
class LabelsFor:
    """Labels of a task of the data in the terms of the network's."""

    own: Task
    wanted: Task

    def task(self) -> Task:
        """The network's task, as the data judges it; what is settled later is not yet."""
        if isinstance(self.own, Classification) and isinstance(self.wanted, Classification):
            return replace(self.own, name=self.wanted.name, classes=self.wanted.classes)
        if isinstance(self.own, MultiLabel) and isinstance(self.wanted, MultiLabel):
            return replace(self.own, name=self.wanted.name, labels=self.wanted.labels)
        return replace(self.own, name=self.wanted.name)

    def problems(self) -> list[str]:
        """What the network does not answer."""
        own, wanted = _names(self.own), _names(self.wanted)
        strange = [name for name in own if name not in wanted]
        if strange:
            listed = ", ".join(f"'{name}'" for name in strange[:LISTED])
            known = ", ".join(f"'{name}'" for name in wanted[:LISTED])
            return [f"'{self.own.name}' has {listed}, and the network knows {known}"]
        if not own and self.own.size != self.wanted.size:
            return [
                f"'{self.own.name}' is {self.own.size} numbers, and the network answers "
                f"{self.wanted.size}"
            ]
        return []

    def of(self, labels: np.ndarray) -> np.ndarray:
        """The labels; those that the data does not know are missing."""
        own, wanted = _names(self.own), _names(self.wanted)
        if own == wanted:
            return labels
        if isinstance(self.wanted, Classification):
            codes = np.array([*(wanted.index(name) for name in own), -1], np.int64)
            return codes[labels]
        flags = np.full((len(labels), len(wanted)), np.nan, np.float32)
        flags[:, [wanted.index(name) for name in own]] = np.where(labels < 0, np.nan, labels)
        return flags


def _names(task: Task) -> tuple[str, ...]:
    """What a task tells apart; nothing if it is a quantity."""
    if isinstance(task, Classification):
        return task.classes
    return task.labels if isinstance(task, MultiLabel) else ()
