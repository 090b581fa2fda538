"""Brings a model of any opset to one clean `Network`.

Constants are in their place, there is one opset, weights are told apart, shapes inferred.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import replace
from functools import cache, partial

from allotrope.config import Repair
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import free_name, names_in, with_names
from allotrope.network.network import Network
from allotrope.network.preprocessing import preprocessing_arrays
from allotrope.network.reading.adapters import Upgrade
from allotrope.network.reading.foreign.spell import has_foreign, spelled
from allotrope.network.reading.opset import OPSET
from allotrope.network.reading.parse import constant_of
from allotrope.network.reading.shapes import infer_shapes, with_shapes
from allotrope.network.reading.upgrade import needs_upgrade, upgrade
from allotrope.network.rewriting.batch import free_batch as with_free_batch
from allotrope.network.rewriting.repair import Report, repaired, say_what_learns_no_more
from allotrope.network.used import taken_in
from allotrope.network.weights import RECORD, Roles, by_use, is_float, roles

__all__ = ["OPSET", "constants_in_place", "normalize", "upgraded"]


def normalize(
    graph: Graph,
    opset: int,
    metadata: Mapping[str, str],
    repair: Repair | None = None,
    report: Report = lambda line: None,
) -> Network:
    """A network from a checked graph at its own opset, all its arrays among its constants.

    Mended as `repair` says.

    Raises: UnsupportedError, ModelError, each naming the nodes.
    """
    repair = repair or Repair()
    listed = graph.constants.keys()
    hoisted = _hoisted(constants_in_place(graph))
    plain = with_shapes(upgraded(hoisted, opset, report), {})
    graph = repaired(plain, repair, report)
    made = _made(hoisted, graph)
    own = _roles(graph, metadata, listed, made, repair, report)
    names = own.trainable | own.state
    weights = {name: array for name, array in graph.constants.items() if name in names}
    needed = taken_in(graph) - names
    constants = {name: array for name, array in graph.constants.items() if name in needed}
    others = {key: text for key, text in metadata.items() if key != RECORD}
    network = Network(replace(graph, constants=constants), weights, own.trainable, others)
    if not repair.batch:
        return network
    freed = with_free_batch(network, report)
    say_what_learns_no_more(_learning(network), _learning(freed), "batch", report)
    return freed


def _made(file: Graph, read: Graph) -> frozenset[str]:
    """The arrays that reading made: new ones, and floats that integers of the file stand for.

    What a file says of its weights says nothing of these: a quantizer keeps the words and replaces
    the arrays.
    """
    floats = {name for name, array in file.constants.items() if is_float(array.dtype)}
    return frozenset(
        name
        for name, array in read.constants.items()
        if name not in file.constants or (name not in floats and is_float(array.dtype))
    )


def _learning(network: Network) -> dict[str, int]:
    return {name: network.weights[name].size for name in network.trainable}


def _roles(
    graph: Graph,
    metadata: Mapping[str, str],
    listed: Set[str],
    made: Set[str],
    repair: Repair,
    report: Report,
) -> Roles:
    """Which arrays are weights.

    `listed` are those that the file holds as initializers, `made` those made of them in reading.
    """
    learned = roles(graph, graph.constants, metadata)
    listed |= made
    if RECORD in metadata:
        new = by_use(graph, {name: graph.constants[name] for name in made - learned.state})
        return Roles(learned.trainable | new.trainable, learned.state | new.state)
    pixels = (
        preprocessing_arrays(graph) & learned.trainable if repair.preprocessing else frozenset()
    )
    if pixels and pixels < learned.trainable:
        report(
            f"repair: {', '.join(sorted(pixels))} prepare the input before the network begins: "
            "constants, which do not learn"
        )
        learned = Roles(learned.trainable - pixels, learned.state)
    direct = by_use(graph, graph.constants, behind=False)
    plain = direct.trainable | direct.state
    hidden = frozenset(
        n for n in learned.trainable | learned.state if n not in listed or n not in plain
    )
    if not repair.weights:
        return Roles(learned.trainable - hidden, learned.state - hidden)
    if hidden:
        inside = len([name for name in hidden if name not in listed])
        report(
            f"repair: {inside} weights found in Constant nodes, {len(hidden) - inside} behind "
            "Identity, Transpose or the like"
        )
    return learned


def constants_in_place(graph: Graph) -> Graph:
    """Constant nodes become constants, here and in the graphs inside."""
    constants, nodes = dict(graph.constants), []
    for node in graph.nodes:
        if node.operator == "Constant" and node.domain == "":
            constants |= dict.fromkeys(node.outputs, constant_of(node))
        else:
            nodes.append(node.with_subgraphs(constants_in_place))
    return replace(graph, nodes=tuple(nodes), constants=constants)


def _hoisted(graph: Graph) -> Graph:
    """The constants of the graphs inside become constants of the outermost.

    They take new names if two have the same.
    """
    constants = dict(graph.constants)
    taken = names_in(graph)

    def lift(inner: Graph) -> Graph:
        ends = {value.name for value in inner.outputs}
        new = {}
        for name in sorted(inner.constants):
            new[name] = free_name(name, taken) if name in constants or name in ends else name
            constants[new[name]] = inner.constants[name]
        results = tuple(
            Node("Identity", (new[name],), (name,), {}, name)
            for name in sorted(ends & inner.constants.keys())
        )
        nodes = tuple(with_names(node, new).with_subgraphs(lift) for node in inner.nodes)
        return replace(inner, nodes=(*results, *nodes), constants={})

    nodes = tuple(node.with_subgraphs(lift) for node in graph.nodes)
    return replace(graph, nodes=nodes, constants=constants)


def upgraded(graph: Graph, opset: int, report: Report = lambda line: None) -> Graph:
    """The graph in `OPSET`: first what shapes are inferred through, then what needs these shapes.

    Operators of others, behind which no shapes are known, are spelled in ONNX's own in between.
    """
    for stage in (False, True):
        if stage and has_foreign(graph, opset):
            graph = spelled(graph, opset, lambda graph: _inference(graph, OPSET)(), report)
        if needs_upgrade(graph, opset, late=stage):
            known = _inference(graph, opset)
            if stage:
                # What is inferred here is what everything after this means: it stays.
                graph = infer_shapes(graph, {})
                known = cache(partial(_known, graph))
            up = Upgrade(opset, known, graph.constants, names_in(graph), taken_in(graph))
            graph = upgrade(graph, up, late=stage)
            graph = replace(graph, constants={**graph.constants, **up.added})
    return graph


def _inference(graph: Graph, opset: int) -> Callable[[], Mapping[str, Value]]:
    """What is known of every value by name, inferred when first asked for."""
    return cache(lambda: _known(infer_shapes(graph, {}, opset)))


def _known(graph: Graph) -> dict[str, Value]:
    known = {name: Value(name, a.dtype, a.shape) for name, a in graph.constants.items()}
    known |= graph.values
    return known | {value.name: value for value in (*graph.inputs, *graph.outputs)}
