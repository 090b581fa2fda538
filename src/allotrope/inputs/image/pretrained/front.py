"""Arithmetic that a network does on its raw input first, and the ranges that make sense of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allotrope.inputs.image.pretrained.readings import PLAIN, PixelReading
from allotrope.inputs.image.pretrained.trial import in_layout
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.preprocessing import preprocessing
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.used import used

ARITHMETIC = frozenset({"Add", "Div", "Mul", "Sub"})


def sensible(
    network: Network, readings: Sequence[PixelReading], shape: tuple[int, int, int], layout: str
) -> list[PixelReading]:
    """The plain ranges of which the network's own preparation makes a usual one.

    All readings if there is no telling.

    `shape` is height, width and channels of an image. Black and white ones are sent through the
    preparation, so that neither weights nor data are asked: a network that divides by 255 itself
    makes values from 0 to 1 of raw pixels alone.
    """
    arrays = {**network.graph.constants, **network.weights}
    nodes = preprocessing(replace(network.graph, constants=arrays))
    if not any(node.operator in ARITHMETIC for node in nodes):
        return list(readings)
    prepared = _prepared(network, nodes)
    ends = np.zeros((2, *shape), np.uint8)
    ends[1] = 255
    fitting = []
    for reading in (reading for reading in readings if reading.range in PLAIN):
        x = in_layout(reading.values(ends), layout)
        values = next(iter(prepared.run({network.inputs[0].name: x}).values()))
        low, high = (float(value) for value in values.reshape(2, -1).astype(np.float64).mean(1))
        if _is_usual(low, high, prepared_outside=max(reading.std) != 1):
            fitting.append(reading)
    return fitting or list(readings)


def _prepared(network: Network, nodes: Sequence[Node]) -> Network:
    """The preparation alone, with what it ends in as its output."""
    x = network.inputs[0]
    arrays = {**network.graph.constants, **network.weights}
    taken = {name for node in nodes for name in used(node)}
    constants = {name: array for name, array in arrays.items() if name in taken}
    last = Value(nodes[-1].outputs[0], x.dtype, None)
    graph = Graph(inputs=(x,), outputs=(last,), nodes=tuple(nodes), constants=constants)
    return Network(infer_shapes(graph, {}), {}, frozenset())


def _is_usual(low: float, high: float, prepared_outside: bool) -> bool:
    """Whether black and white are where some usual range has them.

    From 0 to 255 they are only if a network undid what was done to the pixels: arithmetic that
    leaves raw pixels raw is for another range, as a half that is taken away from them.
    """
    plain = [(0.0, 1.0), (-1.0, 1.0), (-0.5, 0.5), (-128.0, 127.0)]
    if prepared_outside:
        plain.append((0.0, 255.0))
    span = high - low
    if any(abs(low - a) + abs(high - b) < 0.02 * (b - a) for a, b in plain):
        return True
    without_mean = 250 < span < 260 and -170 < low < -60
    by_deviation = 2.5 < span < 8 and -4 < low < -0.3 and (low + high) / 2 > -0.8
    return without_mean or by_deviation
