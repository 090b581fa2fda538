"""Which layers rounding harms, and which are in float in files of mixed precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.report.formatting import runtime_name
from allotrope.report.judged import Judged, judged
from allotrope.report.record import Record
from allotrope.wording import counted

SHOWN = 20


@dataclass(frozen=True)
class RoundedLayer:
    """What is lost if a layer alone is rounded; `share` of the largest error is a bar's length."""

    name: str
    operator: str
    error: float | None
    drop: float | None
    in_float: bool
    share: float

    @property
    def error_percent(self) -> float | None:
        """The error in per cent of the variance."""
        return None if self.error is None else 100 * self.error


@dataclass(frozen=True)
class MixedFile:
    """A file of mixed precision: its layers, the most harmful in front; `others` behind them."""

    title: str
    note: str
    rows: Sequence[RoundedLayer]
    others: Sequence[RoundedLayer]


@dataclass(frozen=True)
class LayersRounded:
    """All that the section shows."""

    files: Sequence[MixedFile]
    deciding: Judged


def layers_rounded(run: Record) -> LayersRounded | None:
    """The section; None if no file of mixed precision was tried."""
    # What shrink tried stands apart: if it was of no use, it is no candidate in the end.
    tried = [row for row in run.records("candidates") if row.records("sensitivity")]
    tried = tried or [row for row in run.records("mixed") if row.records("sensitivity")]
    if not tried:
        return None
    return LayersRounded([_file(row) for row in tried], judged(run)[0])


def _file(row: Record) -> MixedFile:
    layers = row.records("sensitivity")
    largest = max((layer.number("error") or 0.0 for layer in layers), default=0.0) or 1.0
    rows = [_layer(layer, largest) for layer in layers]
    in_float = sum(each.in_float for each in rows)
    title = f"{runtime_name(row.text('runtime'))}, {row.text('form')}"
    note = f"{in_float} of {counted(len(rows), 'layer')} in float."
    if in_float == len(rows):
        note = "Not even all layers but one in float keep the metric: no file was made."
    return MixedFile(title, note, rows[:SHOWN], rows[SHOWN:])


def _layer(layer: Record, largest: float) -> RoundedLayer:
    error = layer.number("error")
    share = 1.0
    if error is not None:
        share = error / largest
    return RoundedLayer(
        layer.text("layer"),
        layer.text("operator"),
        error,
        layer.number("drop"),
        layer.flag("float"),
        share,
    )
