"""Which of several outputs tells the classes apart, and rows of logits of whatever shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.ends import end_of
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.network.used import used


@dataclass(frozen=True)
class _Group:
    """The outputs that are made of one value, such as probabilities and a label."""

    source: str
    outputs: tuple[Value, ...]
    count: Dimension
    """How many numbers it has an example, None or a name where that is not known."""
    made_by: frozenset[int]
    """The nodes that it is computed by, by their number in the graph."""

    @property
    def name(self) -> str:
        return self.outputs[0].name

    @property
    def shown(self) -> str:
        return f"'{self.name}' {list(self.outputs[0].shape or ())}"


def classifier_alone(
    network: Network, classes: int, asked: str | None, replaced: bool, notes: list[str]
) -> Network:
    """The network without the outputs that do not tell the classes apart.

    Which one does is added to `notes`.

    `replaced`: whether its last layer will be, so that another number of classes is no reason
    against an output.

    Raises: UsageError if several may, or the one that was asked for is not there.
    """
    groups = _groups(network)
    if asked is not None:
        return _only(network, _asked(groups, asked), notes, "was asked for")
    rows = [group for group in groups if _is_row(group)]
    if len(groups) == 1 or not rows:
        return network
    # One number an example tells two classes apart by its sign, as of a sigmoid.
    fitting = [
        group for group in rows if group.count == classes or (group.count, classes) == (1, 2)
    ]
    # If the last layer is replaced, its old number of classes says nothing of which output is
    # meant.
    if len(fitting) == 1 and not replaced:
        return _only(network, fitting[0], notes, f"alone tells {classes} classes apart")
    pool = rows if replaced or not fitting else fitting
    # An output that all others go into is the end of the network: they are stages of it.
    last = [group for group in pool if all(group.made_by >= other.made_by for other in rows)]
    if len(last) == 1:
        why = "is the only row of numbers" if len(rows) == 1 else "is what the others go into"
        return _only(network, last[0], notes, why)
    # Auxiliary heads, as GoogLeNet's, branch off early, so that fewer nodes make them.
    deepest = sorted(pool, key=lambda group: len(group.made_by))
    alike = len({group.count for group in pool}) == 1
    if alike and len(deepest[-1].made_by) > len(deepest[-2].made_by):
        why = "is computed by the most nodes, so that the others are taken for auxiliary heads"
        return _only(network, deepest[-1], notes, why)
    raise UsageError(
        f"the network has several outputs that may tell classes apart: "
        f"{', '.join(group.shown for group in pool)}. Name one: --classifier {pool[0].name}."
    )


def _asked(groups: Sequence[_Group], asked: str) -> _Group:
    for group in groups:
        if asked in (value.name for value in group.outputs):
            return group
    known = ", ".join(f"'{value.name}'" for group in groups for value in group.outputs)
    raise UsageError(
        f"--classifier is '{asked}', which is no output of the network. It has {known}."
    )


def _groups(network: Network) -> list[_Group]:
    """The outputs by what they are made of, in the order of the file.

    Whole numbers alone are none.
    """
    graph = Lookup(network.graph, network.weights)
    ends: dict[str, list[Value]] = {}
    for output in network.outputs:
        source, _ = end_of(graph, output.name)
        if source != output.name or output.dtype.kind not in "iub":
            ends.setdefault(source, []).append(output)
    return [
        _Group(
            source,
            tuple(outputs),
            _count(graph.known(source), outputs),
            _ancestors(network, source),
        )
        for source, outputs in ends.items()
    ]


def _count(source: Value | None, outputs: Sequence[Value]) -> Dimension:
    shapes = [value.shape for value in (source, *outputs) if value is not None]
    rows = [_length(shape) for shape in shapes if shape is not None]
    return next((length for length in rows if isinstance(length, int)), None if rows else "?")


def _length(shape: tuple[Dimension, ...]) -> Dimension:
    """The length of a row [n, k], also as [n, k, 1, 1], [n, 1, 1, k] or [n].

    -1 for what is none.
    """
    longer = [length for length in shape[1:] if length != 1]
    if len(longer) > 1 or len(shape) not in (1, 2, 3, 4):
        return -1
    return longer[0] if longer else 1


def _is_row(group: _Group) -> bool:
    return group.count != -1


def _ancestors(network: Network, source: str) -> frozenset[int]:
    wanted, numbers = {source}, set()
    for number, node in reversed(list(enumerate(network.graph.nodes))):
        if wanted & set(node.outputs):
            wanted |= used(node)
            numbers.add(number)
    return frozenset(numbers)


def _only(network: Network, group: _Group, notes: list[str], why: str) -> Network:
    outputs = network.outputs
    others = [value.name for value in outputs if value not in group.outputs]
    if others:
        notes.append(
            f"Of the network's outputs, '{group.name}' tells the classes apart: it {why}. "
            f"Left out: {', '.join(others)}. For another: --classifier {others[0]}."
        )
    rewriter = Rewriter(network.graph, network.weights)
    rewriter.give(*group.outputs)
    return rewriter.applied_to(network)


def in_rows(network: Network) -> Network:
    """The network with logits [n, k] as its only output, if they are [n, k, 1, 1] or the like.

    Else it is as it was.
    """
    if len(network.outputs) != 1:
        return network
    (output,) = network.outputs
    free = replace(output, shape=None)
    inferred = network.changed(graph=replace(network.graph, outputs=(free,)))
    shape = inferred.outputs[0].shape
    if shape is None or len(shape) == 2 or _length(shape) == -1:
        return inferred
    rewriter = Rewriter(inferred.graph, inferred.weights)
    rows = rewriter.append("Flatten", (output.name,), "logits", {"axis": 1})
    rewriter.give(Value(rows, output.dtype, None))
    return rewriter.applied_to(inferred)


def with_two_logits(network: Network) -> Network:
    """The network whose one logit z [n, 1] became two, [0, z].

    Their softmax is 1 - sigmoid(z) and sigmoid(z).

    Cross-entropy of the two is the binary cross-entropy of z, so that it trains as it was meant to.
    """
    (z,) = network.outputs
    rewriter = Rewriter(network.graph, network.weights)
    before = rewriter.constant("logits.before", np.array([0, 1, 0, 0], np.int64))
    pair = rewriter.append("Pad", (z.name, before), "logits")
    rewriter.give(Value(pair, z.dtype, None))
    return rewriter.applied_to(network)
