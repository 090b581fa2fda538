"""Puts the spelling of each foreign node in its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

import allotrope.network.reading.foreign.families  # noqa: F401 - fills the table
from allotrope.errors import AllotropeError, ModelError, UnsupportedError
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.names import names_in, with_names
from allotrope.network.reading.foreign.operator_table import Foreign, foreign_operator
from allotrope.network.reading.foreign.writer import NotYetKnownError, Writer
from allotrope.network.reading.opset import OPSET
from allotrope.network.used import taken_in

_PASSES = 100
"""Each pass knows the shapes behind what the one before spelled."""


def has_foreign(graph: Graph, opset: int) -> bool:
    """Whether any node is in the table of foreign operators."""
    return any(
        _entry(node, opset) or any(has_foreign(inner, opset) for inner in node.subgraphs)
        for node in graph.nodes
    )


def spelled(
    graph: Graph,
    opset: int,
    infer: Callable[[Graph], Mapping[str, Value]],
    report: Callable[[str], None],
) -> Graph:
    """The graph in ONNX's own operators; `infer` gives what is known of the values of a graph.

    Raises: UnsupportedError, ModelError, naming the nodes.
    """
    counts: Counter[str] = Counter()
    notes: dict[str, None] = {}
    for number in range(_PASSES):
        # What is spelled is written in the newest opset, which has LayerNormalization of its own.
        version = opset
        if number:
            version = OPSET
        work = _Pass(version, infer(graph), dict(graph.constants), names_in(graph), taken_in(graph))
        graph = work.graph(graph)
        graph = replace(graph, constants=work.arrays)
        counts += work.counts
        notes.update(work.notes)
        if not work.waiting:
            break
        if not work.counts or number == _PASSES - 1:
            raise UnsupportedError(
                f"{'; '.join(work.waiting[:20])}. Save the file with shapes that can be inferred."
            )
    kinds = ", ".join(f"{count} {operator}" for operator, count in sorted(counts.items()))
    report(f"reading: {kinds} read as what they stand for in ONNX's own operators")
    for note in notes:
        report(f"reading: {note}")
    return graph


@dataclass
class _Pass:
    opset: int
    known: Mapping[str, Value]
    arrays: dict[str, np.ndarray]
    taken: set[str]
    used: frozenset[str]
    counts: Counter[str] = field(default_factory=Counter)
    waiting: list[str] = field(default_factory=list)
    notes: dict[str, None] = field(default_factory=dict)
    """What is assumed, each once, in order."""

    def graph(self, graph: Graph) -> Graph:
        """The graph, and those inside it, with what can be spelled by now."""
        nodes: list[Node] = []
        for node in graph.nodes:
            inner = {
                name: self.graph(value)
                for name, value in node.attributes.items()
                if isinstance(value, Graph)
            }
            if inner:
                node = replace(node, attributes={**node.attributes, **inner})
            entry = _entry(node, self.opset)
            if entry is None:
                nodes.append(node)
            else:
                nodes += self.spell(node, entry)
        return replace(graph, nodes=tuple(nodes))

    def spell(self, node: Node, entry: Foreign) -> list[Node]:
        """What the node stands for; itself if shapes are needed that are not known yet."""
        assert entry.spelling is not None
        writer = Writer(node, self.arrays, self.known, self.taken, self.used)
        keywords = {entry.attributes[name].name: value for name, value in node.attributes.items()}
        try:
            names = entry.spelling(writer, *(name or None for name in node.inputs), **keywords)
        except NotYetKnownError as missing:
            self.waiting.append(f"{node}: {missing}")
            return [node]
        except AllotropeError as error:
            raise type(error)(f"{node}: {error}") from error
        except (ArithmeticError, IndexError, KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{node}: what it is given does not fit: {error}") from error
        self.arrays.update(writer.constants)
        self.notes.update(dict.fromkeys(writer.notes))
        self.counts[f"{node.domain or 'ai.onnx'}.{node.operator}"] += 1
        results = names
        if isinstance(names, str):
            results = (names,)
        return _ending_in(writer.nodes, tuple(results), node, self.used)


def _entry(node: Node, opset: int) -> Foreign | None:
    if node.domain:
        opset = 1
    return foreign_operator(node.domain, node.operator, opset)


def _ending_in(
    nodes: list[Node], results: tuple[str, ...], node: Node, used: frozenset[str]
) -> list[Node]:
    """The nodes with the outputs of the foreign node in the place of their own names for these."""
    made = {name for one in nodes for name in one.outputs}
    names: dict[str, str] = {}
    more = []
    for old, new in zip(results, node.outputs, strict=False):
        if not new or new not in used:
            continue
        if old in made and old not in names:
            names[old] = new
        else:
            more.append(Node("Identity", (old,), (new,), {}, new))
    nodes = [with_names(one, names) for one in (*nodes, *more)]
    taken = {name for one in nodes for name in one.inputs} | set(names.values())
    return [_without_unused_outputs(one, taken) for one in nodes]


OPTIONAL_OUTPUTS = frozenset({"Attention", "Dropout", "LSTM", "LayerNormalization"})
"""Operators whose last outputs may be left out, and are asked for by spellings all the same."""


def _without_unused_outputs(node: Node, taken: set[str]) -> Node:
    outputs = list(node.outputs)
    while node.operator in OPTIONAL_OUTPUTS and outputs[1:] and outputs[-1] not in taken:
        outputs.pop()
    return replace(node, outputs=tuple(outputs))
