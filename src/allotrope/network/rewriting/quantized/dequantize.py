"""Reads a quantized network as the float network that it stands for, to be trained further."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import allotrope.network.rewriting.quantized.integer_operators
import allotrope.network.rewriting.quantized.products  # noqa: F401 - both fill the table
from allotrope.network.graph import Graph, Node
from allotrope.network.names import listed
from allotrope.network.rewriting.quantized.grid import is_small
from allotrope.network.rewriting.quantized.integers import Dequantizing
from allotrope.network.used import every_node

ROUNDING = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)
"""Operators that round activations, or compute with rounded ones."""


def dequantized(graph: Graph, report: Callable[[str], None]) -> Graph:
    """The float network that a quantized one stands for.

    Its weights are float arrays, its activations are limited and no longer rounded.

    What stands for nothing here, such as integers that are given out, stays as it is.
    """
    if not any(_concerns(node, graph) for node in every_node(graph)):
        return graph
    work = Dequantizing(graph)
    changed = work.run()
    if changed is graph:
        return graph
    if work.read:
        types = ", ".join(sorted({graph.constants[name].dtype.name for name in work.read}))
        report(
            f"repair: {len(work.read)} arrays of {types} are read as the float numbers that they "
            f"stand for: {listed(sorted(work.read))}; "
            "--no-repair quantization leaves them"
        )
    gone, clips = (_count(graph, kind) - _count(changed, kind) for kind in (ROUNDING, {"Clip"}))
    if gone:
        report(
            f"repair: {gone} nodes no longer round what they compute, so that there are gradients; "
            f"the limits of their numbers stay, in {-clips} Clip; "
            "--no-repair quantization keeps the rounding"
        )
    return changed


def _concerns(node: Node, graph: Graph) -> bool:
    """Whether the node rounds, or reads an array of integers as what it stands for."""
    if node.domain:
        return False
    if node.operator == "Cast":
        array = graph.constants.get(node.inputs[0])
        return array is not None and is_small(array.dtype)
    return node.operator in ROUNDING or node.operator == "DequantizeLinear"


def _count(graph: Graph, operators: Iterable[str]) -> int:
    counts = Counter(node.operator for node in every_node(graph) if not node.domain)
    return sum(counts[operator] for operator in operators)
