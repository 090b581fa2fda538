"""Convolutions: their channels go in and out; places within an example stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allotrope.network.graph import Node
from allotrope.shrink.atoms import Axis
from allotrope.shrink.cutting import Cutting, follows
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, valued


@relates("Conv")
def convolution(site: Site) -> Sequence[Axes]:
    """x: [n, c, …], w: [out, c / groups, *kernel], bias: [out]."""
    groups = int(site.node.attributes.get("group", 1))
    channels, made, inner = site.take(0, 1), site.take(1, 0), site.take(1, 1)
    if groups == 1:
        site.contract(channels, inner)
    elif inner is not None and len(inner) == 1:
        _own_filters(site, channels, made, groups)
    else:
        _evenly(site, made, groups)
        # Each group has its own channels, and the filters' one axis stands for those of all.
        site.contract(channels, _repeated(_evenly(site, channels, groups), inner, groups))
    return [_out(site, made)]


def _own_filters(site: Site, channels: Axis | None, made: Axis | None, groups: int) -> None:
    """A depthwise convolution: a channel goes with the filters that see only it."""
    if channels is not None and made is not None:
        filters = len(made) // groups
        each = Axis(np.repeat(channels.atoms, filters), channels.at)
        site.unite(each, made)
    else:
        site.unite(channels, made)


def _evenly(site: Site, axis: Axis | None, groups: int) -> Axis | None:
    """Places at the same rank in every group go together, so that groups stay equally large."""
    if axis is not None:
        by_group = axis.atoms.reshape(groups, -1)
        site.atoms.unite(by_group[:1], by_group)
    return axis


def _repeated(like: Axis | None, inner: Axis | None, groups: int) -> Axis | None:
    """The filters' axis once for each group."""
    if inner is None:
        return None
    return Axis(np.tile(inner.atoms, groups), inner.at)


def _out(site: Site, made: Axis | None) -> Axes:
    """The axes of the output: examples, channels, places."""
    at = None if made is None else made.at
    if site.has(2):
        bias = site.take(2, 0)
        made = site.unite(made, bias)
        if bias is None or bias.at != 0:
            at = None
    if made is not None:
        made = Axis(made.atoms, at)
    examples = site.take(0, 0)
    rest: Axes = (None,) * (len(site.inputs[0]) - 2)
    return (valued(examples), made, *rest)


@relates("ConvTranspose")
def transposed_convolution(site: Site) -> Sequence[Axes]:
    """x: [n, c, …], w: [c, out / groups, *kernel], bias: [out]."""
    groups = int(site.node.attributes.get("group", 1))
    channels, inner = site.take(0, 1), site.take(1, 0)
    if groups == 1:
        site.contract(channels, inner)
        return [_out(site, site.take(1, 1))]
    if inner is not None and len(inner) == groups:
        # The filters' outputs stay: a channel goes with all that is made of it.
        site.contract(channels, inner)
        filters = site.shape(1)[1]
        return [_out(site, Axis(np.repeat(inner.atoms, int(str(filters))), inner.at))]
    site.contract(_evenly(site, channels, groups), _evenly(site, inner, groups))
    made = site.take(1, 1)
    if made is not None:
        made = Axis(np.tile(made.atoms, groups), made.at)
    return [_out(site, made)]


@follows("Conv", "ConvTranspose")
def with_groups(cutting: Cutting, index: int, node: Node) -> Node:
    """A depthwise convolution has as many groups as channels; others keep theirs."""
    groups = int(node.attributes.get("group", 1))
    channels = cutting.relations.inputs[index][0][1]
    if groups == 1 or channels is None or len(channels) != groups:
        return node
    return cutting.with_attributes(node, group=cutting.length(index, 0, 1))
