"""What exporters lost, given back when a file is read. Each step says in a line what it found and where, and has a switch in `Repair`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from allotrope.config import Repair
from allotrope.network.graph import Graph, Node
from allotrope.network.names import free_name, names_in
from allotrope.network.patterns import PATTERNS, Found
from allotrope.network.rewriting import Rewriting
from allotrope.network.shapes import infer_shapes
from allotrope.network.weights import every_node

Report = Callable[[str], None]

SWITCHES = {
    "Attention": "attention",
    "Gelu": "gelu",
    "HardSwish": "hard_swish",
    "LayerNormalization": "layer_normalization",
    "Softmax": "softmax",
    "Swish": "swish",
}
"""The switch for each operator that is recognized."""

_NAMED = 5


def repaired(graph: Graph, repair: Repair, report: Report) -> Graph:
    """The graph, its arrays among its constants, with the operators that were taken apart whole again and BatchNorm able to learn."""
    changed = recognized(graph, repair, report)
    if repair.batch_normalization:
        changed = with_running_statistics(changed, report)
    return graph if changed is graph else infer_shapes(changed, {})


def recognized(graph: Graph, repair: Repair, report: Report) -> Graph:
    """The graph with one operator in the place of the nodes that compute it. What is used elsewhere too stays as it is."""
    wanted = {operator for operator, switch in SWITCHES.items() if getattr(repair, switch)}
    triggers = set(PATTERNS) & {node.operator for node in graph.nodes}
    if not wanted or not triggers:
        return graph
    rewriting = Rewriting(graph)
    made: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for operators in (triggers - {"Softmax"}, {"Softmax"}):  # attention is made of softmax, which may be found first
        for found in _replaced(rewriting, operators, wanted):
            operator = found.nodes[-1].operator
            made[operator].append(found.output)
            counts[operator] += len(found.places)
    for operator, outputs in made.items():
        report(f"repair: {operator} recognized in {counts[operator]} nodes that compute {_listed(outputs)}")
    return rewriting.result() if made else graph


def _replaced(rewriting: Rewriting, triggers: set[str], wanted: set[str]) -> Iterator[Found]:
    """Replaces what can be replaced, and says what."""
    for place in rewriting.places():
        node = rewriting.node(place)
        if node is None or node.domain or node.operator not in triggers:
            continue
        for found in (found for pattern in PATTERNS.get(node.operator, ()) for found in pattern(rewriting, place, node)):
            if found.nodes[-1].operator in wanted and rewriting.closed(found.places, found.output):
                rewriting.replace(found.places, found.nodes)
                yield found
                break


def with_running_statistics(graph: Graph, report: Report) -> Graph:
    """Each BatchNormalization normalizes by statistics of its own in inference, and by the batch's in training.

    Exporters write equal arrays once, so that running statistics may also be another's, or even a bias; and a file that was
    exported in training mode would never use them.
    """
    if not any(node.operator == "BatchNormalization" and not node.domain for node in graph.nodes):
        return graph
    uses = Counter(name for node in every_node(graph) for name in node.inputs)
    needed = {name for node in every_node(graph) for name in node.inputs} | {value.name for value in graph.outputs}
    constants, taken = dict(graph.constants), names_in(graph)
    own, modes, nodes = list[str](), list[str](), list[Node]()
    for node in graph.nodes:
        if node.operator == "BatchNormalization" and not node.domain and all(name in constants for name in node.inputs[3:5]):
            nodes.append(_own_statistics(_in_both_modes(node, needed), constants, uses, taken))
            own += [_called(node)] if nodes[-1].inputs != node.inputs else []
            modes += [_called(node)] if nodes[-1].outputs != node.outputs or _mode(nodes[-1]) != _mode(node) else []
        else:
            nodes.append(node)
    if own:
        report(f"repair: BatchNormalization {_listed(own)} shared running statistics with other nodes; each has its own now")
    if modes:
        report(f"repair: BatchNormalization {_listed(modes)} written in training mode; in inference it uses its running statistics now")
    return replace(graph, nodes=tuple(nodes), constants=constants) if own or modes else graph


def _own_statistics(node: Node, constants: dict[str, np.ndarray], uses: Counter[str], taken: set[str]) -> Node:
    inputs = list(node.inputs)
    for position, kind in ((3, "running_mean"), (4, "running_var")):
        if uses[inputs[position]] > 1:
            name = free_name(f"{_called(node)}.{kind}", taken)
            constants[name], inputs[position] = constants[inputs[position]], name
    return replace(node, inputs=tuple(inputs))


def _in_both_modes(node: Node, needed: set[str]) -> Node:
    """Without training mode, where nothing uses the statistics that it gives."""
    if not _mode(node) or set(node.outputs[1:]) & needed:
        return node
    attributes = {name: value for name, value in node.attributes.items() if name != "training_mode"}
    return replace(node, attributes=attributes, outputs=node.outputs[:1])


def _mode(node: Node) -> int:
    return int(node.attributes.get("training_mode", 0))


def _called(node: Node) -> str:
    return node.name or node.outputs[0]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:_NAMED]) + more
