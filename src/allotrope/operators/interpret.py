"""Runs a graph over the primitives of a framework.

Two kinds of value flow through a graph: arrays of the framework, and NumPy arrays ("host" values)
for what is known before any data is seen: constants, shapes, and all that is computed from them
alone. Host values are computed by the NumPy primitives, so that the shape arithmetic of exported
networks never reaches the framework and its tracers. ONNX's sequences are Python lists of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import allotrope.operators.meanings  # noqa: F401 - fills the table
from allotrope.errors import ModelError, UnsupportedError
from allotrope.network.graph import Graph, Node
from allotrope.operators.failure import explained
from allotrope.operators.longest_loop import LONGEST_LOOP, longest_loop
from allotrope.operators.memory import bounded
from allotrope.operators.operator_table import OPERATORS, Operator, qualified
from allotrope.operators.reuse import fresh, overwrites
from allotrope.operators.share import BatchShare

Values = dict[str, Any]
HOST = (np.ndarray, np.generic)
"""The types of host values."""


@dataclass(slots=True)
class Context:
    """What an operator may know beside its inputs.

    `updates` collects the new state (BatchNorm's running statistics) by weight name; `seed` and
    `step` name the stream from which Dropout draws its masks. `rounds` counts how often subgraphs
    were run. `share` says which rows of a batch these are, None if all.
    """

    training: bool = False
    seed: int = 0
    step: Any = 0
    updates: Values = field(default_factory=dict)
    node: Node | None = None
    index: int = 0
    rounds: int = 0
    share: BatchShare | None = None

    @property
    def outputs(self) -> int:
        """How many outputs the node has."""
        assert self.node is not None
        return len(self.node.outputs)

    def renew(self, states: Mapping[int, Any]) -> None:
        """Keep the new values of the node's inputs at these positions, which are state."""
        assert self.node is not None
        self.updates |= {self.node.inputs[position]: value for position, value in states.items()}

    def wants(self, output: int) -> bool:
        """Whether the node's output at this position is used by name."""
        assert self.node is not None
        return output < len(self.node.outputs) and self.node.outputs[output] != ""


@dataclass(frozen=True, slots=True)
class Step:
    """A node made ready: its meaning, its attributes, and what is known of its values.

    `dead` are those that nobody needs after it; it may overwrite its first input if `overwrites`.
    `p` are the primitives for it: those that measure memory, where values steer the shape of its
    result.
    """

    node: Node
    operator: Operator
    attributes: Mapping[str, Any]
    subgraphs: Mapping[str, Program]
    index: int
    dead: tuple[str, ...]
    overwrites: bool
    p: Any

    @property
    def plain(self) -> bool:
        """Whether its inputs are arrays of the framework, all of them."""
        return not (
            self.subgraphs or self.operator.host or self.operator.all_host or self.operator.known
        )


def check_supported(graph: Graph, known: Iterable[str] = OPERATORS) -> None:
    """Raise one UnsupportedError that lists every operator without a meaning, with its node."""
    known = set(known)
    lacking = [n for n in _all_nodes(graph) if qualified(n.domain, n.operator) not in known]
    if lacking:
        lines = ", ".join(str(node) for node in lacking[:50])
        raise UnsupportedError(
            f"{len(lacking)} nodes use operators that are not supported: {lines}."
        )


class Program:
    """A graph made ready to run over the primitives `p`, with `host` primitives for host values."""

    def __init__(self, graph: Graph, p: Any, host: Any, keep: frozenset[str] = frozenset()) -> None:
        """`keep` names the values of an outer graph, which are never dropped.

        Raises: UnsupportedError.
        """
        # All operators that are missing are named at once, before anything runs.
        check_supported(graph)
        measured = bounded(p)
        self.graph, self.p, self.measured, self.overwriting = graph, p, measured, p.overwriting()
        if host is p:
            self.host = measured
        else:
            self.host = bounded(host)
        self.constants = {name: _read_only(array) for name, array in graph.constants.items()}
        self.steps = self._steps(graph, keep)

    def _steps(self, graph: Graph, keep: frozenset[str]) -> list[Step]:
        # From the last node to the first: a value is dead after the last node that uses it.
        alive = set(keep) | {v.name for v in graph.outputs} | set(graph.constants)
        # A value that only one node uses may be overwritten by it, if it is fresh and dead then.
        consumers = Counter(name for node in graph.nodes for name in _names_used(node))
        own, steps = fresh(graph.nodes), list[Step]()
        for index in reversed(range(len(graph.nodes))):
            node = graph.nodes[index]
            used = {name for name in _names_used(node) if name}
            dead = tuple(sorted((used | {o for o in node.outputs if o}) - alive))
            alive |= used
            entry = OPERATORS[qualified(node.domain, node.operator)]
            _check_attributes(node, entry)
            steps.append(
                self._step(index, node, entry, dead, overwrites(node, own, consumers, dead))
            )
        return steps[::-1]

    def _step(
        self, index: int, node: Node, entry: Operator, dead: tuple[str, ...], overwrites: bool
    ) -> Step:
        attributes: Values = {}
        bodies: dict[str, Program] = {}
        for name, value in node.attributes.items():
            if isinstance(value, Graph):
                bodies[entry.attributes[name]] = self._body(value)
            else:
                attributes[entry.attributes[name]] = value
        p = self.p
        if entry.host or entry.all_host or bodies:
            p = self.measured
        return Step(node, entry, attributes, bodies, index, dead, overwrites, p)

    def _body(self, graph: Graph) -> Program:
        return Program(graph, self.p, self.host, keep=frozenset(_outer_names(graph)))

    def __call__(self, values: Values, context: Context) -> list[Any]:
        """The graph's outputs as arrays of the framework, in order.

        `values` holds inputs and weights by name.

        Raises: UnsupportedError, ModelError, each naming the node.
        """
        outputs = self.values(values, context)
        others = [
            v.name
            for v, y in zip(self.graph.outputs, outputs, strict=True)
            if y is None or isinstance(y, list)
        ]
        if others:
            raise ModelError(
                f"the outputs {', '.join(map(repr, others))} are no tensors: only tensors can "
                "come out."
            )
        # Statistics that are an input or computed are no state to be kept.
        weights = values.keys() - {v.name for v in self.graph.inputs}
        for name in context.updates.keys() - weights:
            del context.updates[name]
        return [self.array(y) for y in outputs]

    def values(self, values: Values, context: Context) -> list[Any]:
        """The graph's outputs as they come, host values among them."""
        frame: Values = {**self.constants, **values}
        for step in self.steps:
            try:
                outputs = self._run(step, frame, context)
            except Exception as error:
                # What a framework raises about shapes says nothing of the node: it is told here.
                told = explained(error, step.node, frame, self.p)
                if told is error:
                    raise
                raise told from error
            for name, output in zip(step.node.outputs, outputs, strict=False):
                if name:
                    frame[name] = output
            # Arrays go as soon as nobody needs them, which keeps memory as low as in code by hand.
            for name in step.dead:
                frame.pop(name, None)
        missing = [v.name for v in self.graph.outputs if v.name not in frame]
        if missing:
            raise ModelError(
                f"nothing gave the outputs {', '.join(map(repr, missing))}: their nodes give "
                "fewer than they name."
            )
        return [frame[v.name] for v in self.graph.outputs]

    def array(self, value: Any) -> Any:
        """A value as an array of the framework, whichever kind it was."""
        if isinstance(value, HOST):
            return self.p.constant(value)
        return value

    def _run(self, step: Step, frame: Values, context: Context) -> Sequence[Any]:
        # An input that is left out has the name "", which no value has.
        inputs = [frame[name] if name else None for name in step.node.inputs]
        on_host = _on_host(inputs)
        p = self._primitives(step, inputs, on_host)
        arguments: Sequence[Any] = inputs
        if p is not self.host:
            arguments = self._arguments(step, inputs)
        keywords = step.attributes
        if step.subgraphs or step.operator.takes_context:
            keywords = self._keywords(step, frame, context)
        results = step.operator.function(p, *arguments, **keywords)
        if not isinstance(results, (tuple, list)):
            results = (results,)
        if p is not self.host and (step.operator.host or step.operator.all_host):
            self._check_differentiable(step, inputs, results)
        if p is self.host and on_host:
            return [_as_array(result) for result in results]
        return results

    def _primitives(self, step: Step, inputs: list[Any], on_host: bool) -> Any:
        """What computes a step: NumPy if all that it needs is known, else the framework."""
        if on_host and not step.subgraphs:
            return self.host
        if step.overwrites and not isinstance(inputs[0], np.ndarray):
            return self.overwriting
        return step.p

    def _keywords(self, step: Step, frame: Values, context: Context) -> Values:
        """Attributes, subgraphs as functions, and the context where it is asked for."""
        keywords = dict(step.attributes) | {
            name: _body(program, frame, context) for name, program in step.subgraphs.items()
        }
        if step.operator.takes_context:
            context.node, context.index = step.node, step.index
            keywords["context"] = context
        return keywords

    def _arguments(self, step: Step, inputs: list[Any]) -> list[Any]:
        if step.plain:
            return list(map(self.array, inputs))
        return [self._argument(step, i, x) for i, x in enumerate(inputs)]

    def _argument(self, step: Step, position: int, value: Any) -> Any:
        if value is None:
            return None
        # What steers a shape is asked from the framework here, and is an error while it traces.
        if step.operator.on_host(position):
            if isinstance(value, np.ndarray):
                return value
            return self.p.to_host(value)
        if step.subgraphs or position in step.operator.known:
            return value
        return self.array(value)

    def _check_differentiable(
        self, step: Step, inputs: Sequence[Any], results: Sequence[Any]
    ) -> None:
        """Raise if a float result depends on floats that NumPy got, and they need a gradient."""
        places = [
            i
            for i, x in enumerate(inputs)
            if x is not None and not isinstance(x, np.ndarray | list) and step.operator.on_host(i)
        ]
        # By way of NumPy no gradient comes back: silently it would be 0.
        cut = [step.node.inputs[i] for i in places if self.p.differentiated(inputs[i])]
        if cut and any(_is_float(self.p, r) for r in results):
            raise UnsupportedError(
                f"there is no gradient by {', '.join(cut)}, whose value must be known beforehand; "
                "make it a constant."
            )


def _as_array(result: Any) -> Any:
    """A result of NumPy as an array, which a number of it is not."""
    if result is None or isinstance(result, list):
        return result
    return np.asarray(result)


def _on_host(inputs: Iterable[Any]) -> bool:
    # A generator takes twice as long, and this is asked at every node.
    for x in inputs:  # noqa: SIM110
        if not (x is None or isinstance(x, np.ndarray)):
            return False
    return True


def _is_float(p: Any, value: Any) -> bool:
    if value is None or isinstance(value, list):
        return False
    if isinstance(value, np.ndarray):
        return value.dtype.kind not in "biu"
    return p.dtype(value).kind not in "biu"


def _read_only(array: np.ndarray) -> np.ndarray:
    """The array in a form that primitives may convert once and keep."""
    view = array.view()
    view.flags.writeable = False
    return view


def _body(program: Program, frame: Values, context: Context) -> Callable[..., list[Any]]:
    """A subgraph as a plain function of its inputs, host values or arrays.

    It sees the values of the graph around it.
    """
    names = [v.name for v in program.graph.inputs]

    def run(*inputs: Any) -> list[Any]:
        context.rounds += 1
        if context.rounds > longest_loop():
            raise UnsupportedError(
                f"after {longest_loop():,} rounds of its graphs there is no end; that many are run "
                f"at the most. If more are meant, set {LONGEST_LOOP}."
            )
        return program.values({**frame, **dict(zip(names, inputs, strict=True))}, context)

    return run


def _check_attributes(node: Node, entry: Operator) -> None:
    unknown = sorted(set(node.attributes) - entry.attributes.keys())
    if unknown:
        raise ModelError(
            f"{node} has attributes that {node.operator} does not define: {', '.join(unknown)}."
        )


def _all_nodes(graph: Graph) -> Iterable[Node]:
    for node in graph.nodes:
        yield node
        for subgraph in node.subgraphs:
            yield from _all_nodes(subgraph)


def _names_used(node: Node) -> set[str]:
    return set(node.inputs).union(*(_outer_names(g) for g in node.subgraphs))


def _outer_names(graph: Graph) -> set[str]:
    """Values that a subgraph takes from the graph around it."""
    used: set[str] = {v.name for v in graph.outputs}.union(*(_names_used(n) for n in graph.nodes))
    own = {v.name for v in graph.inputs} | set(graph.constants)
    return used - own - {output for node in graph.nodes for output in node.outputs}
