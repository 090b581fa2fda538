"""The nodes in front of a network that make features of a row of numbers and codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.inputs.table.column_statistics import LARGEST, SMOOTH
from allotrope.inputs.table.date_cycles import Cycle, turned_nodes
from allotrope.network.build import Builder
from allotrope.network.network import Network


@dataclass(frozen=True, eq=False)
class Front:
    """A row of so many `columns`, and what is made of it.

    `numbers` [k] are places of numbers, with `center` and `scale` [k]. `missing` are places of
    columns with a feature that says that one lacks. `flags` [m, 2] are a place and a code each.
    `cycles` are those that dates go through.
    """

    name: str
    columns: int
    numbers: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    missing: np.ndarray
    flags: np.ndarray
    cycles: tuple[Cycle, ...] = ()


def front(made: Front, output: str) -> Network:
    """float32 [n, columns] to `output`, float32 [n, features]."""
    build = Builder(made.name)
    x = build.input(made.name, np.float32, ("n", made.columns))
    parts = []
    if len(made.numbers):
        parts.append(_numbers(build, x, made))
    if len(made.missing):
        parts.append(_missing(build, x, made))
    if len(made.flags):
        parts.append(_flags(build, x, made))
    if made.cycles:
        parts.append(_cycles(build, x, made))
    features = parts[0]
    if len(parts) > 1:
        features = build.add("Concat", parts, {"axis": 1}, name=f"{made.name}.all")
    build.output(features, output)
    return build.network()


def _numbers(build: Builder, x: str, made: Front) -> str:
    """Scaled and clipped; the median, which is 0 then, stands for what is missing."""
    name = f"{made.name}.numbers"
    x = _chosen(build, x, made.numbers, made.columns, name)
    center = build.constant(made.center, f"{name}.center")
    scale = build.constant(made.scale, f"{name}.scale")
    gaps = build.add("IsNaN", [x], name=f"{name}.gaps")
    filled = build.add("Where", [gaps, center, x], name=f"{name}.filled")
    centered = build.add("Sub", [filled, center], name=f"{name}.centered")
    scaled = build.add("Mul", [centered, scale], name=f"{name}.scaled")
    ends = [build.constant(np.float32(end), f"{name}.end") for end in (-LARGEST, LARGEST)]
    bounded = build.add("Clip", [scaled, *ends], name=f"{name}.bounded")
    third = build.constant(np.float32(1 / SMOOTH), f"{name}.third")
    part = build.add("Mul", [bounded, third], name=f"{name}.part")
    square = build.add("Mul", [part, part], name=f"{name}.square")
    one = build.constant(np.float32(1), f"{name}.one")
    total = build.add("Add", [square, one], name=f"{name}.total")
    root = build.add("Sqrt", [total], name=f"{name}.root")
    return build.add("Div", [bounded, root], name=f"{name}.clipped")


def _missing(build: Builder, x: str, made: Front) -> str:
    name = f"{made.name}.missing"
    chosen = _chosen(build, x, made.missing, made.columns, name)
    gaps = build.add("IsNaN", [chosen], name=f"{name}.gaps")
    return build.add("Cast", [gaps], {"to": 1}, name=f"{name}.flags")


def _flags(build: Builder, x: str, made: Front) -> str:
    """One column of the row for each flag, compared with its code: NaN equals none."""
    name = f"{made.name}.categories"
    places, codes = made.flags.T
    chosen = _chosen(build, x, places, made.columns, name)
    wanted = build.constant(codes.astype(np.float32), f"{name}.codes")
    same = build.add("Equal", [chosen, wanted], name=f"{name}.same")
    return build.add("Cast", [same], {"to": 1}, name=f"{name}.flags")


def _cycles(build: Builder, x: str, made: Front) -> str:
    """The middle of the circle stands for a date that is missing."""
    name = f"{made.name}.cycles"
    turned = turned_nodes(build, x, made.cycles, name)
    gaps = build.add("IsNaN", [turned], name=f"{name}.gaps")
    middle = build.constant(np.float32(0), f"{name}.middle")
    return build.add("Where", [gaps, middle, turned], name=f"{name}.filled")


def _chosen(build: Builder, x: str, places: np.ndarray, columns: int, name: str) -> str:
    """These columns of the row; the row itself if that is all of them."""
    if np.array_equal(places, np.arange(columns)):
        return x
    return build.add(
        "Gather", [x, build.constant(places, f"{name}.places")], {"axis": 1}, name=f"{name}.chosen"
    )
