"""The form in which a network takes a picture: its layout, and the lengths that it is fixed to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network
from allotrope.network.used import used

COUNTS = (1, 3)
"""How many channels networks take that leave it open."""


@dataclass(frozen=True)
class PictureForm:
    """How a network takes an image: `layout`, and any fixed height, width and channels."""

    layout: str
    height: Dimension
    width: Dimension
    channels: Dimension


def picture_side(network: Network) -> int | None:
    """The side in pixels of the square images that the network is fixed to.

    None if it is free, or not square.
    """
    form = form_of(network)
    if form is None or form.height != form.width:
        return None
    if isinstance(form.height, int):
        return form.height
    return None


def form_of(network: Network) -> PictureForm | None:
    """How the network takes an image; None for rows of numbers, or what is none."""
    x = None
    if len(network.inputs) == 1:
        x = network.inputs[0]
    if x is None or x.shape is None or len(x.shape) not in (3, 4):
        return None
    return form_of_value(network, x)


def fixed(
    network: Network, form: PictureForm, count: int, size: tuple[int, int], batch: Dimension = "n"
) -> Network:
    """The network for images of this size and channel count, with the shapes that follow."""
    x = network.inputs[0]
    height, width = size
    shapes: dict[str, tuple[Dimension, ...]] = {
        "nchw": (batch, count, height, width),
        "nhwc": (batch, height, width, count),
        "nhw": (batch, height, width),
        "flat": (batch, height * width),
    }
    return network.changed(inputs=(replace(x, shape=shapes[form.layout]),))


def form_of_value(network: Network, x: Value) -> PictureForm:
    """Of an input with 3 or 4 axes."""
    shape = x.shape or ()
    if len(shape) == 3:
        return PictureForm("nhw", shape[1], shape[2], 1)
    if _channels_last(network, x):
        return PictureForm("nhwc", shape[1], shape[2], shape[3])
    return PictureForm("nchw", shape[2], shape[3], shape[1])


def _channels_last(network: Network, x: Value) -> bool:
    """By the lengths.

    If they leave it open, by whether the network first moves the last axis to the second place.
    """
    _, second, _, last = x.shape or (None,) * 4
    if last in COUNTS and isinstance(second, int) and second not in COUNTS:
        return True
    if isinstance(second, int):
        return last in COUNTS and x.dtype == np.uint8
    reached = {x.name}
    for node in network.graph.nodes:
        if not reached & used(node):
            continue
        if node.operator == "Transpose":
            return tuple(node.attributes.get("perm", ())) == (0, 3, 1, 2)
        if node.operator in ("Conv", "MatMul", "Gemm"):
            return False
        reached |= set(node.outputs)
    return last in COUNTS
