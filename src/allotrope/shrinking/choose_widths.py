"""How wide each layer is to be, so that a network meets a target and loses what matters least."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.network import Network
from allotrope.shrinking.groups import Groups
from allotrope.shrinking.layer_widths import NarrowableLayer, Widths, multiples, narrowable
from allotrope.shrinking.prune import pruned

CostOf = Callable[[Network], float]
"""Seconds or bytes of a network."""

AHEAD = 4
"""So many narrower widths of a layer are looked at: kernels have steps, and of two widths the
narrower one may save nothing and the next much."""
TINY = 1e-12
"""What a group counts at least, as the share of all importance."""


@dataclass(frozen=True)
class LayerWidth:
    """A layer, by the name of a weight, and how wide it is before and after."""

    name: str
    before: int
    after: int


@dataclass(frozen=True)
class Prediction:
    """What the network that is left is thought to take; None for what had no target.

    `lost` is the share of all importance that goes.
    """

    seconds: float | None
    bytes: float | None
    lost: float
    widths: tuple[LayerWidth, ...]


def removed_for(
    network: Network,
    known: Groups,
    importance: np.ndarray,
    seconds_of: CostOf | None = None,
    target_seconds: float | None = None,
    *,
    bytes_of: CostOf | None = None,
    target_bytes: float | None = None,
    widths: Widths = multiples,
) -> tuple[frozenset[int], Prediction]:
    """The numbers of the groups that go so that the targets are met, and what is then expected.

    Step by step one layer becomes narrower: that which loses the least importance for what it comes
    nearer to the targets. Whatever was not needed in the end is taken back. The same arguments give
    the same groups. `importance`: [groups], in the order of `known`.

    Raises: UsageError if nothing can be cut, or the narrowest network misses a target.
    """
    asked = (("seconds", seconds_of, target_seconds), ("bytes", bytes_of, target_bytes))
    targets = {name: CostLimit(of, most) for name, of, most in asked if of and most is not None}
    layers = narrowable(network, known, importance, widths)
    search = WidthSearch(network, known, layers, targets)
    whole = tuple(layer.width for layer in layers)
    if search.excess(whole) > 0:
        _check_possible(search, known)
    state = search.widened(search.narrowed(whole))
    return frozenset(search.removed(state)), _prediction(search, state, importance)


@dataclass(frozen=True)
class CostLimit:
    """What is counted, and how much of it there may be."""

    cost_of: CostOf
    most: float


State = tuple[int, ...]
"""How wide each layer is."""


class WidthSearch:
    """States of a network's layers, and what they cost; each is worked out once."""

    def __init__(
        self,
        network: Network,
        known: Groups,
        layers: Sequence[NarrowableLayer],
        targets: Mapping[str, CostLimit],
    ) -> None:
        self.network, self.known, self.layers, self.targets = network, known, layers, targets
        self._costs: dict[State, dict[str, float]] = {}
        self._saved: dict[tuple[int, int], dict[str, float]] = {}
        """What was saved with a layer at a width, by its place, when it was last worked out."""
        total = sum(float(layer.lost[-1]) for layer in layers)
        self._tiny = TINY * total or TINY

    def removed(self, state: State) -> Iterator[int]:
        """The numbers of the groups that go."""
        for layer, width in zip(self.layers, state, strict=True):
            yield from layer.removed(width)

    def costs(self, state: State) -> dict[str, float]:
        """What the network takes of each target."""
        if state not in self._costs:
            network = pruned(self.network, self.removed(state), self.known)
            self._costs[state] = {
                name: target.cost_of(network) for name, target in self.targets.items()
            }
        return self._costs[state]

    def excess(self, state: State) -> float:
        """By how much the targets are missed, each as a share of it; 0 if they are met."""
        return self._excess(self.costs(state))

    def _excess(self, costs: Mapping[str, float]) -> float:
        return sum(max(0.0, costs[name] / t.most - 1) for name, t in self.targets.items())

    def narrowed(self, state: State) -> State:
        """The first state on the way from this one that meets the targets."""
        while self.excess(state) > 0:
            layer, width = max(self._steps(state), key=lambda step: self._gain(state, *step))
            state = _with(state, layer, width)
            self._forget(layer)
        return state

    def widened(self, state: State) -> State:
        """A state in which no layer could be wider; those that lost most are asked first."""
        while True:
            wider = next(filter(self._is_met, self._steps_back(state)), None)
            if wider is None:
                return state
            state = wider

    def _is_met(self, state: State) -> bool:
        return self.excess(state) == 0

    def _steps(self, state: State) -> Iterator[tuple[int, int]]:
        """The next narrower widths of each layer, by its place."""
        for place, layer in enumerate(self.layers):
            narrower = [width for width in layer.widths if width < state[place]]
            yield from ((place, width) for width in narrower[:AHEAD])

    def _steps_back(self, state: State) -> Iterator[State]:
        """The states in which one layer is wider, that first which regains most importance."""
        steps = [
            (layer.lost_between(wide, state[place]), -place, wide)
            for place, layer in enumerate(self.layers)
            for wide in (layer.width, *layer.widths)
            if wide > state[place]
        ]
        for regained, place, wide in sorted(steps, reverse=True):
            if regained > 0:
                yield _with(state, -place, wide)

    def _gain(self, state: State, place: int, width: int) -> tuple[float, float, int]:
        """How much nearer the targets come for the importance that is lost; a key to sort by.

        If nothing comes nearer, that which loses least is the way on: two layers may have to become
        narrower until a kernel is faster.
        """
        lost = max(self.layers[place].lost_between(state[place], width), self._tiny)
        costs = self.costs(state)
        saved = self._savings(state, place, width)
        after = {name: costs[name] - saved[name] for name in costs}
        nearer = self._excess(costs) - self._excess(after)
        return max(nearer, 0.0) / lost, -lost, -place

    def _savings(self, state: State, place: int, width: int) -> dict[str, float]:
        if (place, width) not in self._saved:
            before, after = self.costs(state), self.costs(_with(state, place, width))
            self._saved[place, width] = {name: before[name] - after[name] for name in before}
        return self._saved[place, width]

    def _forget(self, place: int) -> None:
        """What was saved by layers that share weights with this one is another now."""
        changed = self.layers[place].weights
        near = {n for n, layer in enumerate(self.layers) if not layer.weights.isdisjoint(changed)}
        self._saved = {key: saved for key, saved in self._saved.items() if key[0] not in near}


def _with(state: State, place: int, width: int) -> State:
    return (*state[:place], width, *state[place + 1 :])


def _check_possible(search: WidthSearch, known: Groups) -> None:
    """Raises: UsageError if no state meets the targets, with the least that is possible."""
    if not any(layer.widths for layer in search.layers):
        reasons = dict.fromkeys(str(frozen.reason) for frozen in known.frozen)
        shown = "; ".join(list(reasons)[:5]) or "no layer has more than one channel"
        raise UsageError(
            f"nothing can be cut out of network '{search.network.graph.name}': {shown}."
        )
    narrowest = tuple(min((layer.width, *layer.widths)) for layer in search.layers)
    costs = search.costs(narrowest)
    missed = [
        f"{costs[name]:.3g} {name} where {target.most:.3g} are asked for"
        for name, target in search.targets.items()
        if costs[name] > target.most
    ]
    if missed:
        raise UsageError(
            f"network '{search.network.graph.name}' cannot be cut so far: with every layer as "
            f"narrow as it can be it takes {' and '.join(missed)}. Ask for that at the least, or "
            "begin with a smaller network."
        )


def _prediction(search: WidthSearch, state: State, importance: np.ndarray) -> Prediction:
    costs = search.costs(state)
    pairs = list(zip(search.layers, state, strict=True))
    lost = sum(layer.lost_between(layer.width, width) for layer, width in pairs)
    return Prediction(
        seconds=costs.get("seconds"),
        bytes=costs.get("bytes"),
        lost=lost / (float(np.sum(importance)) or 1.0),
        widths=tuple(LayerWidth(layer.name, layer.width, width) for layer, width in pairs),
    )
