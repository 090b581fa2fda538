"""Resizing of old opsets in the newest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Node
from allotrope.network.reading.adapters import Upgrade, before, changed


@before(10, "Upsample")
def _upsample(node: Node, up: Upgrade) -> list[Node]:
    old = node.attributes
    scales_of_old = old.get("scales") or (
        1.0,
        1.0,
        old.get("height_scale", 1.0),
        old.get("width_scale", 1.0),
    )
    scales = (
        node.inputs[1]
        if len(node.inputs) > 1
        else up.constant(node, "scales", np.array(scales_of_old, np.float32))
    )
    attributes = {
        "mode": node.attributes.get("mode", "nearest"),
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    return [Node("Resize", (node.inputs[0], "", scales), node.outputs, attributes, node.name)]


@before(13, "Resize")
def _resize(node: Node, up: Upgrade) -> list[Node]:
    """Opset 10 counts positions from the corner."""
    if up.opset < 11:
        return _resized_from_the_corner(node, up)
    inputs = tuple(
        "" if name in up.arrays and up.arrays[name].size == 0 else name for name in node.inputs
    )
    if node.attributes.get("coordinate_transformation_mode") == "tf_half_pixel_for_nn":
        return [_tensorflow_nearest(changed(node, inputs=inputs))]
    return [changed(node, inputs=inputs)]


def _resized_from_the_corner(node: Node, up: Upgrade) -> list[Node]:
    """Resizes axes that shrink by themselves.

    Along these ONNX Runtime takes the next position and not the one before.
    """
    x, scales = node.inputs
    factors = up.arrays.get(scales)
    shrinks = None if factors is None else factors < 1
    # One node rounds all axes alike, so that axes which grow are resized by a node before, if any
    # shrink: a factor of 1 leaves an axis as it is.
    nearest = "ceil" if shrinks is not None and shrinks.any() else "floor"
    options: dict[str, Any] = {
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": nearest,
    }
    if (
        factors is None
        or nearest == "floor"
        or not (factors > 1).any()
        or node.attributes.get("mode") == "linear"
    ):
        return [changed(node, inputs=(x, "", scales), **options)]
    larger = up.constant(node, "larger", np.maximum(factors, 1))
    smaller = up.constant(node, "smaller", np.minimum(factors, 1))
    grown = up.fresh(node, "grown")
    return [
        changed(
            replace(node, outputs=(grown,), name=grown),
            inputs=(x, "", larger),
            **{**options, "nearest_mode": "floor"},
        ),
        changed(node, inputs=(grown, "", smaller), **options),
    ]


_HALF_A_PLACE_ON = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}
"""How a position is rounded half a place before it, so that the same place comes out."""


def _tensorflow_nearest(node: Node) -> Node:
    """Positions of tf_half_pixel_for_nn, (x + 0.5) / scale: half a place beyond half_pixel's."""
    kind, rounding = (
        node.attributes.get("mode", "nearest"),
        node.attributes.get("nearest_mode", "round_prefer_floor"),
    )
    if kind != "nearest" or rounding not in _HALF_A_PLACE_ON:
        raise UnsupportedError(
            f"tf_half_pixel_for_nn with mode={kind} and nearest_mode={rounding}; TensorFlow's is "
            "nearest, floor"
        )
    return changed(
        node, coordinate_transformation_mode="half_pixel", nearest_mode=_HALF_A_PLACE_ON[rounding]
    )


@before(20, "GridSample")
def _grid_sample(node: Node, up: Upgrade) -> list[Node]:
    mode = str(node.attributes.get("mode", "bilinear"))
    return [changed(node, mode={"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))]
