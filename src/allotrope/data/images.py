"""Labelled images in memory: what every reader gives and every training takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.tasks import Classification, Task

SPLITS = ("train", "validation", "test")
INPUT, TASK = "image", "label"
"""What the columns are called; the network that trains has the same names."""


@dataclass(frozen=True)
class ImageSplit:
    """Images [n, h, w, c] uint8, labels [n] int64; `files` names the picture of a row, if any."""

    images: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """Images and labels by the names of their columns."""
        return {INPUT: self.images, TASK: self.labels}

    @property
    def taken(self) -> dict[str, np.ndarray]:
        """What the network takes, by name."""
        return {INPUT: self.images}

    def take(self, rows: np.ndarray) -> ImageSplit:
        """The split of these rows only, in their order."""
        files = tuple(self.files[row] for row in rows) if self.files is not None else None
        return ImageSplit(self.images[rows], self.labels[rows], files)

    def counts(self, classes: int) -> np.ndarray:
        """The number of images of each class: [classes]."""
        return np.bincount(self.labels, minlength=classes)

    def title(self, row: int, split: str) -> str:
        """The file of a row, or its place such as `test[12]`."""
        return self.files[row] if self.files is not None else f"{split}[{row}]"


@dataclass(frozen=True)
class ImageData:
    """What a training may see (`train`, `validation`) and what judges it at the end (`test`)."""

    name: str
    classes: tuple[str, ...]
    train: ImageSplit
    validation: ImageSplit
    test: ImageSplit
    summary: dict[str, Any]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What is to be learned."""
        return (Classification(name=TASK, classes=self.classes),)

    @property
    def image(self) -> tuple[int, int, int]:
        """Channels, height and width of every image."""
        _, height, width, channels = self.train.images.shape
        return channels, height, width


@dataclass
class Reading:
    """What a reader found: the splits that the source brings, and remarks for the user.

    `sizes` counts (height, width) and `modes` counts Pillow's mode of each picture as it was found.
    `value_range` are the values that were stretched to 0..255, if what was found had more than 8
    bits.
    """

    name: str
    classes: tuple[str, ...]
    splits: dict[str, ImageSplit]
    sizes: Mapping[tuple[int, int], int]
    modes: Mapping[str, int]
    notes: list[str] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    value_range: tuple[float, float] | None = None
