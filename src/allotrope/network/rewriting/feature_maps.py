"""The last feature map of convolutions on the way from an input to an output, and a probe in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from allotrope.network.graph import Node, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import used

LEAST = 5
"""A map with fewer places along its longest side says little of where: one in front is taken."""
ELSEWHERE = frozenset(
    """
    Conv ConvTranspose DepthToSpace Expand Flatten Gather MatMul Reshape Resize SpaceToDepth Squeeze
    Tile Transpose Unsqueeze
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""Behind these a number stands for other places than before, even if the shape is the same."""


def last_feature_map(network: Network, taken: str, answer: str) -> Value | None:
    """The last map [n, c, ...] that convolutions make of the input `taken` for the output `answer`.

    It is the last whose longest side has `LEAST` places, else the largest; with what normalizes it
    and its activation behind it, as long as every number stays at its place. None without such a
    convolution of two axes or more.
    """
    graph = Lookup(network.graph, network.weights)
    between = behind(graph, [taken]) & before(graph, answer)
    maps = [
        graph.known(node.outputs[0])
        for node in graph.nodes()
        if node.operator == "Conv" and not node.domain and node.outputs[0] in between
    ]
    usable = [value for value in maps if value is not None and _has_places(value)]
    if not usable:
        return None
    fine = [value for value in usable if max(_places(value)) >= LEAST]
    if fine:
        return _followed(graph, fine[-1], between)
    return _followed(graph, max(usable, key=_places), between)


def last_feature_maps(network: Network, taken: str, answer: str) -> tuple[Value, ...]:
    """The last map of each network whose answers' mean is the output; of one alone its own.

    Empty if one has no such map, or the places of two differ.
    """
    mean = Lookup(network.graph, network.weights).maker(answer, "Mean")
    answers = (answer,) if mean is None else mean.inputs
    maps = [last_feature_map(network, taken, each) for each in answers]
    there = [each for each in maps if each is not None]
    whole = len(there) == len(answers) and len({each.shape for each in there}) == 1
    return tuple(there) if whole else ()


def probed(network: Network, feature_map: Value) -> tuple[Network, str]:
    """The network that gives this map too, and takes what is added to it, by that name.

    The gradient by what is added, at 0, is that by the map.
    """
    rewriter = Rewriter(network.graph, network.weights)
    node = rewriter.maker(feature_map.name)
    assert node is not None
    raw, probe = (rewriter.fresh(f"{feature_map.name}.{kind}") for kind in ("raw", "probe"))
    outputs = tuple(raw if name == feature_map.name else name for name in node.outputs)
    added = Node("Add", (raw, probe), (feature_map.name,), {}, f"{raw}.add")
    rewriter.replace(node.outputs, [replace(node, outputs=outputs), added])
    # Under its own name the value is the sum, so that all that take it take what is added too.
    rewriter.give(*network.outputs, feature_map)
    graph = rewriter.result()
    graph = replace(graph, inputs=(*graph.inputs, replace(feature_map, name=probe)))
    return network.changed(graph=graph), probe


def _has_places(value: Value) -> bool:
    """Whether it is [n, c, ...] with two known lengths or more behind the channels."""
    shape = value.shape
    if shape is None or len(shape) < 4 or value.dtype.kind != "f":
        return False
    return all(isinstance(side, int) for side in shape[1:]) and max(_places(value)) > 1


def _places(value: Value) -> tuple[int, ...]:
    """The lengths behind the channels."""
    return tuple(int(side or 0) for side in (value.shape or ())[2:])


def _followed(graph: Lookup, conv: Value, between: set[str]) -> Value:
    """The last value behind the convolution in which every number is at the same place still."""
    last, reached = conv, {conv.name}
    for node in graph.nodes():
        if node.operator in ELSEWHERE or reached.isdisjoint(node.inputs):
            continue
        value = graph.known(node.outputs[0])
        if value is not None and value.name in between and value.shape == conv.shape:
            reached.add(value.name)
            last = value
    return last


def behind(graph: Lookup, names: Iterable[str]) -> set[str]:
    """These values, and all that are made of them."""
    reached = set(names)
    for node in graph.nodes():
        if not reached.isdisjoint(used(node)):
            reached.update(filter(None, node.outputs))
    return reached


def before(graph: Lookup, name: str) -> set[str]:
    """This value, and all that it is made of."""
    reached = {name}
    for node in _last_first(graph):
        if not reached.isdisjoint(node.outputs):
            reached.update(used(node))
    return reached


def _last_first(graph: Lookup) -> Iterator[Node]:
    return reversed(list(graph.nodes()))
