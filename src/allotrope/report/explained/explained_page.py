"""Puts the steps of a picture's way together, as one page that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from allotrope.explaining.followed import Followed
from allotrope.report.explained.first_steps import input_step, kernel_step, map_step
from allotrope.report.explained.last_steps import answer_step, dense_step, gradient_step
from allotrope.report.explained.liveliest import kernel_followed, place_followed
from allotrope.report.explained.middle_steps import activation_step, pooling_step
from allotrope.report.explained.panels import WayStep, number
from allotrope.report.formatting import percent
from allotrope.report.page import template, without_unprintable
from allotrope.storage import replace_file


@dataclass(frozen=True)
class About:
    """What stands above the steps: the run, its network, the picture, and the answers' names."""

    run: str
    network: str
    picture: str
    names: Sequence[str]


def steps_of(way: Followed, names: Sequence[str]) -> list[WayStep]:
    """The eight steps; one kernel and one place are followed through all of them."""
    channel, at = None, None
    if way.way.convolutions:
        channel = kernel_followed(way)
        at = place_followed(way, channel)
    return [
        input_step(way, channel, at),
        kernel_step(way, channel),
        map_step(way, channel, at),
        activation_step(way, channel),
        pooling_step(way, channel),
        dense_step(way, names),
        answer_step(way, names),
        gradient_step(way, names, channel),
    ]


def write_explained(way: Followed, about: About, path: Path) -> list[WayStep]:
    """Writes the page and gives its steps. Raises: RunFolderError if it cannot be written."""
    steps = steps_of(way, about.names)
    page = template("explained.html").render(
        steps=steps, about=about, answer=answer_in_words(way, about.names)
    )
    replace_file(path, without_unprintable(page))
    return steps


def answer_in_words(way: Followed, names: Sequence[str]) -> str:
    """`Sneaker (98.20 %)`, or a quantity."""
    if way.way.ending in ("Softmax", "Sigmoid"):
        return f"{names[way.winner]} ({percent(float(way.shares[way.winner]))})"
    return f"{names[0]} {number(float(way.shares[0]))}"
