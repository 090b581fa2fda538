"""Mixed precision: the int8 file of a quantizer with some of its layers left in float.

The file is not made anew: a rounded node takes the same rounded arrays and the same steps as there,
one that is left in float takes what the float network gives it. So any set of layers costs nothing
but writing a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from allotrope.errors import UnsupportedError
from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.shrinking.quantize import LAYERS

COMPUTING = LAYERS | {"ConvTranspose"}
"""What is a layer by its operator; what joins several rounded values is one as well."""


@dataclass(frozen=True)
class RoundedLayers:
    """What a quantizer rounds of a float network.

    `rounded` computes what `plain` does, in nodes of the same names. `layers` are those of them
    that can be left in float, in their order; `followed_by` has the layers that each node serves
    that is rounded and is no layer itself, such as a pooling in front of a convolution.
    """

    plain: Network
    rounded: Network
    layers: tuple[str, ...]
    followed_by: Mapping[str, frozenset[str]]

    def operator(self, layer: str) -> str:
        """What a layer is."""
        return next(node.operator for node in self.plain.graph.nodes if node.label == layer)

    def nodes(self, layers: Iterable[str]) -> frozenset[str]:
        """The nodes that are rounded if only these layers are."""
        chosen = frozenset(layers)
        between = (node for node, behind in self.followed_by.items() if behind & chosen)
        return chosen.union(between)


def rounded_layers(plain: Network, rounded: Network) -> RoundedLayers:
    """The layers that a quantizer rounded; `plain` is what it made its file of.

    Raises: UnsupportedError if it rounded nothing, or nodes that the float network lacks.
    """
    lookup = Lookup(rounded.graph, rounded.weights)
    counts = Counter(node.label for node in plain.graph.nodes)
    nodes = {node.label: node for node in rounded.graph.nodes if _is_rounded(lookup, node)}
    strange = [name for name in nodes if counts[name] != 1]
    if strange:
        raise UnsupportedError(
            "these rounded nodes are not in the float network, or several times: "
            f"{', '.join(strange[:20])}."
        )
    layers = [name for name, node in nodes.items() if _is_layer(lookup, node)]
    if not layers:
        raise UnsupportedError("the quantizer rounds no layer.")
    between = nodes.keys() - set(layers)
    return RoundedLayers(plain, rounded, tuple(layers), _served(plain, layers, between))


def rounded_in(known: RoundedLayers, layers: Iterable[str]) -> Network:
    """The network with these layers rounded, and all others in float.

    Raises: UnsupportedError for steps that are not constants.
    """
    wanted = known.nodes(layers)
    rewriter = Rewriter(known.plain.graph, known.plain.weights)
    source = Lookup(known.rounded.graph, known.rounded.weights)
    as_rounded = {node.label: node for node in source.nodes() if node.label in wanted}
    roundings = _Roundings(rewriter, source)
    for node in list(rewriter.nodes()):
        if node.label in as_rounded:
            rewriter.replace(node.outputs, roundings.around(node, as_rounded[node.label]))
    return rewriter.applied_to(known.plain)


def _is_rounded(lookup: Lookup, node: Node) -> bool:
    if node.operator in ("QuantizeLinear", "DequantizeLinear"):
        return False
    return any(lookup.maker(name, "DequantizeLinear") for name in node.inputs)


def _is_layer(lookup: Lookup, node: Node) -> bool:
    """Whether it computes something of its own: with weights, or of several rounded values."""
    makers = (lookup.maker(name, "DequantizeLinear") for name in node.inputs)
    values = [each for each in makers if each and each.inputs[0] not in lookup.arrays]
    return node.operator in COMPUTING or len(values) > 1


def _served(
    plain: Network, layers: Iterable[str], between: Iterable[str]
) -> dict[str, frozenset[str]]:
    """The next layers behind each of these nodes; of the last ones those in front."""
    lookup, ends = Lookup(plain.graph, plain.weights), frozenset(layers)
    nodes = {node.label: node for node in plain.graph.nodes}

    def behind(node: Node) -> Iterator[Node]:
        for name in node.outputs:
            yield from lookup.users(name)

    def before(node: Node) -> Iterator[Node]:
        makers = (lookup.maker(name) for name in node.inputs)
        yield from (each for each in makers if each is not None)

    served = {}
    for name in between:
        next_layers = _nearest(nodes[name], behind, ends)
        served[name] = next_layers or _nearest(nodes[name], before, ends)
    return served


def _nearest(
    start: Node, towards: Callable[[Node], Iterator[Node]], ends: frozenset[str]
) -> frozenset[str]:
    """The first of `ends` on every way in a direction."""
    open_nodes, seen, reached = [start], {start.label}, set[str]()
    while open_nodes:
        for node in towards(open_nodes.pop()):
            if node.label in seen:
                continue
            seen.add(node.label)
            if node.label in ends:
                reached.add(node.label)
            else:
                open_nodes.append(node)
    return frozenset(reached)


class _Roundings:
    """Puts the roundings of one graph into another; what several nodes take is rounded once."""

    def __init__(self, rewriter: Rewriter, source: Lookup) -> None:
        self._rewriter, self._source = rewriter, source
        self._constants: dict[str, str] = {}
        self._values: dict[tuple[str, str], str] = {}

    def around(self, plain: Node, rounded: Node) -> list[Node]:
        """The float node with the inputs of the rounded one, behind the nodes that round them."""
        new: list[Node] = []
        inputs = [
            self._input(name, plain.input(place), new) for place, name in enumerate(rounded.inputs)
        ]
        return [*new, replace(plain, inputs=tuple(inputs))]

    def _input(self, name: str, plain: str, new: list[Node]) -> str:
        dequantize = self._source.maker(name, "DequantizeLinear")
        if dequantize is not None:
            return self._rounded(dequantize, plain, new)
        # A float array may be another than it was: quantizers correct biases.
        array = self._source.arrays.get(name)
        if array is not None and array.dtype.kind == "f":
            return self._constant(name)
        return plain

    def _rounded(self, dequantize: Node, plain: str, new: list[Node]) -> str:
        """The value that is rounded as there: an array of integers, or a pair around `plain`."""
        quantize = self._source.maker(dequantize.inputs[0], "QuantizeLinear")
        key = plain, dequantize.outputs[0]
        if key not in self._values:
            if quantize is None:
                integers = self._constant(dequantize.inputs[0])
            else:
                integers = self._copied(quantize, plain, new)
            self._values[key] = self._copied(dequantize, integers, new)
        return self._values[key]

    def _copied(self, node: Node, taken: str, new: list[Node]) -> str:
        """The node on another value."""
        name = self._rewriter.fresh(node.outputs[0])
        steps = [self._constant(each) for each in node.inputs[1:] if each]
        new.append(Node(node.operator, (taken, *steps), (name,), node.attributes, name))
        return name

    def _constant(self, name: str) -> str:
        if name not in self._constants:
            array = self._source.arrays.get(name)
            if array is None:
                raise UnsupportedError(f"'{name}' is computed, where a quantizer has a constant.")
            self._constants[name] = self._rewriter.constant(name, array)
        return self._constants[name]
