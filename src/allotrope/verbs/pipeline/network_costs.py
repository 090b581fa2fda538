"""What a network costs without being measured: by its kernels, or between networks that were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Self

from allotrope.errors import UsageError
from allotrope.measure.kernel_timing import kernel_times
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.choose_widths import CostOf
from allotrope.shrinking.groups import Groups
from allotrope.shrinking.layer_widths import Widths, multiples
from allotrope.verbs.pipeline.shrunk_values import Before, Form, Workbench


@dataclass(frozen=True)
class CostLine:
    """offset + slope * x."""

    offset: float
    slope: float

    @classmethod
    def through(cls, x: tuple[float, float], y: tuple[float, float]) -> Self:
        """The line through two points; one that does not rise goes through 0 and the first."""
        if x[0] > x[1] and y[0] > y[1]:
            slope = (y[0] - y[1]) / (x[0] - x[1])
            return cls(max(y[1] - slope * x[1], 0.0), slope)
        return cls(0.0, y[0] / max(x[0], 1.0))

    def __call__(self, x: float) -> float:
        """The value at x."""
        return self.offset + self.slope * x


@dataclass(frozen=True)
class Costs:
    """Seconds by multiply-adds, bytes by weights; each with a part that no cut takes away.

    They only order what may be cut: what is cut is timed.
    """

    milliseconds: CostLine
    sizes: CostLine

    @classmethod
    def of(cls, before: Before) -> Self:
        """By the network as it came and the narrowest that can be made of it."""
        ends = before.whole, before.least
        return cls(
            CostLine.through(_pair(ends, "multiply_adds"), _pair(ends, "latency_ms")),
            CostLine.through(_pair(ends, "weights"), _pair(ends, "size_bytes")),
        )

    def seconds(self, network: Network) -> float:
        """For one example."""
        return self.milliseconds(multiply_adds(network)) / 1e3

    def bytes(self, network: Network) -> float:
        """Of the file."""
        return self.sizes(parameters(network))


@dataclass(frozen=True)
class Pricing:
    """Seconds and bytes of a network, and the widths of layers that are worth a trial."""

    seconds: CostOf
    bytes: CostOf
    widths: Widths = multiples


@contextmanager
def pricing(
    bench: Workbench, before: Before, network: Network, known: Groups, kernels: Form | None
) -> Iterator[Pricing]:
    """What smaller forms of a network cost: by this machine's kernels in a runtime and precision.

    Without `kernels`, or if they cannot be timed, multiply-adds stand for seconds.
    """
    costs = Costs.of(before)
    usual = Pricing(costs.seconds, costs.bytes)
    if kernels is None:
        yield usual
        return
    runtime, precision, form = kernels
    one = {name: column[:1] for name, column in bench.plan.data.taken("validation").items()}
    with ExitStack() as stack:
        try:
            times = stack.enter_context(kernel_times(one, runtime, precision, form, bench.threads))
            left = times.calibrate(network, known)
            widths = times.widths(network, known)
        except UsageError as error:
            bench.show.say(f"kernels cannot be timed, multiply-adds stand for them: {error}")
            yield usual
            return
        bench.show.say(
            f"kernels of {runtime} {precision} are timed: their sum tells the network to {left:.0%}"
        )
        yield Pricing(times.seconds, costs.bytes, widths)


def _pair(ends: tuple[Mapping[str, float], Mapping[str, float]], key: str) -> tuple[float, float]:
    return ends[0][key], ends[1][key]
