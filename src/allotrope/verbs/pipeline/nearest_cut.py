"""The cut that is nearest to a goal by the clock, found by predictions that the clock corrects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.shrinking.choose_widths import Prediction
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_values import Timed

TRIES = 5
"""So often a network is cut, if it takes longer or less than was thought."""
NEAR = 1.02
"""A network that takes so much more than it was to take is near enough on the way."""
FAR = 0.97
"""One that takes so much less lost more than it had to."""

CutTo = Callable[[Goal], tuple[Network, Prediction]]


@dataclass(frozen=True)
class TimedCut:
    """A cut network, what was thought of it, and what it takes: `excess` times its goal."""

    network: Network
    prediction: Prediction
    timed: Timed
    excess: float

    def rank(self) -> tuple[float, float]:
        """Less is better: how far it misses its goal, and what was lost for it."""
        return max(self.excess, NEAR), self.prediction.lost


def nearest_cut(
    cut_to: CutTo, timed_of: Callable[[Network], Timed], goal: Goal, tries: int = TRIES
) -> TimedCut:
    """The cut that loses least of those that reach the goal; if none does the nearest to it.

    `cut_to` cuts to an aim by predictions, and raises UsageError for one that is out of reach.
    What the clock and the file say of a cut moves the next aim: nearer if the cut takes too much,
    further if it takes less than it may. At most so many `tries`.
    """
    aim, cut = goal, cut_to(goal)
    tried: list[TimedCut] = []
    while True:
        tried.append(_timed(*cut, timed_of, goal))
        if FAR <= tried[-1].excess <= NEAR or len(tried) == tries:
            break
        step = _reachable(cut_to, aim, _moved(aim, goal, tried[-1]))
        # A cut that was timed before: the clock has no more to say.
        if step is None or step[1][1] in [each.prediction for each in tried]:
            break
        aim, cut = step
    return min(tried, key=TimedCut.rank)


def _timed(
    network: Network, prediction: Prediction, timed_of: Callable[[Network], Timed], goal: Goal
) -> TimedCut:
    timed = timed_of(network)
    excess = goal.excess(timed.costs["latency_ms"], timed.costs["size_bytes"])
    return TimedCut(network, prediction, timed, excess)


def _moved(aim: Goal, goal: Goal, cut: TimedCut) -> Goal:
    """What to ask of the prediction, so that the measurement is what was asked for."""
    costs = cut.timed.costs
    is_loose = cut.excess < FAR
    return replace(
        aim,
        latency=_moved_limit(aim.latency, goal.latency, costs["latency_ms"], is_loose),
        size=_moved_limit(aim.size, goal.size, costs["size_bytes"], is_loose),
    )


def _moved_limit(
    aim: float | None, limit: float | None, value: float, is_loose: bool
) -> float | None:
    """A limit that is missed becomes tighter; if every one is met by far, all become looser."""
    if aim is None or limit is None:
        return aim
    excess = value / limit
    return aim / excess if is_loose or excess > NEAR else aim


def _reachable(
    cut_to: CutTo, aim: Goal, wished: Goal
) -> tuple[Goal, tuple[Network, Prediction]] | None:
    """The cut to an aim that is wished for, or to the next one on the way that can be reached.

    None if there is none: the cut that was made is the nearest.
    """
    # What no cut takes away makes the wish too low: a prediction that is off is off there as well.
    for share in (1.0, 0.5, 0.25):
        nearer = replace(
            aim,
            latency=_between(aim.latency, wished.latency, share),
            size=_between(aim.size, wished.size, share),
        )
        try:
            return nearer, cut_to(nearer)
        except UsageError:
            continue
    return None


def _between(one: float | None, other: float | None, share: float) -> float | None:
    return None if one is None or other is None else one + share * (other - one)
