"""The losses at rising learning rates, if a rate was searched for, as a line chart."""

from __future__ import annotations

from allotrope.report.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Curves, Line
from allotrope.report.record import Record
from allotrope.report.scale import spanning


def rates_tried(run: Record) -> list[Curves]:
    """The one chart, or none."""
    tried = run.record("settings_race", "rates")
    rates, losses = _numbers(tried, "rates"), _numbers(tried, "losses")
    chosen = tried.number("chosen")
    if len(rates) < 2 or len(rates) != len(losses) or chosen is None or min(rates) <= 0:
        return []
    x = spanning(rates, LEFT, WIDTH - RIGHT, logarithmic=True, margin=0.0)
    y = spanning(losses, HEIGHT - BOTTOM, TOP)
    places = [(x(rate), y(loss)) for rate, loss in zip(rates, losses, strict=True)]
    path = "M" + "L".join(f"{across},{down}" for across, down in places)
    return [
        Curves(
            title="Loss by learning rate (log scale)",
            width=WIDTH,
            height=HEIGHT,
            left=LEFT,
            right=WIDTH - RIGHT,
            top=TOP,
            bottom=HEIGHT - BOTTOM,
            x_ticks=x.ticks(),
            y_ticks=y.ticks(),
            lines=[Line("training, smoothed", "train", path, places[-1])],
            bands=[],
            best=x(chosen),
            summary=f"Loss at {len(rates)} rising rates; it falls fastest at {chosen:.3g}.",
            marked=f"taken: {chosen:.3g}",
        )
    ]


def _numbers(record: Record, name: str) -> list[float]:
    return [float(item) for item in record.items(name) if isinstance(item, (int, float))]
