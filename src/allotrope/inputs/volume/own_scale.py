"""Volumes whose values have no absolute scale, each normalized by its own: as nodes."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder

FARTHEST = 5.0
"""Deviations from the mean behind which values are not told apart."""
FLAT = 1e-6
"""A volume of a smaller deviation is flat."""


def normalized_each(build: Builder, x: str) -> str:
    """Values [n, d, h, w] less a mean, by a deviation, cut at `FARTHEST`; gives their name.

    Mean and deviation are of the voxels above the mean of all, the foreground of Nyul and Udupa
    1999: what lies around a body is dark, and a scan may hold more or less of it.
    """

    def add(operator: str, inputs: list[str], kind: str) -> str:
        return build.add(operator, inputs, name=f"{x}.{kind}")

    axes = build.constant(np.array([1, 2, 3], np.int64), f"{x}.places")
    least = build.constant(np.float32(1), f"{x}.least")
    mask = add("Greater", [x, add("ReduceMean", [x, axes], "middle")], "foreground")
    inside = build.add("Cast", [mask], {"to": 1}, name=f"{x}.inside")
    count = add("Max", [add("ReduceSum", [inside, axes], "voxels"), least], "count")
    total = add("ReduceSum", [add("Mul", [x, inside], "kept"), axes], "total")
    centered = add("Sub", [x, add("Div", [total, count], "mean")], "centered")
    own = add("Mul", [centered, inside], "own")
    squares = add("ReduceSum", [add("Mul", [own, own], "squared"), axes], "squares")
    deviation = add("Sqrt", [add("Div", [squares, count], "variance")], "deviation")
    flat = build.constant(np.float32(FLAT), f"{x}.flat")
    scaled = add("Div", [centered, add("Max", [deviation, flat], "scale")], "scaled")
    ends = [build.constant(np.float32(end), f"{x}.end") for end in (-FARTHEST, FARTHEST)]
    return add("Clip", [scaled, *ends], "cut")
