"""Convolutions: their channels go in and out; places within an example stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, valued
from allotrope.shrinking.relations import relates


@relates("Conv")
def convolution(junction: Junction) -> Sequence[Axes]:
    """x: [n, c, …], w: [out, c / groups, *kernel], bias: [out]."""
    groups = int(junction.node.attributes.get("group", 1))
    channels, made, inner = junction.take(0, 1), junction.take(1, 0), junction.take(1, 1)
    if groups == 1:
        junction.contract(channels, inner)
    elif inner is not None and len(inner) == 1:
        _own_filters(junction, channels, made, groups)
    else:
        _evenly(junction, made, groups)
        # Each group has its own channels, and the filters' one axis stands for those of all.
        junction.contract(channels, _repeated(_evenly(junction, channels, groups), inner, groups))
    return [_out(junction, made)]


def _own_filters(junction: Junction, channels: Axis | None, made: Axis | None, groups: int) -> None:
    """A depthwise convolution: a channel goes with the filters that see only it."""
    if channels is not None and made is not None:
        filters = len(made) // groups
        each = Axis(np.repeat(channels.atoms, filters), channels.at)
        junction.unite(each, made)
    else:
        junction.unite(channels, made)


def _evenly(junction: Junction, axis: Axis | None, groups: int) -> Axis | None:
    """Places at the same rank in every group go together, so that groups stay equally large."""
    if axis is not None:
        by_group = axis.atoms.reshape(groups, -1)
        junction.atoms.unite(by_group[:1], by_group)
    return axis


def _repeated(like: Axis | None, inner: Axis | None, groups: int) -> Axis | None:
    """The filters' axis once for each group."""
    if inner is None:
        return None
    return Axis(np.tile(inner.atoms, groups), inner.at)


def _out(junction: Junction, made: Axis | None) -> Axes:
    """The axes of the output: examples, channels, places."""
    at = None if made is None else made.at
    if junction.has(2):
        bias = junction.take(2, 0)
        made = junction.unite(made, bias)
        if bias is None or bias.at != 0:
            at = None
    if made is not None:
        made = Axis(made.atoms, at)
    examples = junction.take(0, 0)
    rest: Axes = (None,) * (len(junction.inputs[0]) - 2)
    return (valued(examples), made, *rest)


@relates("ConvTranspose")
def transposed_convolution(junction: Junction) -> Sequence[Axes]:
    """x: [n, c, …], w: [c, out / groups, *kernel], bias: [out]."""
    groups = int(junction.node.attributes.get("group", 1))
    channels, inner = junction.take(0, 1), junction.take(1, 0)
    if groups == 1:
        junction.contract(channels, inner)
        return [_out(junction, junction.take(1, 1))]
    if inner is not None and len(inner) == groups:
        # The filters' outputs stay: a channel goes with all that is made of it.
        junction.contract(channels, inner)
        filters = junction.shape(1)[1]
        return [_out(junction, Axis(np.repeat(inner.atoms, int(str(filters))), inner.at))]
    junction.contract(_evenly(junction, channels, groups), _evenly(junction, inner, groups))
    made = junction.take(1, 1)
    if made is not None:
        made = Axis(np.tile(made.atoms, groups), made.at)
    return [_out(junction, made)]


@follows("Conv", "ConvTranspose")
def with_groups(cut: Cut, index: int, node: Node) -> Node:
    """A depthwise convolution has as many groups as channels; others keep theirs."""
    groups = int(node.attributes.get("group", 1))
    channels = cut.relations.inputs[index][0][1]
    if groups == 1 or channels is None or len(channels) != groups:
        return node
    return cut.with_attributes(node, group=cut.length(index, 0, 1))
