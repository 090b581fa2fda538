"""The training pictures by which it is found out what a network is meant to see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sample:
    """Pictures uint8 [n, h, w, c] of the data `name`, and which of `classes` each shows [n]."""

    name: str
    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        _, height, width, _ = self.images.shape
        return height, width

    @property
    def channels(self) -> int:
        """The channels of the pictures: 1 or 3."""
        return int(self.images.shape[3])
