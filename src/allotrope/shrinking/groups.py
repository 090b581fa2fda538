"""What of a network can be removed, and only together: the dependency groups of its weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import allotrope.shrinking.rules  # noqa: F401 - fills the table of rules
from allotrope.network.network import Network
from allotrope.shrinking.atoms import Reason
from allotrope.shrinking.relations import NO_RULE, Relations


@dataclass(frozen=True, slots=True)
class WeightSlice:
    """Places of one axis of a weight."""

    weight: str
    axis: int
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DependencyGroup:
    """Slices of weights that can be removed, and only together: one channel, one head, one unit.

    `number` names it in its network; the same network always has the same numbers.
    """

    number: int
    slices: tuple[WeightSlice, ...]

    @property
    def size(self) -> int:
        """How many places of weights' axes it holds."""
        return sum(len(part.positions) for part in self.slices)

    @property
    def axes(self) -> frozenset[tuple[str, int]]:
        """Which axes of which weights it takes places from."""
        return frozenset((part.weight, part.axis) for part in self.slices)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Places of a weight's axis that stay, and the operator that needs them."""

    weight: str
    axis: int
    count: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Groups:
    """All groups of a network, and what is frozen by which operator and why."""

    groups: tuple[DependencyGroup, ...]
    frozen: tuple[Frozen, ...]
    relations: Relations

    def __iter__(self) -> Iterator[DependencyGroup]:
        return iter(self.groups)

    def __len__(self) -> int:
        return len(self.groups)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Operators without a rule that keep weights from being cut."""
        reasons = {frozen.reason for frozen in self.frozen if frozen.reason.why == NO_RULE}
        return tuple(sorted({reason.operator for reason in reasons}))

    def alike(self) -> tuple[tuple[DependencyGroup, ...], ...]:
        """Groups that take from the same axes, such as all channels of a layer."""
        by_axes: dict[frozenset[tuple[str, int]], list[DependencyGroup]] = defaultdict(list)
        for group in self.groups:
            by_axes[group.axes].append(group)
        return tuple(map(tuple, by_axes.values()))


def groups(network: Network) -> Groups:
    """The groups of a network, in the order of its nodes.

    Whatever is in no group is frozen: by the network's inputs and outputs, by operators that need
    an axis as a whole, by operators without a rule, or because nothing would be left.
    """
    relations = _related(network)
    _keep_something(relations)
    slices: dict[int, dict[tuple[str, int], set[int]]] = defaultdict(lambda: defaultdict(set))
    frozen: dict[tuple[str, int, Reason], set[int]] = defaultdict(set)
    for weight, axis, roots in _of_weights(relations):
        for position, root in enumerate(roots):
            reason = relations.atoms.reason(root)
            if reason is None:
                slices[root][weight, axis].add(position)
            else:
                frozen[weight, axis, reason].add(position)
    return Groups(
        tuple(DependencyGroup(root, tuple(_slices(slices[root]))) for root in sorted(slices)),
        tuple(Frozen(*key[:2], len(places), key[2]) for key, places in frozen.items()),
        relations,
    )


def _related(network: Network) -> Relations:
    """The relations; what was parted and turned out to be frozen is parted the other way."""
    relations = Relations(network)
    frozen = {
        index
        for index, axis in relations.parted.items()
        if relations.atoms.frozen(axis.atoms).all()
    }
    if frozen:
        relations = Relations(network, frozen)
    return relations


def _of_weights(relations: Relations) -> Iterator[tuple[str, int, list[int]]]:
    """Each axis of each weight wherever it is used, with what stands for its places' sets."""
    for use in relations.uses:
        if use.name in relations.network.weights and use.axes is not None:
            for number, axis in enumerate(use.axes):
                if axis is not None:
                    yield use.name, number, relations.atoms.roots(axis.atoms).tolist()


def _slices(places: dict[tuple[str, int], set[int]]) -> Iterable[WeightSlice]:
    return (WeightSlice(*key, tuple(sorted(positions))) for key, positions in places.items())


def _keep_something(relations: Relations) -> None:
    """A set that is all there is of an axis stays."""
    for name, axis in relations.named_axes():
        roots = relations.atoms.roots(axis.atoms)
        if len(roots) and (roots == roots[0]).all():
            reason = Reason("axis", name, "nothing would be left of it")
            relations.atoms.freeze(roots[:1], reason)
