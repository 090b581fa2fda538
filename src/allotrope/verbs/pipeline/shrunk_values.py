"""What the stages of `shrink` give: the network as it came, and rounds of cutting and training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allotrope.config import Recipe, Target
from allotrope.measure.candidates import Candidate
from allotrope.measure.choice import REFERENCE
from allotrope.measure.rounds import USUAL, Turns
from allotrope.network.network import Network
from allotrope.progress import Progress
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.round_goals import excess

Row = dict[str, Any]
Form = tuple[str, str, str]
"""Runtime, precision and quantizer of a candidate."""
BEFORE = "before"
"""The form of the file that was delivered before."""
CLEARLY = 0.05
"""A form leaves more of the network than another if it does so by this share; less is noise."""


@dataclass(frozen=True)
class Workbench:
    """What every stage works with: the network as it came and how it learns, and what measures it.

    `among` says which candidates a network has in a folder; `folder` is that of the run;
    `turns` say for how long each candidate is timed.
    """

    plan: Plan
    folder: Path
    among: Callable[[Path], list[Candidate]]
    threads: int | None
    show: Progress
    turns: Turns = USUAL


@dataclass(frozen=True)
class Span:
    """Milliseconds in one form: of the network as it came, and as narrow as it can be."""

    form: Form
    whole: float
    least: float

    def left_at(self, latency: float) -> float:
        """How much of what a cut can take away is still there at a latency, as a share."""
        return (latency - self.least) / max(self.whole - self.least, 1e-9)


@dataclass(frozen=True)
class Before:
    """The network as it came: all of its candidates, and what is compared with.

    `today` is the row of the file that was delivered, or of the fastest now. `forms` are those
    candidates by which rounds are judged, that of today in front. `whole` and `least` are what the
    network takes in these, as it is and with every layer as narrow as it can be; `spans` are its
    latencies by form.
    """

    rows: Sequence[Row]
    today: Row
    forms: tuple[Form, ...]
    target: Target
    whole: dict[str, float]
    least: dict[str, float]
    spans: tuple[Span, ...] = ()

    @property
    def reference(self) -> Row:
        """The row in float32 that a drop is counted from."""
        return next(row for row in self.rows if row.get(REFERENCE))

    def form_at(self, latency: float) -> Form:
        """The form in which most of the network can stay at a latency in ms.

        The one in front, by which rounds are judged first, unless another clearly leaves more.
        """
        left = {span.form: span.left_at(latency) for span in self.spans}
        first = self.forms[0]
        best = max(left, key=lambda form: left[form], default=first)
        return best if left.get(best, 0.0) > left.get(first, -1.0) + CLEARLY else first

    @property
    def nearest(self) -> Row:
        """The row that is nearest to the target's limits, of the forms that rounds are judged by.

        Without limits that of today.
        """
        if self.target.max_latency is None and self.target.max_size is None:
            return self.today
        own = [row for row in self.rows if "latency_ms" in row and form_of(row) in self.forms]
        return min(own, key=lambda row: beyond(row, self.target), default=self.today)

    @property
    def meets(self) -> bool:
        """Whether it is fast and small enough already."""
        return beyond(self.nearest, self.target) <= 1


@dataclass(frozen=True)
class Timed:
    """What a network takes that has not learned: in its fastest form, and which that is.

    `costs` are `latency_ms`, `size_bytes`, `multiply_adds` and `weights`.
    """

    form: Form
    costs: dict[str, float]


@dataclass(frozen=True)
class CutNetwork:
    """A network with less in it, before its first step, and what is known of the cut."""

    number: int
    network: Network
    recipe: Recipe
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaughtCut:
    """The same after its training."""

    cut: CutNetwork
    network: Network
    facts: dict[str, Any]
    history: Sequence[Mapping[str, Any]] = ()

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training."""
        return bool(self.facts["stopped"] == "interrupted")


@dataclass(frozen=True)
class Round:
    """The same, measured in each form; the best in front."""

    taught: TaughtCut
    rows: Sequence[Row]

    @property
    def row(self) -> Row:
        """The row that it is judged by."""
        return self.rows[0]


def latency_of(row: Mapping[str, Any]) -> float:
    """Milliseconds for one example."""
    latency: float = row["latency_ms"]["median"]
    return latency


def beyond(row: Mapping[str, Any], target: Target) -> float:
    """How many times too slow or too large it is for a target, whichever is more."""
    pairs = (latency_of(row), target.max_latency), (row["size_bytes"], target.max_size)
    return excess(*pairs)


def form_of(row: Mapping[str, Any]) -> Form:
    """What tells candidates of one network apart."""
    return row["runtime"], row["precision"], row["form"]
