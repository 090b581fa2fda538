"""Where a date stands in the week, in the year and in the day, as features and as nodes.

A date is days since 1970. A network would have to bend at each weekend to learn a week from them;
the sine and cosine of the way through the week tell it at once, and Sunday is next to Monday.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.build import Builder

WEEK, YEAR, DAY = 7.0, 365.2425, 1.0
TURNS = 2.0
"""A cycle is of use from so many turns on in the training rows, half as many of the year's."""

Cycle = tuple[int, float]
"""The place of a column of dates, and the days of a period."""


def periods_of(known: np.ndarray) -> tuple[float, ...]:
    """The days of the cycles that dates [n] go through, of which none is missing."""
    if not len(known):
        return ()
    span = float(known.max() - known.min())
    whole = not np.any(known != np.rint(known))
    turned = {WEEK: span >= TURNS * WEEK, YEAR: span >= TURNS * YEAR / 2, DAY: not whole}
    return tuple(period for period, is_turned in turned.items() if is_turned)


def turned(x: np.ndarray, cycles: Sequence[Cycle]) -> np.ndarray:
    """Sine and cosine [n, 2 * cycles] of raw rows x [n, columns]; NaN if the date is missing."""
    places, periods = [place for place, _ in cycles], np.array([period for _, period in cycles])
    turns = x[:, places].astype(np.float64) / periods
    angles = 2 * np.pi * (turns - np.floor(turns))
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)


def turned_nodes(build: Builder, x: str, cycles: Sequence[Cycle], name: str) -> str:
    """The same as nodes behind rows x float32 [n, columns]."""
    add, constant = build.add, build.constant
    places = constant(np.array([place for place, _ in cycles]), f"{name}.places")
    periods = np.array([1 / period for _, period in cycles], np.float32)
    days = add("Gather", [x, places], {"axis": 1}, name=f"{name}.days")
    turns = add("Mul", [days, constant(periods, f"{name}.periods")], name=f"{name}.turns")
    whole = add("Floor", [turns], name=f"{name}.whole")
    part = add("Sub", [turns, whole], name=f"{name}.part")
    circle = constant(np.float32(2 * np.pi), f"{name}.circle")
    angle = add("Mul", [part, circle], name=f"{name}.angle")
    sides = [add(each, [angle], name=f"{name}.{each.lower()}") for each in ("Sin", "Cos")]
    return add("Concat", sides, {"axis": 1}, name=f"{name}.all")
