"""What a call of `shrink` asks for, checked: limits in numbers, or in parts of what there is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from allotrope.config import USUAL_DROP, Target, parse_bytes, parse_seconds
from allotrope.errors import UsageError


@dataclass(frozen=True)
class Limit:
    """At most so much; `relative`: so many times what the delivered file takes today."""

    value: float
    relative: bool = False

    def absolute(self, today: float) -> float:
        """The limit in numbers."""
        if self.relative:
            return self.value * today
        return self.value


@dataclass(frozen=True)
class AskedLimits:
    """What is asked of the smaller network: latency in ms, size in bytes, drop in points."""

    latency: Limit | None
    size: Limit | None
    max_drop: float

    def target(self, latency: float, size: float) -> Target:
        """The target for a delivered file that has this latency and size today."""
        most_ms = None if self.latency is None else self.latency.absolute(latency)
        most_bytes = None if self.size is None else int(self.size.absolute(size))
        return Target(most_ms, most_bytes, self.max_drop)


def limits_of(arguments: Mapping[str, Any]) -> AskedLimits:
    """The limits that the arguments of `shrink` ask for. Raises: UsageError."""
    latency = parse_latency(arguments["max_latency"])
    drop = arguments["max_drop"]
    return AskedLimits(
        None if latency is None else Limit(_in_ms(latency), latency.relative),
        parse_size(arguments["max_size"]),
        USUAL_DROP if drop is None else drop,
    )


def parse_latency(text: str | float | None) -> Limit | None:
    """Seconds from `0.1ms`, or parts of today's latency from `0.25x`. Raises: UsageError."""
    return _limit(text, parse_seconds, "a length of time such as 0.1ms")


def parse_size(text: str | float | None) -> Limit | None:
    """Bytes from `200KB`, or parts of today's size from `0.25x`. Raises: UsageError."""
    return _limit(text, parse_bytes, "a size such as 200KB")


def _in_ms(latency: Limit) -> float:
    return latency.value if latency.relative else 1e3 * latency.value


def _limit(
    text: str | float | None, parse: Callable[[str | float], float], expected: str
) -> Limit | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*[xX]\s*", str(text))
    if match is None:
        return Limit(float(parse(text)))
    share = float(match[1])
    if not 0 < share < 1:
        raise UsageError(
            f"'{text}' is no part of what there is: expected above 0x and below 1x, such as "
            f"0.25x, or {expected}."
        )
    return Limit(share, relative=True)
