"""Pooling and resizing: places within an example are joined, channels pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, Whole
from allotrope.shrinking.relations import relates


@relates(
    *("AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool"),
)
def pooling(junction: Junction) -> Sequence[Axes]:
    """x: [n, c, …]."""
    if any(junction.node.outputs[1:]):
        raise Whole("its indices count over all channels")
    places: Axes = (None,) * (len(junction.inputs[0]) - 2)
    return [(*(junction.passed(junction.take(0, axis)) for axis in (0, 1)), *places)]


@relates("Resize")
def resize(junction: Junction) -> Sequence[Axes]:
    """Axes that keep their length pass."""
    if junction.has(1) and junction.node.attributes.get("coordinate_transformation_mode") == (
        "tf_crop_and_resize"
    ):
        raise Whole("it cuts parts out")
    chosen = junction.node.attributes.get("axes", range(len(junction.inputs[0])))
    scales, sizes = junction.constant(2), junction.constant(3)
    made = junction.made()
    resized = {axis % len(made) for axis in chosen}
    if scales is not None and scales.size:
        resized = {a % len(made) for a, by in zip(chosen, scales, strict=True) if by != 1}
    elif sizes is not None:
        resized = {axis for axis in resized if junction.shape()[axis] != made[axis]}
    axes: list = [None] * len(made)
    for axis in set(range(len(made))) - resized:
        axes[axis] = junction.passed(junction.take(0, axis))
    return [tuple(axes)]


@follows("Resize")
def to_sizes(cut: Cut, index: int, node: Node) -> Node:
    """Sizes that name an axis that was cut."""
    if not node.input(3):
        return node
    sizes = cut.rewriter.arrays[node.inputs[3]].copy()
    masks = cut.masks(index)
    for place, axis in enumerate(node.attributes.get("axes", range(len(masks)))):
        mask = masks[axis]
        if mask is not None:
            sizes[place] = np.count_nonzero(mask)
    return cut.with_constant(node, 3, sizes)
