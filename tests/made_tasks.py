"""A picture and a row of numbers with three tasks, of which a third of the labels are missing."""

from __future__ import annotations

import numpy as np

from allotrope.data.examples import Data, Examples
from allotrope.inputs.image.image import Image
from allotrope.inputs.table.table import Table
from allotrope.tasks import Classification, MultiLabel, Regression

SIDE = 9
TASKS = (
    Regression(name="height", unit="cm"),
    Classification(name="side", classes=("left", "middle", "right")),
    MultiLabel(name="tags", labels=("bright", "tall")),
)


def drawn(count: int, seed: int, gaps: bool) -> Examples:
    """A bar at a side of the picture: its height is told by picture and numbers together."""
    random = np.random.default_rng(seed)
    side, height = random.integers(0, 3, count), random.uniform(1, SIDE, count)
    bright, factor = random.random(count) < 0.5, random.uniform(0.5, 2.0, count)
    pictures = random.integers(0, 40, (count, SIDE, SIDE, 1))
    for row in range(count):
        left = 3 * side[row]
        pictures[row, : round(height[row]), left : left + 3] += 100 + 80 * bright[row]
    tags = np.stack([bright, height > SIDE / 2], 1).astype(np.int8)
    columns = {
        "picture": pictures.astype(np.uint8),
        "numbers": np.stack([factor, random.standard_normal(count)], 1).astype(np.float32),
        "height": height * factor,
        "side": side,
        "tags": tags,
    }
    if gaps:
        lacking = random.random((3, count)) < 1 / 3
        columns["height"] = np.where(lacking[0], np.nan, columns["height"])
        columns["side"] = np.where(lacking[1], -1, side)
        columns["tags"] = np.where(lacking[2][:, None], -1, tags).astype(np.int8)
    origin = tuple(f"bar {row}" for row in range(count))
    return Examples(columns, origin)


def bars(count: int = 300) -> Data:
    """The data; only training has gaps."""
    train = drawn(count, 0, gaps=True)
    inputs = (
        Image.of("picture", train["picture"]).fitted(train["picture"]),
        Table(name="numbers", columns=("factor", "noise")).fitted(train["numbers"]),
    )
    parts = {"train": train, "validation": drawn(100, 1, False), "test": drawn(100, 2, False)}
    return Data("bars", inputs, TASKS, parts, {"value_range": None})
