"""How long a network takes, predicted by the measured times of its parts on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.network import Network
from allotrope.shrinking.groups import Groups
from allotrope.shrinking.kernel_table import KernelTable
from allotrope.shrinking.layer_widths import NarrowableLayer, Widths, multiples, narrowable
from allotrope.shrinking.network_parts import lengths_of, parts, signature, title
from allotrope.shrinking.prune import pruned

TimedAlone = Callable[[Sequence[Network]], Sequence[float]]
"""Seconds of networks, all measured in the same rounds."""

SHARES = (1.0, 0.75, 0.5, 0.35, 0.2, 0.0)
"""How wide the layers are of the networks that are timed as a whole, as a share of their width."""
STEP = 0.02
"""A width is a step of a kernel if the parts that it changes take so much less than with the next
wider one; anything smaller is noise."""
SHORTEST = 1e-6
"""Seconds that any network takes at least."""


class KernelTimes:
    """Seconds of networks in one runtime at one precision: a * (sum of the parts alone) + b.

    Parts are a heavy node and what follows it, quantized as they are delivered, each timed once and
    kept in the table. Alone each of them is called by itself and its ends are arranged anew, so
    that their sum is too large, and how much so depends on the runtime: a and b are fitted to the
    network as a whole at several widths, which need no training.
    """

    def __init__(
        self,
        timed_alone: TimedAlone,
        timed_whole: TimedAlone,
        table: KernelTable,
        inputs: Mapping[str, np.ndarray],
    ) -> None:
        """`inputs`: one example, or as many as are run at once, as the network takes them."""
        self._timed_alone, self.timed_whole = timed_alone, timed_whole
        self._table, self._inputs = table, inputs
        self._slope, self._offset = 1.0, 0.0

    def calibrate(self, network: Network, known: Groups, widths: Widths = multiples) -> float:
        """Fits the sum of parts to the network as a whole, from its full width to its narrowest.

        Gives the largest error that is left, as a share of what was measured.
        """
        networks = at_shares(network, known, SHARES, widths)
        return self.fit(networks, self.timed_whole(networks))

    def fit(self, networks: Sequence[Network], seconds: Sequence[float]) -> float:
        """Fits the sum of parts to what these networks took as a whole.

        Gives the largest error that is left, as a share of what was measured.
        """
        self.measure(networks)
        alone = np.array([self.alone(one) for one in networks])
        whole = np.array(seconds)
        self._slope, self._offset = fitted_line(alone, whole)
        return float(np.abs((self._slope * alone + self._offset) / whole - 1).max())

    def seconds(self, network: Network) -> float:
        """What the network is thought to take."""
        return max(self._slope * self.alone(network) + self._offset, SHORTEST)

    def alone(self, network: Network) -> float:
        """The sum of what the parts take alone, in seconds."""
        return sum(seconds for _, seconds in self.of_parts(network))

    def of_parts(self, network: Network) -> list[tuple[str, float]]:
        """Each part by the name of its heavy node, and the seconds that it takes alone."""
        split = self._parts(network)
        self._measure(dict(split))
        return [(title(part), self._table.seconds[key]) for key, part in split]

    def measure(self, networks: Iterable[Network]) -> None:
        """Times all parts of these that were not timed before, in the same rounds."""
        self._measure(dict(pair for network in networks for pair in self._parts(network)))

    def _parts(self, network: Network) -> list[tuple[str, Network]]:
        """The parts behind their signatures."""
        split = parts(network, lengths_of(network, self._inputs))
        return [(signature(part), part) for part in split]

    def widths(self, network: Network, known: Groups, tried: Widths = multiples) -> Widths:
        """The measured steps of each layer: of the widths that are tried those that save time.

        Each layer is narrowed alone, the others stay as they are.
        """
        layers = narrowable(network, known, np.ones(len(known)), tried)
        steps = {layer.name: self._steps(network, known, layer) for layer in layers}
        return lambda name, width: steps.get(name, ())

    def _steps(self, network: Network, known: Groups, layer: NarrowableLayer) -> tuple[int, ...]:
        networks = {
            width: pruned(network, layer.removed(width), known)
            for width in (layer.width, *layer.widths)
        }
        self.measure(networks.values())
        times = {
            width: np.array([seconds for _, seconds in self.of_parts(one)])
            for width, one in networks.items()
        }
        whole = times[layer.width]
        if any(len(each) != len(whole) for each in times.values()):
            return layer.widths
        # Only the layer's own parts and those behind it can be faster.
        own = np.any([each != whole for each in times.values()], axis=0)
        return steps({width: float(each[own].sum()) for width, each in times.items()})

    def _measure(self, split: Mapping[str, Network]) -> None:
        """Times what the table lacks, beside a network that is in every table.

        By that one what is new is brought to the pace that the machine had for the rest.
        """
        new = {key: part for key, part in split.items() if key not in self._table.seconds}
        if not new:
            return
        pacemaker = of_known_pace()
        seconds = self._timed_alone([pacemaker, *new.values()])
        pace = self._table.seconds.get(signature(pacemaker), seconds[0]) / seconds[0]
        times = {key: pace * own for key, own in zip(new, seconds[1:], strict=True)}
        self._table.add({signature(pacemaker): pace * seconds[0], **times})


def steps(times: Mapping[int, float], least: float = STEP) -> tuple[int, ...]:
    """The widths that take less than every wider one, by the share `least`; the widest first.

    `times` are seconds by width; the widest is what there is, and no step.
    """
    widest, *narrower = sorted(times, reverse=True)
    fastest, chosen = times[widest], []
    for width in narrower:
        if times[width] < (1 - least) * fastest:
            chosen.append(width)
            fastest = times[width]
    return tuple(chosen)


def at_shares(
    network: Network, known: Groups, shares: Iterable[float], widths: Widths = multiples
) -> list[Network]:
    """The network with every layer at a share of its width, or the next wider that it may have."""
    layers = narrowable(network, known, np.ones(len(known)), widths)
    networks = []
    for share in shares:
        removed: list[int] = []
        for layer in layers:
            wide = [width for width in layer.widths if width >= share * layer.width]
            narrowest = layer.widths[-1:] if share == 0 else wide[-1:]
            removed += (number for width in narrowest for number in layer.removed(width))
        networks.append(pruned(network, removed, known))
    return networks


def fitted_line(alone: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """The line through these points, which one that is far off does not turn: slope and offset.

    The median of the slopes of all pairs (Theil 1950, Sen 1968). One through 0 where the points say
    nothing of a slope.
    """
    pairs = [(i, j) for i, j in combinations(range(len(alone)), 2) if alone[i] != alone[j]]
    slopes = [(whole[i] - whole[j]) / (alone[i] - alone[j]) for i, j in pairs]
    slope = float(np.median(slopes)) if slopes else 0.0
    if np.ptp(alone) < STEP * alone.max() or slope <= 0:
        return float(np.median(whole / alone)), 0.0
    return slope, float(np.median(whole - slope * alone))


def of_known_pace() -> Network:
    """A network that is timed beside all others: two convolutions."""
    builder = Builder("pace")
    value = builder.input("x", np.float32, (1, 16, 16, 16))
    for first, second in pairwise((16, 32, 32)):
        weight = np.full((second, first, 3, 3), 0.01, np.float32)
        weight = weight * np.linspace(-1, 1, weight.size, dtype=np.float32).reshape(weight.shape)
        name = builder.weight(f"w{first}", weight)
        value = builder.add("Conv", [value, name], {"pads": (1, 1, 1, 1)})
        value = builder.add("Relu", [value])
    builder.output(value, "y")
    return builder.network()
