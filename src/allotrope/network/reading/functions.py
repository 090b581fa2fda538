"""Puts the bodies of a model's own functions in the place of their uses."""

from __future__ import annotations

from collections.abc import Iterable

from onnx import ModelProto, NodeProto, TensorProto

from allotrope.errors import ModelError
from allotrope.network.reading.isolated import isolated
from allotrope.network.reading.wire import LARGEST_NODES

Name = tuple[str, str]


def inlined(model: ModelProto) -> ModelProto:
    """The model without functions of its own; a model that has none is given back itself.

    Raises: ModelError where functions use themselves, or would become too many nodes.
    """
    if not model.functions:
        return model
    _check_size(model)
    flat = ModelProto()
    try:
        flat.ParseFromString(isolated("inline", _without_payload(model).SerializeToString()))
    except ModelError as error:
        raise ModelError(f"the functions of the model cannot be put in place: {error}") from error
    del flat.graph.initializer[:]
    flat.graph.initializer.extend(model.graph.initializer)
    return flat


def _without_payload(model: ModelProto) -> ModelProto:
    """The model with empty initializers, which keep their names taken and cost nothing to copy."""
    empty = [
        TensorProto(name=tensor.name, data_type=tensor.data_type, dims=[0])
        for tensor in model.graph.initializer
    ]
    bare = ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions
    )
    graph = bare.graph
    graph.name, graph.doc_string = model.graph.name, model.graph.doc_string
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    graph.initializer.extend(empty)
    bare.metadata_props.extend(model.metadata_props)
    bare.doc_string = model.doc_string
    return bare


def _check_size(model: ModelProto) -> None:
    bodies: dict[Name, Iterable[NodeProto]] = {(f.domain, f.name): f.node for f in model.functions}
    if len(bodies) != len(model.functions):
        raise ModelError("two functions of the model have the same name.")
    sizes: dict[Name, int] = {}

    def size(nodes: Iterable[NodeProto], above: tuple[Name, ...]) -> int:
        total = 0
        for node in nodes:
            name = (node.domain, node.op_type)
            inner = [
                graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)
            ]
            total += 1 + sum(size(graph.node, above) for graph in inner if graph.node)
            if name not in bodies:
                continue
            if name in above or len(above) > 100:
                raise ModelError(
                    f"function '{node.op_type}' of the model uses itself, or functions are "
                    "nested too deep."
                )
            if name not in sizes:
                sizes[name] = size(bodies[name], (*above, name))
            total += sizes[name]
            if total > LARGEST_NODES:
                raise ModelError(
                    f"with its functions in place the model has more than {LARGEST_NODES:,} "
                    "nodes, the most that is accepted."
                )
        return total

    size(model.graph.node, ())
