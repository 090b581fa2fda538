"""The end of scikit-learn's classifiers: the label's branch is cut off, the scores stay.

Such files (skl2onnx, ai.onnx.ml) give a label that is looked up in a list of names, and perhaps a
dictionary of probabilities. No gradient passes either, and only the scores can train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

ML = "ai.onnx.ml"
_PASSED = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze"})
_NAMING = {"ArrayFeatureExtractor": 1, "LabelEncoder": 0, "ZipMap": 0}
"""Operators that turn the number of a class into its name, with the input that is the number."""

_CLASSIFIERS = frozenset({"LinearClassifier", "SVMClassifier", "TreeEnsembleClassifier"})
"""Operators whose first output is the label, and whose second are the scores."""


def without_labels(model: ModelProto, report: Callable[[str], None]) -> ModelProto:
    """The model without outputs that are labels by name, and with dictionaries as arrays.

    If all its outputs are labels, the scores that they are chosen by take their place. A model
    that needs no change is given back itself.
    """
    if not any(node.domain == ML for node in model.graph.node):
        return model
    changed = ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    makers = {name: node for node in graph.node for name in node.output if name}
    labels = {
        value.name: scores for value in graph.output if (scores := _scores(value.name, makers))
    }
    mapped = _unmapped(graph, makers)
    if not labels and not mapped:
        return model
    others = [value for value in graph.output if value.name not in labels]
    if not others:
        others = [_floats(next(iter(labels.values())))]
    del graph.output[:]
    graph.output.extend(others)
    needed = _needed(graph, [value.name for value in others])
    nodes = [node for node in graph.node if needed & set(node.output)]
    del graph.node[:]
    graph.node.extend(nodes)
    _say(report, list(labels), mapped, [value.name for value in others])
    return changed


def _say(
    report: Callable[[str], None], labels: list[str], mapped: list[str], others: list[str]
) -> None:
    """What became of the outputs, in a line."""
    cut = ""
    if labels:
        cut = f"{', '.join(labels)} is a label by name and is cut off; "
    plain = ""
    if mapped:
        plain = f"{', '.join(mapped)} is an array instead of a dictionary; "
    report(f"reading: {cut}{plain}the network gives {', '.join(others)}")


def _scores(name: str, makers: dict[str, NodeProto]) -> str:
    """The scores that a label is chosen by; empty if the output is no label by name."""
    named = False
    for node, at in _back(name, makers):
        if node.domain == ML and node.op_type in _CLASSIFIERS:
            if at == node.output[0] and len(node.output) > 1:
                return str(node.output[1])
            return ""
        if node.op_type == "ArgMax":
            if named and node.input:
                return str(node.input[0])
            return ""
        named = named or node.op_type in _NAMING
    return ""


def _back(name: str, makers: dict[str, NodeProto]) -> Iterator[tuple[NodeProto, str]]:
    """The nodes from an output back, each with its output on the way, as far as a label goes."""
    seen = set()
    while (node := makers.get(name)) is not None and name not in seen:
        yield node, name
        seen.add(name)
        position = _NAMING.get(node.op_type, 0)
        if node.domain == ML:
            known = node.op_type in _NAMING
        else:
            known = node.op_type in _PASSED
        if not known or position >= len(node.input):
            return
        name = node.input[position]


def _unmapped(graph: GraphProto, makers: dict[str, NodeProto]) -> list[str]:
    """Gives the arrays in the place of the dictionaries that are outputs; says which these were."""
    names = []
    for value in graph.output:
        node = makers.get(value.name)
        if node is not None and node.domain == ML and node.op_type == "ZipMap" and node.input:
            del node.attribute[:]
            node.op_type, node.domain = "Identity", ""
            value.CopyFrom(_floats(value.name))
            names.append(value.name)
    return names


def _floats(name: str) -> object:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _needed(graph: GraphProto, names: Iterable[str]) -> set[str]:
    """The values that some of `names` are made of, and these themselves."""
    needed = set(names)
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= _taken(node)
    return needed


def _taken(node: NodeProto) -> set[str]:
    """What a node takes, or graphs inside it."""
    names = set(node.input)
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            inner = [attribute.g]
        else:
            inner = attribute.graphs
        for graph in inner:
            names |= {value.name for value in graph.output}
            names.update(*(_taken(one) for one in graph.node))
    return names
