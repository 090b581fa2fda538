"""The graph for any number of examples, from what was followed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.errors import ModelError
from allotrope.network.graph import Dimension, Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.rewriting.batch.following import Following
from allotrope.network.rewriting.batch.placement import Mixes, Placement
from allotrope.network.used import used

Shape = tuple[Dimension, ...]


def freed_graph(network: Network, following: Following, inputs: Mapping[str, Placement]) -> Graph:
    """The graph with the batch as a named length.

    Raises: Mixes if an output has no place for each example, or shape inference disagrees.
    """
    name = _free_length(network)
    nodes = _needed([*_with_outputs_apart(network, following)], network)
    taken = {one for node in nodes for one in used(node)} | {
        value.name for value in network.outputs
    }
    made = {one for node in nodes for one in node.outputs}
    arrays = {**following.known.arrays, **network.graph.constants, **following.constants}
    taken -= made
    constants = {key: array for key, array in arrays.items() if key in taken}
    freed = tuple(_freed(value, inputs.get(value.name), name) for value in network.inputs)
    outputs = tuple(replace(value, shape=None) for value in network.outputs)
    bare = replace(
        network.graph,
        inputs=freed,
        outputs=outputs,
        nodes=tuple(nodes),
        constants=constants,
        values={},
    )
    # All is inferred anew: what was followed is held against what ONNX makes of the free length.
    try:
        graph = infer_shapes(bare, network.weights)
    except ModelError as error:
        raise Mixes(str(error)) from error
    return _with_lengths(graph, network, following, name)


def _free_length(network: Network) -> str:
    used_names = {
        length
        for value in (*network.inputs, *network.graph.values.values())
        for length in value.shape or ()
    }
    names = itertools.chain(("n", "batch", "batch_length"), (f"n{i}" for i in itertools.count()))
    return next(name for name in names if name not in used_names)


def _freed(value: Value, place: Placement | None, name: str) -> Value:
    if place is None or value.shape is None:
        return value
    return replace(value, shape=(*value.shape[: place.axis], name, *value.shape[place.axis + 1 :]))


def _with_outputs_apart(network: Network, following: Following) -> Iterable[Node]:
    """The nodes, with a Reshape behind each output in which an example has several rows."""
    places = {value.name: following.place(value.name) for value in network.outputs}
    if not any(places.values()):
        raise Mixes("no output depends on an example")
    joined = {
        name: f"{name}/joined"
        for name, place in places.items()
        if place is not None and not place.plain
    }
    for node in following.nodes:
        inputs, outputs = (
            (joined.get(one, one) for one in names) for names in (node.inputs, node.outputs)
        )
        yield replace(node, inputs=tuple(inputs), outputs=tuple(outputs)) if joined else node
    for name, rows in joined.items():
        yield _apart(following, name, rows)


def _apart(following: Following, name: str, rows: str) -> Node:
    place, lengths = following.placements[name], following.lengths(name)
    if place.axis != 0 or place.outer != 1 or name in following.known.moving:
        raise Mixes(f"the output '{name}' does not keep what belongs to one example together")
    following.placements[name] = Placement(0, front=True)
    target = following.constant(f"{name}/apart", np.array([-1, place.inner, *lengths[1:]]))
    following.known.lengths[name] = (place.inner, *lengths[1:])
    following.changed.append(f"output {name}")
    return Node("Reshape", (rows, target), (name,), {}, name)


def _needed(nodes: Sequence[Node], network: Network) -> list[Node]:
    """The nodes that an output is computed from."""
    wanted = {value.name for value in network.outputs}
    needed = []
    for node in reversed(nodes):
        if wanted & set(node.outputs):
            needed.append(node)
            wanted |= used(node)
    return needed[::-1]


def _with_lengths(graph: Graph, network: Network, following: Following, name: str) -> Graph:
    """The graph with all that is known of its values. Raises: Mixes if inference disagrees."""
    values = {key: _known(value, following, network, name) for key, value in graph.values.items()}
    outputs = tuple(_known(value, following, network, name) for value in graph.outputs)
    return replace(graph, values=values, outputs=outputs)


def _known(value: Value, following: Following, network: Network, name: str) -> Value:
    place, lengths = following.place(value.name), following.known.lengths.get(value.name)
    if lengths is None or value.name in following.known.moving:
        return value if place is None else _named(value, place, name)
    shape: Shape = lengths
    if place is not None:
        whole = (following.batch, *lengths) if place.front else lengths
        shape = (*whole[: place.axis], name if place.plain else None, *whole[place.axis + 1 :])
    if value.shape is not None and not _agree(value.shape, shape):
        raise Mixes(
            f"shape inference gives {list(value.shape)} for '{value.name}', not {list(shape)}"
        )
    return replace(value, shape=shape)


def _named(value: Value, place: Placement, name: str) -> Value:
    """A value of which other lengths are free too: what was inferred, and the batch."""
    if value.shape is None or not place.plain or len(value.shape) <= place.axis:
        return value
    if value.shape[place.axis] not in (None, name):
        raise Mixes(f"shape inference fixes the batch of '{value.name}', {list(value.shape)}")
    return replace(value, shape=(*value.shape[: place.axis], name, *value.shape[place.axis + 1 :]))


def _agree(inferred: Shape, known: Shape) -> bool:
    """Whether no length is inferred to be another; one without a name may be inferred under any."""
    pairs = zip(inferred, known, strict=False)
    return len(inferred) == len(known) and all(
        one in (None, other) or (other is None and not isinstance(one, int)) for one, other in pairs
    )
