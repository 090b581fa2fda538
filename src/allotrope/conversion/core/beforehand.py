"""A network's graph made ready to be written, and what is known of its values beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.conversion.core.layers import NoForm
from allotrope.conversion.core.simplify import simplified
from allotrope.conversion.core.statement import Rule
from allotrope.conversion.core.zero_states import without_zero_states
from allotrope.errors import UnsupportedError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.network import Network
from allotrope.network.reading.expand import expanded
from allotrope.network.used import used
from allotrope.operators.operator_table import OPERATORS

MAKERS = frozenset({"ConstantOfShape", "Expand", "Range"})
"""Operators that make arrays of lengths alone."""

ROUNDED = frozenset({"DynamicQuantizeLinear"})
"""Operators whose function bodies, line by line, may round to other steps than their meaning does.
"""


def prepared(network: Network, rules: Mapping[str, Rule], spells: bool) -> Graph:
    """The graph in operators that there are rules for, or, if it `spells`, meanings for."""
    names = {*rules, *ROUNDED}
    if spells:
        names = {*rules, *OPERATORS}
    return simplified(without_zero_states(expanded(network, names).graph), network)


def values_of(graph: Graph, network: Network) -> dict[str, Value]:
    """What is known of every value, weights and constants among them, by name."""
    arrays = {
        name: Value(name, array.dtype, array.shape)
        for name, array in {**graph.constants, **network.weights}.items()
    }
    return {
        **arrays,
        **graph.values,
        **{value.name: value for value in (*graph.inputs, *graph.outputs)},
    }


def check_inputs(
    node: Node,
    known: Mapping[str, np.ndarray],
    values: Mapping[str, Value],
    foreign: Sequence[np.dtype],
) -> None:
    """Raises: NoForm if no rule can take a node's inputs: lengths alone, or `foreign` dtypes."""
    arrays = [known.get(name) for name in node.inputs if name]
    is_of_lengths = all(array is not None and array.size == 1 for array in arrays)
    # Of lengths alone Python would make no array.
    if arrays and is_of_lengths and node.operator not in MAKERS:
        raise NoForm("it takes lengths that are known only when it runs")
    for value in filter(None, map(values.get, node.inputs)):
        if value.dtype in foreign:
            raise NoForm(f"it takes {value.dtype}")


def refused(problems: Sequence[str], target: str) -> UnsupportedError:
    """The error that lists all nodes without a form, the first 50 of them."""
    count = "1 node has"
    if len(problems) > 1:
        count = f"{len(problems)} nodes have"
    shown = "; ".join(problems[:50])
    return UnsupportedError(f"{count} no ordinary form in {target}: {shown}. Nothing was written.")


def last_uses(graph: Graph) -> dict[str, int]:
    """The place of the last node that reads each value; outputs are read after all of them."""
    last = {name: index for index, node in enumerate(graph.nodes) for name in used(node)}
    return {**last, **{value.name: len(graph.nodes) for value in graph.outputs}}
