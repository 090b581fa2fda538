"""What exporters lost, given back when a file is read.

Each step says in a line what it recognized and where, and has a switch in `Repair`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from allotrope.config import Repair
from allotrope.network.graph import Graph, Node
from allotrope.network.names import listed
from allotrope.network.reading.separate import with_own_arrays
from allotrope.network.reading.shapes import with_shapes
from allotrope.network.rewriting import patterns as _patterns  # noqa: F401 - fills the table
from allotrope.network.rewriting.modes import (
    with_dropout_in_training,
    with_normalization_in_both_modes,
)
from allotrope.network.rewriting.noise import without_noise
from allotrope.network.rewriting.patterns.matches import PATTERNS, Match, Pattern
from allotrope.network.rewriting.prelu import with_slopes_by_channel
from allotrope.network.rewriting.quantized.dequantize import dequantized
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import every_node
from allotrope.network.weights import by_use

Report = Callable[[str], None]
Repairing = Callable[[Graph, Report], Graph]
"""One repair: the graph, its arrays among its constants, mended; itself if nothing is to be
mended."""


def repaired(graph: Graph, repair: Repair, report: Report) -> Graph:
    """The graph, its arrays among its constants, as it was before its exporter."""
    changed = graph
    for switch, step in STEPS.items():
        before = changed
        changed = step(before, report) if getattr(repair, switch) else before
        if changed is not before:
            say_what_learns_no_more(learning(before), learning(changed), switch, report)
    return graph if changed is graph else with_shapes(changed, {})


def learning(graph: Graph) -> dict[str, int]:
    """How many numbers of each array of the graph learn."""
    return {name: graph.constants[name].size for name in by_use(graph, graph.constants).trainable}


def say_what_learns_no_more(
    before: Mapping[str, int], after: Mapping[str, int], switch: str, report: Report
) -> None:
    """A line for what learned before a repair and does not after it: none may take it unsaid."""
    lost = sorted(name for name, size in before.items() if after.get(name, 0) < size)
    if lost:
        option = f"--no-repair {switch.replace('_', '-')}"
        report(
            f"repair: {listed(lost)} would learn as the file is written, and does not after this "
            f"repair; {option} leaves it out"
        )


def recognizing(operator: str) -> Repairing:
    """What puts the operator in the place of nodes that compute it and serve nothing else."""
    patterns = PATTERNS[operator]

    def recognized(graph: Graph, report: Report) -> Graph:
        if not any(node.operator in patterns and not node.domain for node in graph.nodes):
            return graph
        rewriter = Rewriter(graph)
        matches = list(_replaced(rewriter, patterns))
        if not matches:
            return graph
        count = sum(len(match.values) for match in matches)
        outputs = listed([match.output for match in matches])
        report(f"repair: {operator} recognized in {count} nodes that compute {outputs}")
        return rewriter.result()

    return recognized


def _replaced(rewriter: Rewriter, patterns: Mapping[str, Pattern]) -> Iterator[Match]:
    """Replaces what can be replaced, and gives each match."""
    for node in rewriter.nodes():
        if node.domain or node.operator not in patterns:
            continue
        matches = patterns[node.operator](rewriter, node)
        match = next((one for one in matches if rewriter.closed(one.values, one.output)), None)
        if match is not None:
            rewriter.replace(match.values, match.nodes)
            yield match


def with_running_statistics(graph: Graph, report: Report) -> Graph:
    """Each BatchNormalization has running statistics of its own, and uses them in inference.

    Exporters write equal arrays once, so that running statistics may be another's, or even a bias.
    """
    graph = with_normalization_in_both_modes(graph, report)
    uses = Counter(name for node in every_node(graph) for name in node.inputs)
    rewriter, separated = Rewriter(graph), list[str]()
    for node in rewriter.nodes():
        if node.operator != "BatchNormalization" or node.domain:
            continue
        statistics = node.inputs[3:5]
        shared = [name for name in statistics if uses[name] > 1]
        if shared and all(name in rewriter.arrays for name in statistics):
            rewriter.replace(node.outputs, [_with_own_statistics(rewriter, node, shared)])
            separated.append(node.label)
    if not separated:
        return graph
    report(
        f"repair: BatchNormalization {listed(separated)} shared running statistics with other "
        "nodes; each has its own now"
    )
    return rewriter.result()


def _with_own_statistics(rewriter: Rewriter, node: Node, shared: Sequence[str]) -> Node:
    for position, kind in ((3, "running_mean"), (4, "running_var")):
        name = node.inputs[position]
        if name in shared:
            own = rewriter.constant(f"{node.label}.{kind}", rewriter.arrays[name])
            node = node.with_input(position, own)
    return node


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
