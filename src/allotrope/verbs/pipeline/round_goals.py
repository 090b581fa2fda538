"""Which goal the next round of cutting has: the way from what there is to the target, in steps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.config import Target

Row = Mapping[str, Any]

STEP = 5.0
"""A round makes a network at most so many times faster or smaller; more at once loses too much."""
DOWN = 0.7
"""Without a limit of its own a network becomes so much faster in each round."""
MOST = 8
"""So many rounds there are at most."""
FURTHER = 2
"""So many rounds train further, without a cut, what is fast enough and not good enough."""
AIM = 0.93
"""A cut aims at so much of the latency, because a measurement repeats to some hundredths only."""
AIM_OF_SIZE = 0.98
"""What is settled in the end takes some bytes, and what was cut is near its goal only."""

CLOSE = 1.3
"""A round that ends within this of a limit had aimed at it: the next one aims lower by as much."""


@dataclass(frozen=True)
class Goal:
    """What a round is to reach: latency in ms, size in bytes; without them it trains further.

    `share`: how much of the time that is left it may take.
    """

    latency: float | None
    size: float | None
    share: float

    @property
    def cuts(self) -> bool:
        """Whether something is to be cut."""
        return self.latency is not None or self.size is not None

    def excess(self, latency: float, size: float) -> float:
        """How many times too slow or too large something is, whichever is more."""
        return excess((latency, self.latency), (size, self.size))


@dataclass(frozen=True)
class Stand:
    """Where a network stands: its latency in ms, size in bytes, and whether it meets the target."""

    latency: float
    size: float
    passes: bool
    was_cut: bool = True


def excess(*pairs: tuple[float, float | None]) -> float:
    """The largest share of a limit that a value takes; 0 without limits.

    Below 1 too, so that of two that reach it the one that is further below comes first.
    """
    return max((value / limit for value, limit in pairs if limit is not None), default=0.0)


def next_goal(stands: Sequence[Stand], target: Target, least: Row) -> Goal | None:
    """What comes after these: the network as it came, and those of the rounds. None: nothing.

    `least`: what the narrowest network takes, below which there is nothing to aim at.

    It is a function of what was measured, so that a resumed run goes the same way.
    """
    now, rounds = stands[-1], len(stands) - 1
    if rounds >= MOST:
        return None
    if target.max_latency is None and target.max_size is None:
        # As fast as the metric allows: until a step loses too much.
        return Goal(DOWN * now.latency, None, 0.5) if now.passes else None
    ratios = [ratio for ratio in _ratios(now, target) if ratio > 1]
    if not ratios:
        trained_further = sum(not stand.was_cut for stand in stands[1:])
        if now.passes or trained_further >= FURTHER:
            return None
        return Goal(None, None, 1.0)
    steps = max(1, math.ceil(math.log(max(ratios)) / math.log(STEP)))
    # The last step has the most time: what it gives is what is delivered.
    share = 1.0 if steps == 1 else 0.5 / steps
    again = max(ratios) if rounds and max(ratios) < CLOSE else 1.0
    aims = (
        _aim(target.max_latency, AIM / again, least["latency_ms"]),
        _aim(target.max_size, AIM_OF_SIZE / again, least["size_bytes"]),
    )
    return Goal(
        _on_the_way(now.latency, aims[0], steps), _on_the_way(now.size, aims[1], steps), share
    )


def _ratios(now: Stand, target: Target) -> tuple[float, ...]:
    """How many times too slow and too large it is."""
    limits = ((now.latency, target.max_latency), (now.size, target.max_size))
    return tuple(value / limit for value, limit in limits if limit is not None)


def _aim(limit: float | None, share: float, least: float) -> float | None:
    """What to aim at, so that a limit is kept."""
    return None if limit is None else max(share * limit, least)


def _on_the_way(now: float, aim: float | None, steps: int) -> float | None:
    """The first of so many equal steps; what is reached already is to stay so."""
    if aim is None or now <= aim:
        return aim
    return float(now * (aim / now) ** (1 / steps))
