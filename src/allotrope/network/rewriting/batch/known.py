"""What is known of a network's values before it sees data: lengths, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import AllotropeError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.reading.shapes import with_shapes
from allotrope.network.rewriting.batch.placement import Lengths

_ARITHMETIC = frozenset(
    """
    Abs Add And Cast CastLike Ceil Concat ConstantOfShape Div Equal Expand Flatten Floor Gather
    GatherElements GatherND Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mod Mul Neg
    Not Or Pow Range Reciprocal ReduceMax ReduceMin ReduceProd ReduceSum Reshape ScatterND Shape
    Sign Size Slice Split Sqrt Squeeze Sub Tile Transpose Trilu Unsqueeze Where
    """.split()  # noqa: SIM905 - a list would take a line a word
)
_LARGEST = 2**16
"""Elements of a value that is computed here."""
_ROUNDS = 6


@dataclass(frozen=True)
class Known:
    """Lengths of values, and the contents of those that no example and no weight goes into.

    `moving` and `varying` name the values whose lengths and whose contents depend on free lengths.
    """

    lengths: dict[str, Lengths]
    arrays: dict[str, np.ndarray]
    moving: frozenset[str] = frozenset()
    varying: frozenset[str] = frozenset()


def known_values(network: Network, free: Sequence[int]) -> Known:
    """What is known for any free lengths; where these matter, what it is for the first of `free`.

    Raises: ModelError where the network contradicts itself at these lengths.
    """
    first, *others = [_known_at(network, length) for length in free]
    moving = {
        name
        for other in others
        for name, lengths in first.lengths.items()
        if other.lengths.get(name) != lengths
    }
    varying = {
        name
        for other in others
        for name, array in first.arrays.items()
        if name not in other.arrays or not np.array_equal(other.arrays[name], array)
    }
    return replace(first, moving=frozenset(moving), varying=frozenset(varying))


def _known_at(network: Network, free: int) -> Known:
    """Exporters leave chains of Shape, Gather, Concat, which say at length what is one number."""
    graph = _with_lengths(network.graph, free)
    arrays: dict[str, np.ndarray] = dict(graph.constants)
    for _ in range(_ROUNDS):
        graph = with_shapes(graph, network.weights)
        lengths = dict(_lengths(graph, network.weights))
        # Lengths give numbers, and these as targets of Reshape give more lengths: in turn.
        new = _computed(graph, lengths, arrays)
        arrays |= new
        blind = [
            name for node in graph.nodes for name in node.outputs if name and name not in lengths
        ]
        if not new or not blind:
            break
        graph = _with_arrays(graph, new)
    return Known(lengths | {name: array.shape for name, array in arrays.items()}, arrays)


def _with_lengths(graph: Graph, free: int) -> Graph:
    def filled(value: Value) -> Value:
        shape = value.shape and tuple(
            length if isinstance(length, int) else free for length in value.shape
        )
        return replace(value, shape=shape)

    outputs = tuple(replace(value, shape=None) for value in graph.outputs)
    inputs = tuple(filled(value) for value in graph.inputs)
    # What was inferred holds for as long as no length of an input was free.
    values = graph.values if inputs == graph.inputs else {}
    return replace(graph, inputs=inputs, outputs=outputs, values=values)


def _lengths(graph: Graph, weights: Mapping[str, np.ndarray]) -> Iterator[tuple[str, Lengths]]:
    for value in (*graph.values.values(), *graph.inputs, *graph.outputs):
        if value.shape is not None and all(isinstance(length, int) for length in value.shape):
            yield value.name, tuple(int(length) for length in value.shape if length is not None)
    for name, array in (*graph.constants.items(), *weights.items()):
        yield name, array.shape


def _computed(
    graph: Graph, lengths: Mapping[str, Lengths], arrays: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The values of the nodes that need nothing but lengths and constants."""
    results: dict[str, np.ndarray] = {}
    for node in graph.nodes:
        if node.domain or node.operator not in _ARITHMETIC or node.outputs[0] in arrays:
            continue
        if node.operator in ("Shape", "Size"):
            known = lengths.get(node.inputs[0])
            results |= {} if known is None else dict([_counted(node, known)])
            continue
        inputs = {
            name: results[name] if name in results else arrays.get(name)
            for name in node.inputs
            if name
        }
        small = all(
            math.prod(lengths.get(name, (_LARGEST + 1,))) <= _LARGEST for name in node.outputs
        )
        if small and all(array is not None and array.size <= _LARGEST for array in inputs.values()):
            results |= _evaluated(
                node, {name: array for name, array in inputs.items() if array is not None}
            )
    return results


def _counted(node: Node, lengths: Lengths) -> tuple[str, np.ndarray]:
    if node.operator == "Size":
        return node.outputs[0], np.array(math.prod(lengths), np.int64)
    part = slice(node.attributes.get("start", 0), node.attributes.get("end"))
    return node.outputs[0], np.array(lengths[part], np.int64)


def _evaluated(node: Node, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the reference computes; nothing where it refuses."""
    from allotrope.frameworks.reference.primitives import ReferencePrimitives
    from allotrope.operators.interpret import Context, Program

    outputs = tuple(Value(name, np.dtype(np.void), None) for name in node.outputs if name)
    primitives = ReferencePrimitives()
    try:
        program = Program(Graph((), outputs, (node,), dict(inputs)), primitives, primitives)
        return dict(zip((value.name for value in outputs), program({}, Context()), strict=True))
    except AllotropeError:
        return {}


def _with_arrays(graph: Graph, arrays: Mapping[str, np.ndarray]) -> Graph:
    """The graph with constants in the place of the nodes that compute them."""
    ends = {value.name for value in graph.outputs}
    nodes = tuple(
        node
        for node in graph.nodes
        if set(node.outputs) & ends or not set(node.outputs) & arrays.keys()
    )
    made = {name for node in nodes for name in node.outputs}
    inside = {name: array for name, array in arrays.items() if name not in made}
    return replace(graph, nodes=nodes, constants={**graph.constants, **inside})
