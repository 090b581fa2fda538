"""What is shown: plain lines that are rare, a live line that is cleared, nothing when quiet."""

from __future__ import annotations

import io

import pytest

from allotrope.progress import (
    Lines,
    Live,
    Progress,
    Tick,
    described,
    described_epoch,
    display,
    duration,
)

TICK = Tick(fraction=0.5, epoch=2.5, loss=0.123456, examples_per_second=1234.5, seconds_left=90)
ROW = {
    "epoch": 3.0,
    "loss": 0.5,
    "validation_loss": 0.25,
    "validation_accuracy": 0.987,
    "examples_per_second": 999.6,
}


def test_a_tick_says_where_it_stands():
    assert described(TICK) == " 50%  epoch 2.5  loss 0.1235  1,234 examples/s  1 min 30 s left"
    assert len(described(TICK, "accuracy 98.77%")) <= 80
    assert described(Tick(0, 0, 1, 1, None)).endswith("examples/s")


def test_an_evaluation_before_the_first_step_has_no_loss():
    assert described_epoch(ROW) == (
        "epoch 3.0  loss 0.5000  validation loss 0.2500, accuracy 98.70%  1,000 examples/s"
    )
    untrained = {**ROW, "loss": None, "examples_per_second": None}
    assert "loss -  validation" in described_epoch(untrained)


def test_lines_are_rare_and_messages_are_not():
    stream = io.StringIO()
    lines = Lines(stream, seconds=60)
    for _ in range(5):
        lines.step(TICK)
        lines.epoch(ROW)
        lines.say("a message")
    written = stream.getvalue().splitlines()
    assert written.count("a message") == 5
    assert len(written) == 6


def test_the_last_accuracy_is_on_the_lines_that_follow():
    stream = io.StringIO()
    lines = Lines(stream, seconds=0)
    lines.step(TICK)
    lines.epoch(ROW)
    lines.step(TICK)
    written = stream.getvalue().splitlines()
    assert ["accuracy 98.70%" in line for line in written] == [False, True, True]


def test_quiet_prints_nothing(capsys):
    with display(quiet=True) as show:
        show.say("a message")
        show.step(TICK)
        show.epoch(ROW)
    assert type(show) is Progress
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_live_line():
    assert isinstance(display(), Lines)
    terminal = Terminal()
    with display(stream=terminal) as show:
        assert isinstance(show, Live)
        show.epoch(ROW)
        show.step(TICK)
        show.say("[bold] stays as it is")
    assert "[bold] stays as it is" in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_in_words(seconds: float, words: str):
    assert duration(seconds) == words
