"""A network without some of its groups, and the same network with these groups at zero."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.shrinking.cut import FOLLOWS, Cut
from allotrope.shrinking.groups import Groups, groups
from allotrope.shrinking.relations import ArrayUse

Change = Callable[[np.ndarray, list[np.ndarray | None]], np.ndarray]
"""Another array for an array and the places that stay of each of its axes; None: all."""


def pruned(network: Network, removed: Iterable[int], known: Groups | None = None) -> Network:
    """The network without the groups of these numbers; their places are cut out of every array.

    It gives what `masked` gives: the same outputs. What training starts from is the rest of each
    weight; BatchNormalization stays, with its statistics. An array that several nodes take and
    that is cut differently for them is copied before.
    `known`: what `groups` gives for this network, if it is there already.

    Raises: UsageError for numbers of no group, or if nothing would be left of a value.
    """
    known = known or groups(network)
    rewriter, cut = _started(network, removed, known)
    _check_rest(cut)
    graph = _with_new_shapes(cut)
    rewriter = Rewriter(graph, network.weights)
    cut = Cut(known.relations, cut.removed, rewriter)
    names = _with_arrays(cut, _without)
    for index, node in enumerate(network.graph.nodes):
        changed = _renamed(node, names[index])
        if cut.touches(index) and node.operator in FOLLOWS:
            changed = FOLLOWS[node.operator](cut, index, changed)
        if changed is not node:
            rewriter.replace(filter(None, node.outputs), [*cut.in_front(), changed])
    return rewriter.applied_to(network)


def masked(network: Network, removed: Iterable[int], known: Groups | None = None) -> Network:
    """The network with every weight of these groups at 0, in its own shape.

    Every weight: what makes the places (filters, biases, scales and shifts of a normalization) and
    what takes them. Constants stay as they are. This is what `pruned` is held to.

    Raises: UsageError for numbers of no group.
    """
    known = known or groups(network)
    rewriter, cut = _started(network, removed, known)
    names = _with_arrays(cut, _zeroed, only=network.weights.keys())
    for index, node in enumerate(network.graph.nodes):
        changed = _renamed(node, names[index])
        if changed is not node:
            rewriter.replace(filter(None, node.outputs), [changed])
    return rewriter.applied_to(network)


def _started(network: Network, removed: Iterable[int], known: Groups) -> tuple[Rewriter, Cut]:
    numbers = set(removed)
    unknown = sorted(numbers - {group.number for group in known})
    if unknown:
        shown = ", ".join(map(str, unknown[:20]))
        raise UsageError(
            f"network '{network.graph.name}' has no groups {shown} that could be removed; "
            f"`groups` names the {len(known)} that it has."
        )
    rewriter = Rewriter(network.graph, network.weights)
    return rewriter, Cut(known.relations, np.array(sorted(numbers), np.int64), rewriter)


def _check_rest(cut: Cut) -> None:
    """Raises: UsageError if an axis would have no places left."""
    empty = [
        name for name, axis in cut.relations.named_axes() if len(axis) and not cut.mask(axis).any()
    ]
    if empty:
        shown = ", ".join(dict.fromkeys(map(repr, empty[:20])))
        raise UsageError(f"nothing would be left of {shown}; leave at least one group of each.")


def _with_new_shapes(cut: Cut) -> Graph:
    """The graph with what is known of its values after the cut."""
    graph = cut.relations.network.graph
    return replace(
        graph, values={name: _shortened(cut, value) for name, value in graph.values.items()}
    )


def _shortened(cut: Cut, value: Value) -> Value:
    axes = cut.relations.values.get(value.name)
    if axes is None or value.shape is None:
        return value
    masks = cut.of_axes(axes)
    pairs = zip(value.shape, masks, strict=True)
    shape = tuple(length if mask is None else int(mask.sum()) for length, mask in pairs)
    return replace(value, shape=shape)


def _with_arrays(
    cut: Cut, change: Change, only: Iterable[str] | None = None
) -> dict[int, dict[int, str]]:
    """Puts changed arrays in place; the names of those that are copies, by node and position."""
    uses: dict[str, list[ArrayUse]] = defaultdict(list)
    for use in cut.relations.uses:
        uses[use.name].append(use)
    names: dict[int, dict[int, str]] = defaultdict(dict)
    for name, places in uses.items():
        if only is None or name in only:
            _with_array(cut, name, places, change, names)
    return names


def _with_array(
    cut: Cut,
    name: str,
    uses: list[ArrayUse],
    change: Change,
    names: dict[int, dict[int, str]],
) -> None:
    """One array: under its own name for those that take it alike, as copies for all others."""
    old = cut.relations.lookup.arrays[name]
    forms: dict[bytes, str] = {}
    # Those that take it whole keep the name, and so does whoever comes first if there are none.
    for use in sorted(uses, key=lambda use: _is_cut(cut, use)):
        masks = cut.of_axes(use.axes or ())
        key = b"|".join(b"" if mask is None else mask.tobytes() for mask in masks)
        if not _is_cut(cut, use):
            key = b""
        if key not in forms:
            array = change(old, masks) if key else old
            forms[key] = _put(cut, name, array, is_first=not forms)
        if use.index >= 0:
            names[use.index][use.position] = forms[key]


def _is_cut(cut: Cut, use: ArrayUse) -> bool:
    return any(mask is not None for mask in cut.of_axes(use.axes or ()))


def _put(cut: Cut, name: str, array: np.ndarray, *, is_first: bool) -> str:
    rewriter, network = cut.rewriter, cut.relations.network
    if is_first:
        if array is not rewriter.arrays[name]:
            rewriter.put(name, array)
        return name
    if name in network.weights:
        return rewriter.weight(name, array, trainable=name in network.trainable)
    return rewriter.constant(name, array)


def _without(array: np.ndarray, masks: list[np.ndarray | None]) -> np.ndarray:
    for axis, mask in enumerate(masks):
        if mask is not None:
            array = np.compress(mask, array, axis)
    return array


def _zeroed(array: np.ndarray, masks: list[np.ndarray | None]) -> np.ndarray:
    array = array.copy()
    for axis, mask in enumerate(masks):
        if mask is not None:
            np.moveaxis(array, axis, 0)[~mask] = 0
    return array


def _renamed(node: Node, names: dict[int, str]) -> Node:
    for position, name in names.items():
        if node.inputs[position] != name:
            node = node.with_input(position, name)
    return node
