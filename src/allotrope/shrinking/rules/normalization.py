"""Normalizations: by channel or by group they can be cut, over an axis they need all of it."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.network.graph import Node
from allotrope.network.rewriting.batch.following import BY_LAST_AXIS
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, valued
from allotrope.shrinking.relations import relates


@relates("BatchNormalization", "InstanceNormalization")
def by_channel(junction: Junction) -> Sequence[Axes]:
    """x: [n, c, …]; scale, bias and statistics: [c]."""
    channels, others = junction.take(0, 1), [junction.take(p, 0) for p in junction.inputs if p > 0]
    axis = junction.unite(channels, *others)
    scale, bias = others[:2]
    zero = scale is not None and bias is not None and scale.at == bias.at == 0
    axes = _around(junction, valued(axis, 0.0 if zero else None))
    # What a training form gives beside it are statistics: [c].
    statistics = (valued(axis),)
    return [axes, *[statistics] * (len(junction.node.outputs) - 1)]


@relates("GroupNormalization")
def by_group(junction: Junction) -> Sequence[Axes]:
    """A group of channels is normalized as one, so it stays or goes as one."""
    channels, scale, bias = junction.take(0, 1), junction.take(1, 0), junction.take(2, 0)
    axis = junction.unite(channels, scale, bias)
    if axis is not None:
        groups = axis.atoms.reshape(int(junction.node.attributes["num_groups"]), -1)
        junction.atoms.unite(groups[:, :1], groups)
    zero = scale is not None and bias is not None and scale.at == bias.at == 0
    return [_around(junction, valued(axis, 0.0 if zero else None))]


@follows("GroupNormalization")
def with_fewer_groups(cut: Cut, index: int, node: Node) -> Node:
    """Whole groups went."""
    axis = cut.relations.inputs[index][0][1]
    assert axis is not None
    size = len(axis) // node.attributes["num_groups"]
    return cut.with_attributes(node, num_groups=cut.length(index, 0, 1) // size)


@relates("LayerNormalization", "RMSNormalization")
def over_the_last(junction: Junction) -> Sequence[Axes]:
    """What stands in front of the axes that are normalized passes."""
    axis = junction.axis(-1)
    axes = [valued(junction.take(0, number)) for number in range(axis)]
    made: Axes = (*axes, *[None] * (len(junction.inputs[0]) - axis))
    return [made] * len(junction.node.outputs)


@relates(*sorted(BY_LAST_AXIS - {"LayerNormalization", "RMSNormalization"}))
def over_one(junction: Junction) -> Sequence[Axes]:
    """All axes but the one that is normalized pass."""
    whole = junction.axis(-1)
    axes = [valued(junction.take(0, n)) for n in range(len(junction.inputs[0])) if n != whole]
    made: Axes = (*axes[:whole], None, *axes[whole:])
    return [made] * len(junction.node.outputs)


@relates("MeanVarianceNormalization")
def over_axes(junction: Junction) -> Sequence[Axes]:
    """All axes but those that are normalized pass; where it is 0 throughout it stays 0."""
    rank = len(junction.inputs[0])
    whole = {axis % rank for axis in junction.node.attributes.get("axes", (0, 2, 3))}
    axes: list[Axis | None] = [None] * rank
    for number in set(range(rank)) - whole:
        axes[number] = junction.passed(junction.take(0, number))
    return [tuple(axes)]


def _around(junction: Junction, channels: Axis | None) -> Axes:
    """The output's axes: those of the input, with these channels."""
    places = [valued(junction.take(0, n)) for n in range(len(junction.inputs[0])) if n != 1]
    return (places[0], channels, *places[1:])
