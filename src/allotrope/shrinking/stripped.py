"""Files for inference alone: short names inside, and nothing that only people or training read.

In a file of some 100 kB names, shapes of inner values and equal steps of roundings are a tenth to a
third of the bytes. Inputs, outputs, metadata and what is computed stay as they are.
"""

from __future__ import annotations

import itertools
import json
import shutil
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from allotrope.network.weights import RECORD

FIRST = string.ascii_letters + "_"
OTHERS = FIRST + string.digits
"""What short names begin with and go on with: what every tool takes as a name."""
OF_QUANTIZERS = frozenset({"onnx.infer", "onnx.quant.pre_process"})
"""Keys of metadata in which a quantizer notes for itself what it has done."""


def strip(source: Path, target: Path) -> None:
    """Writes the stripped form of an ONNX file; `target` may be the file itself.

    Weights that lie in a file beside it lie beside the target too.
    """
    model = onnx.load(source, load_external_data=False)
    strip_model(model)
    target.write_bytes(model.SerializeToString(deterministic=True))
    for location in _locations(model):
        if not (target.parent / location).exists():
            shutil.copyfile(source.parent / location, target.parent / location)


def strip_model(model: ModelProto) -> None:
    """Strips a model in place; what it computes stays the same, to the bit."""
    for graph in _graphs(model.graph):
        _without_notes(graph)
    _share_equal_arrays(model.graph)
    names = _short_names(model.graph)
    for graph in _graphs(model.graph):
        _rename(graph, names)
    _without_unused_domains(model)
    _note(model, names)


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The graph and all graphs inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _graphs(inner)


def _without_notes(graph: GraphProto) -> None:
    """Without what says nothing of what is computed; runtimes infer shapes themselves."""
    del graph.value_info[:]
    del graph.quantization_annotation[:]
    del graph.metadata_props[:]
    graph.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        del node.metadata_props[:]
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
    for array in graph.initializer:
        array.ClearField("doc_string")
        del array.metadata_props[:]


# --- arrays


def _share_equal_arrays(graph: GraphProto) -> None:
    """Equal arrays are stored once, and those that nobody takes not at all."""
    ends = {value.name for value in (*graph.input, *graph.output)}
    taken = {name for inner in _graphs(graph) for node in inner.node for name in node.input}
    # What a graph inside gives may be an array of the graph around it.
    taken |= {value.name for inner in _graphs(graph) for value in inner.output}
    shared: dict[tuple[object, ...], str] = {}
    names: dict[str, str] = {}
    arrays = []
    for array in graph.initializer:
        if array.name in ends:
            arrays.append(array)
        elif array.name in taken:
            first = shared.setdefault(_content(array), array.name)
            if first == array.name:
                arrays.append(array)
            else:
                names[array.name] = first
    del graph.initializer[:]
    graph.initializer.extend(arrays)
    for inner in _graphs(graph):
        _rename(inner, names)


def _content(array: TensorProto) -> tuple[object, ...]:
    """What equal arrays have in common; the name, if numbers lie elsewhere or there are none."""
    if array.data_location == TensorProto.EXTERNAL or array.data_type == TensorProto.STRING:
        return (array.name,)
    return array.data_type, *array.dims, onnx.numpy_helper.to_array(array).tobytes()


def _locations(model: ModelProto) -> set[str]:
    """The files in which arrays lie that are not in the model itself."""
    return {
        entry.value
        for graph in _graphs(model.graph)
        for array in graph.initializer
        if array.data_location == TensorProto.EXTERNAL
        for entry in array.external_data
        if entry.key == "location"
    }


# --- names


def _short_names(graph: GraphProto) -> dict[str, str]:
    """A short name for every inner one, the shortest for those that are written most often.

    Names of different graphs that are the same stay the same, so that whatever hides or sees what
    does so as before.
    """
    fixed = {value.name for value in (*graph.input, *graph.output)}
    for inner in _graphs(graph):
        fixed |= {array.values.name for array in inner.sparse_initializer}
    written = Counter[str]()
    for inner in _graphs(graph):
        written.update(name for node in inner.node for name in _names_of(node))
        written.update(array.name for array in inner.initializer)
        written.update(value.name for value in (*inner.input, *inner.output))
    # Equally frequent ones in the order in which they are met, which most_common keeps.
    inner_names = [name for name, _ in written.most_common() if name and name not in fixed]
    free = (name for name in _every_short_name() if name not in fixed)
    return dict(zip(inner_names, free, strict=False))


def _names_of(node: NodeProto) -> Iterator[str]:
    yield from node.input
    yield from node.output


def _every_short_name() -> Iterator[str]:
    for more in itertools.count():
        for letters in itertools.product(FIRST, *[OTHERS] * more):
            yield "".join(letters)


def _rename(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Other names for the values of one graph."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for named in (*graph.initializer, *graph.input, *graph.output):
        named.name = names.get(named.name, named.name)


# --- around the graph


def _without_unused_domains(model: ModelProto) -> None:
    """ONNX Runtime's tools import every domain that they know."""
    nodes = [node for graph in _graphs(model.graph) for node in graph.node]
    nodes += [node for function in model.functions for node in function.node]
    used = {node.domain for node in nodes} | {function.domain for function in model.functions}
    imports = [one for one in model.opset_import if one.domain in used | {"", "ai.onnx"}]
    del model.opset_import[:]
    model.opset_import.extend(imports)


def _note(model: ModelProto, names: Mapping[str, str]) -> None:
    """The metadata by the new names; what others noted of the network stays."""
    model.ClearField("doc_string")
    entries = {entry.key: entry.value for entry in model.metadata_props}
    record = json.loads(entries.get(RECORD, "{}"))
    if record:
        # A quantizer keeps the words and replaces the arrays: a name that is no more may become
        # that of another array.
        there = {array.name for graph in _graphs(model.graph) for array in graph.initializer}
        renamed = {
            role: [names.get(name, name) for name in listed] for role, listed in record.items()
        }
        entries[RECORD] = json.dumps(
            {role: [name for name in listed if name in there] for role, listed in renamed.items()}
        )
    del model.metadata_props[:]
    onnx.helper.set_model_props(
        model, {key: text for key, text in entries.items() if key not in OF_QUANTIZERS}
    )
