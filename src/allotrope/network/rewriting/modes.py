"""What a file was written to do in training, and is to do in training alone.

Exporters that are asked for a network in training mode write Dropout that drops and
BatchNormalization that looks at the batch. Here a network is in one mode or the other when it is
run, so that a node needs no mode of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from allotrope.network.graph import Graph, Node
from allotrope.network.names import listed
from allotrope.network.rewriting.flow import PASSING
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.used import every_node

Report = Callable[[str], None]


def with_dropout_in_training(graph: Graph, report: Report) -> Graph:
    """Each Dropout, in the graphs inside too, drops while the network trains and only then."""
    changed: list[str] = []

    def in_training(node: Node) -> list[Node]:
        if node.operator != "Dropout" or node.domain or not any(node.inputs[2:3]):
            return [node]
        always = graph.constants.get(node.inputs[2])
        if always is not None and not always.any():
            return [node]
        changed.append(node.label)
        return [replace(node, inputs=node.inputs[: 2 if node.inputs[1] else 1])]

    mended = mapped(graph, in_training)
    if changed:
        report(
            f"repair: Dropout {listed(changed)} written in training mode; in inference it drops "
            "nothing now"
        )
    return mended if changed else graph


def with_normalization_in_both_modes(graph: Graph, report: Report) -> Graph:
    """Each BatchNormalization, in the graphs inside too, infers by its running statistics.

    One whose new statistics are used by other nodes stays as it is, and so does one that
    normalizes each example by itself.
    """
    used = frozenset(name for node in every_node(graph) for name in node.inputs)
    inner = (v.name for node in every_node(graph) for body in node.subgraphs for v in body.outputs)
    given_out = frozenset(inner) | {value.name for value in graph.outputs}
    arrays = _derived(graph)
    lookup = Lookup(graph)
    changed: list[str] = []

    def in_both_modes(node: Node) -> list[Node]:
        if (
            node.operator != "BatchNormalization"
            or node.domain
            or not node.attributes.get("training_mode", 0)
        ):
            return [node]
        statistics = node.inputs[3:5]
        if used & set(node.outputs[1:]) or not all(name in arrays for name in statistics):
            return [node]
        if _is_of_one_example(node, lookup):
            return [node]
        changed.append(node.label)
        attributes = {k: v for k, v in node.attributes.items() if k != "training_mode"}
        plain = replace(node, attributes=attributes, outputs=node.outputs[:1])
        wanted = zip(statistics, node.outputs[1:3], strict=False)
        return [
            plain,
            *(Node("Identity", (old,), (new,), {}, new) for old, new in wanted if new in given_out),
        ]

    mended = mapped(graph, in_both_modes)
    if changed:
        report(
            f"repair: BatchNormalization {listed(changed)} written in training mode; "
            "in inference it uses its running statistics now"
        )
    return mended if changed else graph


def mapped(graph: Graph, change: Callable[[Node], list[Node]]) -> Graph:
    """The graph with each node, in the graphs inside first, in the form that `change` gives it."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes += change(node.with_subgraphs(lambda inner: mapped(inner, change)))
    return replace(graph, nodes=tuple(nodes))


def _derived(graph: Graph) -> frozenset[str]:
    """The arrays of the file, and what nodes that keep an array make of them alone."""
    derived = set(graph.constants)
    for node in every_node(graph):
        if (
            node.operator in PASSING
            and not node.domain
            and set(filter(None, node.inputs)) <= derived
        ):
            derived.update(node.outputs)
    return frozenset(derived)


def _is_of_one_example(node: Node, graph: Lookup) -> bool:
    """Whether it is an instance normalization spelled out.

    Examples are laid beside each other as channels of one, and the running statistics are those
    that nobody has ever trained: 0 and 1.
    """
    before = graph.maker(node.inputs[0], "Reshape")
    if before is None:
        return False
    shape, mean, variance = map(graph.arrays.get, (before.input(1), *node.inputs[3:5]))
    if shape is None or mean is None or variance is None or not shape.size:
        return False
    return int(shape.reshape(-1)[0]) == 1 and not mean.any() and bool((variance == 1).all())
