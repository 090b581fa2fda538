"""The steps that bend and shrink the maps: the activation, and pooling."""

from __future__ import annotations

import numpy as np

from allotrope.explaining.followed import Followed
from allotrope.explaining.way import Changed
from allotrope.report.explained.liveliest import channel_of
from allotrope.report.explained.panels import (
    Bars,
    Panel,
    Points,
    TableRow,
    Tiles,
    WayStep,
    number,
    short,
    signed_grid,
    signed_tile,
)
from allotrope.wording import counted

MOST_POINTS = 400
NAMES = {
    "Relu": "ReLU: max(x, 0)",
    "Clip": "ReLU6: max(x, 0), at most 6",
    "Gelu": "GELU: x times the share of normal numbers below x",
    "SiLU": "SiLU: x times sigmoid(x)",
    "LeakyRelu": "leaky ReLU: a part of x below 0",
    "PRelu": "PReLU: a learned part of x below 0",
    "Tanh": "tanh, which ends at −1 and 1",
    "Sigmoid": "sigmoid: 1 / (1 + exp(−x))",
}
STRONGEST = 8


def activation_step(way: Followed, channel: int | None) -> WayStep:
    """What bends the numbers, one by one."""
    title, activation = "Activation", way.way.activation
    if activation is None:
        lines = ["This network bends no numbers: without an activation its layers are one layer."]
        return WayStep("activation", title, lines, [], True)
    taken, made = way.arrays[activation.taken.name], way.arrays[activation.made.name]
    name = NAMES.get(activation.operator, activation.operator)
    below = int((taken < 0).sum())
    lines = [
        _normalized(way),
        f"Then every number goes by itself through {name}. Of {counted(taken.size, 'number')} "
        f"{below:,} were below 0; now {_are_zero(made)}.",
        "Without such a bend any number of layers would be no more than one layer.",
    ]
    panels: list[Panel] = []
    if taken.ndim == 3:
        place = channel_of(way, activation, channel)
        panels.append(_before_and_after(taken[place], made[place], place))
        taken, made = taken[place], made[place]
    panels.append(_curve(taken, made, name.partition(":")[0]))
    return WayStep("activation", title, lines, panels)


def _are_zero(made: np.ndarray) -> str:
    count = int((made == 0).sum())
    return f"{count:,} are 0" if count else "none is exactly 0"


def _normalized(way: Followed) -> str:
    """What normalizes the numbers first."""
    normalization = way.way.normalization
    if normalization is None:
        return "Nothing normalizes the numbers in front of this activation."
    taken, made = way.arrays[normalization.taken.name], way.arrays[normalization.made.name]
    name = normalization.operator.removesuffix("Normalization").lower()
    return (
        f"First {name} normalization brings the numbers to one size: from "
        f"{_range(taken)} to {_range(made)}."
    )


def _range(values: np.ndarray) -> str:
    return f"{number(float(values.min()))} … {number(float(values.max()))}"


def _before_and_after(taken: np.ndarray, made: np.ndarray, place: int) -> Tiles:
    most = float(max(np.abs(taken).max(), np.abs(made).max()))
    tiles = [
        signed_tile(taken, most, "before", width=168),
        signed_tile(made, most, "after", width=168),
    ]
    return Tiles(f"Map {place}", tiles, "One scale: blue is below 0, orange above.")


def _curve(taken: np.ndarray, made: np.ndarray, name: str) -> Points:
    """Some of the numbers as points: what went in, what came out."""
    x, y = taken.ravel().astype(float), made.ravel().astype(float)
    order = np.argsort(x, kind="stable")
    picked = order[np.unique(np.linspace(0, len(order) - 1, MOST_POINTS).astype(int))]
    side, edge = Points.side, 12
    low_x, high_x = min(float(x.min()), 0.0), max(float(x.max()), 1e-6)
    low_y, high_y = min(float(y.min()), 0.0), max(float(y.max()), 1e-6)

    def across(value: float) -> float:
        return round(edge + (side - 2 * edge) * (value - low_x) / (high_x - low_x), 1)

    def up(value: float) -> float:
        return round(side - edge - (side - 2 * edge) * (value - low_y) / (high_y - low_y), 1)

    points = sorted({(across(x[place]), up(y[place])) for place in picked.tolist()})
    ends = tuple(number(value) for value in (low_x, high_x, low_y, high_y))
    return Points(
        f"{name}, by these numbers",
        points,
        (across(0.0), up(0.0)),
        (ends[0], ends[1], ends[2], ends[3]),
        "Each point is a number of the map: across what went in, upwards what came out.",
    )


def pooling_step(way: Followed, channel: int | None) -> WayStep:
    """What makes the maps smaller."""
    title, pooling, whole = "Pooling", way.way.pooling, way.way.whole_pooling
    if pooling is None and whole is None:
        return WayStep("pooling", title, [f"This network pools nothing. {_instead(way)}"], [], True)
    lines, panels = [], list[Panel]()
    if pooling is not None:
        sentence, drawn = _windows(way, pooling, channel)
        lines.append(sentence)
        panels += drawn
    else:
        lines.append(f"No window goes over the maps. {_instead(way)}")
    if whole is not None:
        sentence, drawn = _whole(way, whole)
        lines.append(sentence)
        panels += drawn
    return WayStep("pooling", title, lines, panels)


def _instead(way: Followed) -> str:
    strided = [
        each.node.label
        for each in way.way.convolutions
        if max(each.node.attributes.get("strides", (1, 1))) > 1
    ]
    if strided:
        return (
            f"{counted(len(strided), 'convolution')} with a stride, {strided[0]} the first, make "
            "the maps smaller instead."
        )
    if way.way.attention:
        return "Attention joins what lies apart."
    return "Nothing makes the picture smaller before its numbers are joined."


def _windows(way: Followed, pooling: Changed, channel: int | None) -> tuple[str, list[Panel]]:
    taken, made = way.arrays[pooling.taken.name], way.arrays[pooling.made.name]
    place = channel_of(way, pooling, channel)
    sides = tuple(pooling.node.attributes.get("kernel_shape", (2, 2)))
    rule = "the largest" if pooling.operator == "MaxPool" else "the mean"
    sentence = (
        f"Of every {sides[0]} × {sides[1]} numbers {rule} stays ({pooling.node.label}): "
        f"{len(taken)} maps of {taken.shape[1]} × {taken.shape[2]} become {made.shape[1]} × "
        f"{made.shape[2]}. What moved by a pixel often stays the same, and what follows has less "
        "to compute."
    )
    most = float(np.abs(taken).max())
    tiles = [
        signed_tile(taken[place], most, f"before, {taken.shape[1]} × {taken.shape[2]}", width=168),
        signed_tile(made[place], most, f"after, {made.shape[1]} × {made.shape[2]}", width=168),
    ]
    panels: list[Panel] = [Tiles(f"Map {place}", tiles)]
    corner = _corner(taken[place], made[place], pooling)
    if corner is not None:
        row, column, window = corner
        result = short(float(made[place][row, column]))
        note = f"Row {row}, column {column} of the smaller map: {result}."
        panels.append(signed_grid("One window", window, most, note))
    return sentence, panels


def _corner(
    taken: np.ndarray, made: np.ndarray, pooling: Changed
) -> tuple[int, int, np.ndarray] | None:
    """The window whose result is the largest; None if it reaches beyond the map."""
    attributes = pooling.node.attributes
    sides = attributes.get("kernel_shape", (2, 2))
    strides = attributes.get("strides", sides)
    pads = attributes.get("pads", (0, 0, 0, 0))
    row, column = (int(place) for place in np.unravel_index(made.argmax(), made.shape))
    top, left = row * strides[0] - pads[0], column * strides[1] - pads[1]
    window = taken[max(top, 0) : top + sides[0], max(left, 0) : left + sides[1]]
    return (row, column, window) if window.shape == tuple(sides) else None


def _whole(way: Followed, pooling: Changed) -> tuple[str, list[Panel]]:
    """A map that becomes one number."""
    made = way.arrays[pooling.made.name].reshape(-1)
    rule = "largest number" if pooling.operator == "GlobalMaxPool" else "mean"
    sentence = (
        f"At the end of the convolutions each of {len(made)} maps becomes its {rule} "
        f"({pooling.node.label}): it says how much of something there is, and no longer where."
    )
    order = np.argsort(-np.abs(made), kind="stable")[:STRONGEST]
    most = float(np.abs(made).max()) or 1.0
    rows = [
        TableRow(
            (f"map {place}", number(float(made[place]))),
            abs(float(made[place])) / most,
            below=bool(made[place] < 0),
        )
        for place in order.tolist()
    ]
    return sentence, [Bars(f"The {rule} of the {len(rows)} strongest maps", ("", "number"), rows)]
