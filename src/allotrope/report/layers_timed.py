"""Where the microseconds of a network went that was shrunk: each layer before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.report.formatting import runtime_name
from allotrope.report.record import Record


@dataclass(frozen=True)
class TimedLayer:
    """A layer and what follows it, timed alone; `saved` is its part of all that was saved."""

    name: str
    before_shape: str
    after_shape: str
    before: float | None
    after: float | None
    saved: float


@dataclass(frozen=True)
class LayersTimed:
    """All layers in their order, and their sum, in microseconds."""

    how: str
    rows: Sequence[TimedLayer]
    before: float
    after: float


def layers_timed(run: Record) -> LayersTimed | None:
    """The table; None if layers were not timed."""
    times = run.record("shrunk", "times")
    layers = times.records("layers")
    if not layers:
        return None
    before, after = (_sum(layers, side) for side in ("before", "after"))
    rows = [_row(layer, before - after) for layer in layers]
    how = f"{runtime_name(times.text('runtime'))} {times.text('precision')}"
    return LayersTimed(how, rows, before, after)


def _sum(layers: Sequence[Record], side: str) -> float:
    return sum(layer.number(side, "microseconds") or 0.0 for layer in layers)


def _row(layer: Record, saved: float) -> TimedLayer:
    before, after = (layer.number(side, "microseconds") for side in ("before", "after"))
    own = (before or 0.0) - (after or 0.0)
    share = 0.0
    if saved > 0:
        share = own / saved
    return TimedLayer(
        layer.text("name"),
        _shape(layer, "before"),
        _shape(layer, "after"),
        before,
        after,
        share,
    )


def _shape(layer: Record, side: str) -> str:
    return " × ".join(map(str, layer.items(side, "shape")))
