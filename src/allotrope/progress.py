"""What a long command shows: a live line on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TextIO

from allotrope.wording import significant

SECONDS_BETWEEN_LINES = 5.0
FRACTIONS = ("accuracy", "macro_f1", "micro_f1")
"""Metrics that people read as per cent."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Where a training stands: `fraction` done (0 to 1), `epoch`, recent mean `loss`, speed."""

    fraction: float
    epoch: float
    loss: float
    examples_per_second: float
    seconds_left: float | None = None


class Progress:
    """The quiet display, and what every display can be told.

    Used as a context, so that a live line is always cleared.
    """

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def say(self, line: str) -> None:
        """A line that stays."""

    def step(self, tick: Tick) -> None:
        """Some steps of training were done."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An evaluation on validation data was done; `row` is the row of history.csv."""

    def close(self) -> None:
        """What is redrawn is cleared."""


class Lines(Progress):
    """Plain lines: every message, and of steps and evaluations at most one line in some seconds."""

    def __init__(
        self, stream: TextIO | None = None, seconds: float = SECONDS_BETWEEN_LINES
    ) -> None:
        self._stream = stream or sys.stdout
        self._seconds = seconds
        self._last = -seconds
        self._reached = ""

    def say(self, line: str) -> None:
        """Writes the line at once."""
        print(line, file=self._stream, flush=True)

    def step(self, tick: Tick) -> None:
        """Writes a line if none was written of late."""
        self._say_if_due(described(tick, self._reached))

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Writes a line if none was written of late.

        The accuracy stays for the lines that follow.
        """
        self._reached = reached(row)
        self._say_if_due(described_epoch(row))

    def _say_if_due(self, line: str) -> None:
        now = time.monotonic()
        if now - self._last >= self._seconds:
            self._last = now
            self.say(line)


class Live(Progress):
    """A line on the terminal that is redrawn, below the lines that stay."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.text import Text

        self._console = Console(highlight=False, file=stream)
        self._status = self._console.status("", refresh_per_second=4)
        self._text = Text
        self._reached = ""

    def say(self, line: str) -> None:
        """Writes the line above the live one."""
        self._console.print(line, markup=False, soft_wrap=True)

    def step(self, tick: Tick) -> None:
        """Redraws the live line."""
        self._status.update(self._text(described(tick, self._reached)))
        self._status.start()

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Keeps the accuracy for the live line."""
        self._reached = reached(row)

    def close(self) -> None:
        """Clears the live line; another step draws it again."""
        self._status.stop()


def display(quiet: bool = False, stream: TextIO | None = None) -> Progress:
    """The display for the stream, by default standard output: none, live, or plain lines."""
    if quiet:
        return Progress()
    stream = stream or sys.stdout
    return Live(stream) if stream.isatty() else Lines(stream)


def described(tick: Tick, metric: str = "") -> str:
    """One line: share done, epoch, loss, the last validation's `metric`, examples/s, time left."""
    left = "" if tick.seconds_left is None else f"  {duration(tick.seconds_left)} left"
    start = f"{tick.fraction:4.0%}  epoch {tick.epoch:.1f}  loss {tick.loss:.4f}"
    behind = f"  {metric}" if metric else ""
    return f"{start}{behind}  {tick.examples_per_second:,.0f} examples/s{left}"


def described_epoch(row: Mapping[str, Any]) -> str:
    """One line: epoch, validation loss and metric, examples/s.

    There is no loss before the first step.
    """
    loss, speed = row["loss"], row["examples_per_second"]
    shown = "-" if loss is None else f"{loss:.4f}"
    text = (
        f"epoch {row['epoch']:.1f}  loss {shown}  validation loss {row['validation_loss']:.4f}, "
        f"{reached(row)}"
    )
    return text if speed is None else f"{text}  {speed:,.0f} examples/s"


def reached(row: Mapping[str, Any]) -> str:
    """A history row's metric in words: `metric` of several tasks, else the one beside the loss."""
    names = [key.removeprefix("validation_") for key in row if key.startswith("validation_")]
    name = next((name for name in ("metric", *names) if name in names and name != "loss"), None)
    if name is None:
        return ""
    value = row[f"validation_{name}"]
    return f"{name} {value:.2%}" if name in FRACTIONS else f"{name} {significant(value)}"


def duration(seconds: float) -> str:
    """`48 s`, `3 min 20 s` or `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
