"""Pooling and resizing: places within an example are joined, channels pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrink.cutting import Cutting, follows
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, Whole


@relates(
    *("AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool"),
)
def pooling(site: Site) -> Sequence[Axes]:
    """x: [n, c, …]."""
    if any(site.node.outputs[1:]):
        raise Whole("its indices count over all channels")
    places: Axes = (None,) * (len(site.inputs[0]) - 2)
    return [(*(site.passed(site.take(0, axis)) for axis in (0, 1)), *places)]


@relates("Resize")
def resize(site: Site) -> Sequence[Axes]:
    """Axes that keep their length pass."""
    if site.has(1) and site.node.attributes.get("coordinate_transformation_mode") == (
        "tf_crop_and_resize"
    ):
        raise Whole("it cuts parts out")
    chosen = site.node.attributes.get("axes", range(len(site.inputs[0])))
    scales, sizes = site.constant(2), site.constant(3)
    made = site.made()
    resized = {axis % len(made) for axis in chosen}
    if scales is not None and scales.size:
        resized = {a % len(made) for a, by in zip(chosen, scales, strict=True) if by != 1}
    elif sizes is not None:
        resized = {axis for axis in resized if site.shape()[axis] != made[axis]}
    axes: list = [None] * len(made)
    for axis in set(range(len(made))) - resized:
        axes[axis] = site.passed(site.take(0, axis))
    return [tuple(axes)]


@follows("Resize")
def to_sizes(cutting: Cutting, index: int, node: Node) -> Node:
    """Sizes that name an axis that was cut."""
    if not node.input(3):
        return node
    sizes = cutting.rewriter.arrays[node.inputs[3]].copy()
    masks = cutting.masks(index)
    for place, axis in enumerate(node.attributes.get("axes", range(len(masks)))):
        mask = masks[axis]
        if mask is not None:
            sizes[place] = np.count_nonzero(mask)
    return cutting.with_constant(node, 3, sizes)
