"""Products of integers on their way to the float numbers that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.network.graph import Node


@dataclass(frozen=True)
class Product:
    """An int32 product of x, whose scale is a value of the graph, with an array of whole numbers.

    `source` is the array of integers that it was, `scaled` whether the scale of x is in it already.
    """

    node: Node
    x: str
    scale: str
    weight: np.ndarray
    source: str
    scaled: bool = False


@dataclass(frozen=True)
class Factor:
    """The scale of an activation times that of an array."""

    scale: str
    array: np.ndarray
