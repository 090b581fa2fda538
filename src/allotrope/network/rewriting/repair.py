"""What exporters lost, given back when a file is read. Each step says in a line what it found and where, and has a switch in `Repair`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from allotrope.config import Repair
from allotrope.network.graph import Graph, Node
from allotrope.network.names import free_name, listed, names_in
from allotrope.network.reading.separate import with_own_arrays
from allotrope.network.reading.shapes import infer_shapes
from allotrope.network.rewriting.modes import with_dropout_in_training, with_normalization_in_both_modes
from allotrope.network.rewriting.noise import without_noise
from allotrope.network.rewriting.patterns import PATTERNS, Found, Pattern
from allotrope.network.rewriting.quantized.dequantize import dequantized
from allotrope.network.rewriting.rewriter import Rewriting
from allotrope.network.rewriting.slopes import with_slopes_by_channel
from allotrope.network.used import every_node
from allotrope.network.weights import by_use

Report = Callable[[str], None]
Repairing = Callable[[Graph, Report], Graph]
"""One repair: the graph, its arrays among its constants, mended; itself if nothing is to be mended."""


def repaired(graph: Graph, repair: Repair, report: Report) -> Graph:
    """The graph, its arrays among its constants, with the operators that were taken apart whole again and BatchNorm able to learn."""
    changed = graph
    for switch, step in STEPS.items():
        before = changed
        changed = step(before, report) if getattr(repair, switch) else before
        if changed is not before:
            say_what_learns_no_more(learning(before), learning(changed), switch, report)
    return graph if changed is graph else infer_shapes(changed, {})


def learning(graph: Graph) -> dict[str, int]:
    """How many numbers of each array of the graph learn."""
    return {name: graph.constants[name].size for name in by_use(graph, graph.constants).trainable}


def say_what_learns_no_more(
    before: Mapping[str, int], after: Mapping[str, int], switch: str, report: Report
) -> None:
    """A line for what learned before a repair and does not after it, which none may take away unsaid."""
    lost = sorted(name for name, size in before.items() if after.get(name, 0) < size)
    if lost:
        option = f"--no-repair {switch.replace('_', '-')}"
        report(
            f"repair: {listed(lost)} would learn as the file is written, and does not after this "
            f"repair; {option} leaves it out"
        )


def recognizing(operator: str) -> Repairing:
    """What puts the operator in the place of the nodes that compute it, if nobody else uses them."""

    def recognized(graph: Graph, report: Report) -> Graph:
        if not any(node.operator in PATTERNS[operator] and not node.domain for node in graph.nodes):
            return graph
        rewriting = Rewriting(graph)
        made = list(_replaced(rewriting, PATTERNS[operator]))
        if not made:
            return graph
        count = sum(len(one.places) for one in made)
        outputs = listed([one.output for one in made])
        report(f"repair: {operator} recognized in {count} nodes that compute {outputs}")
        return rewriting.result()

    return recognized


def _replaced(rewriting: Rewriting, patterns: Mapping[str, Pattern]) -> Iterator[Found]:
    """Replaces what can be replaced, and says what."""
    for place in rewriting.places():
        node = rewriting.node(place)
        if node is None or node.domain or node.operator not in patterns:
            continue
        for found in patterns[node.operator](rewriting, place, node):
            if rewriting.closed(found.places, found.output):
                rewriting.replace(found.places, found.nodes)
                yield found
                break


def with_running_statistics(graph: Graph, report: Report) -> Graph:
    """Each BatchNormalization normalizes by statistics of its own in inference, and by the batch's in training.

    Exporters write equal arrays once, so that running statistics may also be another's, or even a bias.
    """
    graph = with_normalization_in_both_modes(graph, report)
    if not any(_is_batch_normalization(node) for node in graph.nodes):
        return graph
    uses = Counter(name for node in every_node(graph) for name in node.inputs)
    constants, taken = dict(graph.constants), names_in(graph)
    own, nodes = list[str](), list[Node]()
    for node in graph.nodes:
        if _is_batch_normalization(node) and all(name in constants for name in node.inputs[3:5]):
            nodes.append(_own_statistics(node, constants, uses, taken))
            own += [node.label] if nodes[-1].inputs != node.inputs else []
        else:
            nodes.append(node)
    if own:
        report(f"repair: BatchNormalization {listed(own)} shared running statistics with other nodes; each has its own now")
    return replace(graph, nodes=tuple(nodes), constants=constants) if own else graph


def _is_batch_normalization(node: Node) -> bool:
    return node.operator == "BatchNormalization" and not node.domain


def _own_statistics(node: Node, constants: dict[str, np.ndarray], uses: Counter[str], taken: set[str]) -> Node:
    inputs = list(node.inputs)
    for position, kind in ((3, "running_mean"), (4, "running_var")):
        if uses[inputs[position]] > 1:
            name = free_name(f"{node.label}.{kind}", taken)
            constants[name], inputs[position] = constants[inputs[position]], name
    return replace(node, inputs=tuple(inputs))


STEPS: Mapping[str, Repairing] = {
    "quantization": dequantized,
    "shared_arrays": with_own_arrays,
    "gelu": recognizing("Gelu"),
    "swish": recognizing("Swish"),
    "hard_swish": recognizing("HardSwish"),
    "layer_normalization": recognizing("LayerNormalization"),
    "softmax": recognizing("Softmax"),
    "attention": recognizing("Attention"),  # which is made of softmax
    "batch_normalization": with_running_statistics,
    "noise": without_noise,
    "dropout": with_dropout_in_training,
    "slopes": with_slopes_by_channel,
}
"""The repairs of a graph in their order, by their switch in `Repair`."""
