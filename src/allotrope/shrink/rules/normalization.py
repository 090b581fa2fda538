"""Normalizations: by channel or by group they can be cut, over an axis they need all of it."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.network.graph import Node
from allotrope.network.rewriting.batch.following import BY_LAST_AXIS
from allotrope.shrink.atoms import Axis
from allotrope.shrink.cutting import Cutting, follows
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, valued


@relates("BatchNormalization", "InstanceNormalization")
def by_channel(site: Site) -> Sequence[Axes]:
    """x: [n, c, …]; scale, bias and statistics: [c]."""
    channels, others = site.take(0, 1), [site.take(p, 0) for p in site.inputs if p > 0]
    axis = site.unite(channels, *others)
    scale, bias = others[:2]
    zero = scale is not None and bias is not None and scale.at == bias.at == 0
    axes = _around(site, valued(axis, 0.0 if zero else None))
    # What a training form gives beside it are statistics: [c].
    statistics = (valued(axis),)
    return [axes, *[statistics] * (len(site.node.outputs) - 1)]


@relates("GroupNormalization")
def by_group(site: Site) -> Sequence[Axes]:
    """A group of channels is normalized as one, so it stays or goes as one."""
    channels, scale, bias = site.take(0, 1), site.take(1, 0), site.take(2, 0)
    axis = site.unite(channels, scale, bias)
    if axis is not None:
        groups = axis.atoms.reshape(int(site.node.attributes["num_groups"]), -1)
        site.atoms.unite(groups[:, :1], groups)
    zero = scale is not None and bias is not None and scale.at == bias.at == 0
    return [_around(site, valued(axis, 0.0 if zero else None))]


@follows("GroupNormalization")
def with_fewer_groups(cutting: Cutting, index: int, node: Node) -> Node:
    """Whole groups went."""
    axis = cutting.relations.inputs[index][0][1]
    assert axis is not None
    size = len(axis) // node.attributes["num_groups"]
    return cutting.with_attributes(node, num_groups=cutting.length(index, 0, 1) // size)


@relates("LayerNormalization", "RMSNormalization")
def over_the_last(site: Site) -> Sequence[Axes]:
    """What stands in front of the axes that are normalized passes."""
    axis = site.axis(-1)
    axes = [valued(site.take(0, number)) for number in range(axis)]
    made: Axes = (*axes, *[None] * (len(site.inputs[0]) - axis))
    return [made] * len(site.node.outputs)


@relates(*sorted(BY_LAST_AXIS - {"LayerNormalization", "RMSNormalization"}))
def over_one(site: Site) -> Sequence[Axes]:
    """All axes but the one that is normalized pass."""
    whole = site.axis(-1)
    axes = [valued(site.take(0, n)) for n in range(len(site.inputs[0])) if n != whole]
    made: Axes = (*axes[:whole], None, *axes[whole:])
    return [made] * len(site.node.outputs)


@relates("MeanVarianceNormalization")
def over_axes(site: Site) -> Sequence[Axes]:
    """All axes but those that are normalized pass; where it is 0 throughout it stays 0."""
    rank = len(site.inputs[0])
    whole = {axis % rank for axis in site.node.attributes.get("axes", (0, 2, 3))}
    axes: list[Axis | None] = [None] * rank
    for number in set(range(rank)) - whole:
        axes[number] = site.passed(site.take(0, number))
    return [tuple(axes)]


def _around(site: Site, channels: Axis | None) -> Axes:
    """The output's axes: those of the input, with these channels."""
    places = [valued(site.take(0, n)) for n in range(len(site.inputs[0])) if n != 1]
    return (places[0], channels, *places[1:])
