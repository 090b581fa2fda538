"""Frees a batch length of 1 that an exporter baked in, where it can be proved that examples stay independent.

The proof follows the first axis of the inputs through the graph by the rules below, then lets shape inference confirm it with
a named length. A Reshape that spells the 1 out is mended. Where any step is not covered, the network stays as it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from allotrope.errors import ModelError
from allotrope.network.graph import Dimension, Node, Value
from allotrope.network.network import Network
from allotrope.network.shapes import infer_shapes

Shape = tuple[Dimension, ...]

_ALONG = frozenset(
    """
    Abs Acos Asin Atan AveragePool BatchNormalization Cast Ceil Celu Clip Conv ConvTranspose Cos DepthToSpace Dropout Elu Erf Exp
    Floor Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization
    LRN LeakyRelu Log LpPool MaxPool Mish Neg Not PRelu Reciprocal Relu Round Selu Sigmoid Sign Sin Softplus Softsign SpaceToDepth
    Sqrt Swish Tan Tanh ThresholdedRelu
    """.split()  # noqa: SIM905 - a list would take a line a word
)
"""The first input keeps its first axis; the others may not depend on the batch."""

_BROADCAST = frozenset(
    """
    Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor
    """.split()  # noqa: SIM905 - a list would take a line a word
)
_BY_AXIS = {
    "ArgMax": 0,
    "ArgMin": 0,
    "Hardmax": -1,
    "LayerNormalization": -1,
    "LogSoftmax": -1,
    "LpNormalization": -1,
    "RMSNormalization": -1,
    "Softmax": -1,
    "Split": 0,
    "TopK": -1,
}
"""Operators along one axis, with its default; it may not be the first."""

_BY_AXES = frozenset(
    """
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare
    """.split()  # noqa: SIM905 - a list would take a line a word
)


def free_batch(network: Network, report: Callable[[str], None] = lambda line: None) -> Network:
    """The network for any number of examples, or itself where it already is, has no weights or cannot be proved to be."""
    baked = {x.name for x in network.inputs if x.shape is not None and len(x.shape) >= 2 and x.shape[0] == 1}
    if not baked or not network.weights:
        return network
    proof = _Proof(network, set(baked))
    if not all(proof.follow(node) for node in network.graph.nodes) or not {y.name for y in network.outputs} <= proof.batched:
        return network
    name = _free_length(network)
    inputs = tuple(replace(x, shape=(name, *(x.shape or ())[1:])) if x.name in baked else x for x in network.inputs)
    outputs = tuple(Value(y.name, y.dtype, None) for y in network.outputs)
    constants = {**network.graph.constants, **proof.added}
    try:
        graph = infer_shapes(
            replace(network.graph, inputs=inputs, outputs=outputs, nodes=tuple(proof.nodes), constants=constants), network.weights
        )
    except ModelError:
        return network
    known = {**graph.values, **{y.name: y for y in graph.outputs}}
    if not all(
        value in known and _is_freed(known[value].shape, proof.shape(value), name, value in proof.unsure) for value in proof.batched - baked
    ):
        return network
    freed = {value: replace(known[value], shape=(name, *(proof.shape(value) or ())[1:])) for value in proof.batched - baked}
    values = {**graph.values, **{value: freed[value] for value in graph.values if value in freed}}
    graph = replace(graph, values=values, outputs=tuple(freed[y.name] for y in network.outputs))
    mended = [node.name or node.outputs[0] for node, old in zip(graph.nodes, network.graph.nodes, strict=True) if node != old]
    spelled = f", which Reshape {', '.join(mended)} spelled out" if mended else ""
    report(f"repair: the batch of 1 that was fixed in {', '.join(sorted(baked))} is free{spelled}")
    return Network(graph, network.weights, network.trainable, network.metadata)


def _is_freed(new: Shape | None, old: Shape | None, name: str, unsure: bool) -> bool:
    """Whether the first length became `name` and no other changed. Some may no longer be inferred, unless the proof is `unsure`."""
    if not new or not old or len(new) != len(old):
        return False
    return (new[0] == name or (new[0] is None and not unsure)) and all(
        after in (None, before) for after, before in zip(new[1:], old[1:], strict=True)
    )


def _free_length(network: Network) -> str:
    used = {length for value in (*network.inputs, *network.graph.values.values()) for length in value.shape or ()}
    return next(name for name in ("n", "batch", "batch_length", *(f"n{i}" for i in range(10**6))) if name not in used)


@dataclass
class _Proof:
    """Which values have the batch as their first axis, which were computed from its length, and of which only inference can tell."""

    network: Network
    batched: set[str]
    sized: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    nodes: list[Node] = field(default_factory=list)
    added: dict[str, np.ndarray] = field(default_factory=dict)

    def follow(self, node: Node) -> bool:
        """Whether the node keeps examples apart."""
        self.nodes.append(node)
        batched = [name in self.batched for name in node.inputs]
        sized = [name in self.sized for name in node.inputs]
        if next(node.subgraphs, None) is not None or node.domain:
            return False
        if not any(batched) or node.operator in ("Shape", "Size"):
            self.sized |= set(node.outputs) if any(batched) or any(sized) else set()
            return True
        if any(sized) and node.operator != "Reshape":
            return False
        rule = _RULES.get(node.operator)
        if rule is None or not rule(self, node, batched):
            return False
        self.batched |= set(node.outputs) - {""}
        return True

    def shape(self, name: str) -> tuple[Dimension, ...] | None:
        """The shape of a value with the batch still 1."""
        array = self.array(name)
        if array is not None:
            return array.shape
        known: Mapping[str, Value] = self.network.graph.values
        ends = {value.name: value for value in (*self.network.inputs, *self.network.outputs)}
        value = known.get(name) or ends.get(name)
        return None if value is None else value.shape

    def rank(self, name: str) -> int | None:
        """How many axes a value has."""
        shape = self.shape(name)
        return None if shape is None else len(shape)

    def array(self, name: str) -> np.ndarray | None:
        """A weight or constant."""
        found = self.network.graph.constants.get(name)
        return self.network.weights.get(name) if found is None else found


Rule = Callable[[_Proof, Node, list[bool]], bool]
_RULES: dict[str, Rule] = {}


def _rule(*operators: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _RULES.update(dict.fromkeys(operators, rule))
        return rule

    return register


@_rule(*_ALONG)
def _along(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    return batched[0] and not any(batched[1:]) and not node.attributes.get("training_mode", 0)


@_rule(*_BROADCAST)
def _broadcast(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    shapes = [proof.shape(name) for name in node.inputs]
    if any(shape is None for shape in shapes):
        return False
    rank = max(len(shape or ()) for shape in shapes)
    return all(len(s or ()) == rank if b else len(s or ()) < rank or (s or ())[0] == 1 for s, b in zip(shapes, batched, strict=True))


@_rule(*_BY_AXIS)
def _by_axis(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    rank = proof.rank(node.inputs[0])
    return batched[0] and not any(batched[1:]) and bool(rank) and node.attributes.get("axis", _BY_AXIS[node.operator]) % rank != 0


@_rule("Squeeze", "Unsqueeze", *_BY_AXES)
def _by_axes(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    axes = proof.array(node.inputs[1]) if len(node.inputs) > 1 else None
    rank = proof.rank(node.outputs[0] if node.operator == "Unsqueeze" else node.inputs[0])
    return batched[0] and axes is not None and axes.size > 0 and bool(rank) and 0 not in axes.ravel() % (rank or 1)


@_rule("Concat")
def _concat(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    rank = proof.rank(node.inputs[0])
    return all(batched) and bool(rank) and node.attributes["axis"] % rank != 0


@_rule("Flatten")
def _flatten(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    return batched[0] and node.attributes.get("axis", 1) == 1


@_rule("Transpose")
def _transpose(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    return next(iter(node.attributes.get("perm", (-1,)))) == 0


@_rule("Reshape")
def _reshape(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    """A batch that is spelled out becomes 0, which copies the length of the input's first axis."""
    shape, target = proof.shape(node.inputs[0]), proof.array(node.inputs[1])
    if not batched[0] or batched[1] or node.attributes.get("allowzero", 0) or shape is None:
        return False
    if target is None:
        proof.unsure.add(node.outputs[0])
        return True
    if target.size == 0 or target[0] == 0:
        return target.size > 0
    rest = [length for length in shape[1:] if isinstance(length, int)]
    whole = len(rest) == len(shape) - 1 and math.prod(target[1:].tolist()) == math.prod(rest) and (target[1:] > 0).all()
    if target[0] != 1 and not (target[0] == -1 and whole):
        return False
    name = f"{node.inputs[1]}/{node.outputs[0]}/any_batch"
    proof.added[name] = np.concatenate([[0], target[1:]]).astype(np.int64)
    proof.nodes[-1] = replace(node, inputs=(node.inputs[0], name))
    return True


@_rule("MatMul")
def _matmul(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    a, b = proof.rank(node.inputs[0]), proof.rank(node.inputs[1])
    if a is None or b is None:
        return False
    if all(batched):
        return a == b >= 3
    return (a >= 2 and (b < a or a == b == 2)) if batched[0] else (b >= 3 and a < b)


@_rule("Attention")
def _attention(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    """Queries, keys and values belong to one example each; a mask is the same for all, or each has its own."""
    mask = proof.shape(node.inputs[3]) if len(node.inputs) > 3 else ()
    alike = mask is not None and (len(mask) < 4 or mask[0] == 1 or batched[3])
    return len(node.inputs) <= 4 and all(batched[:3]) and alike and (len(mask or ()) == 4 or batched[3:4] != [True])


@_rule("Gemm")
def _gemm(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    bias = proof.shape(node.inputs[2]) if len(node.inputs) > 2 and not batched[2] else ()
    return batched[0] and not batched[1] and not node.attributes.get("transA", 0) and bias is not None and (len(bias) < 2 or bias[0] == 1)


@_rule("Gather")
def _gather(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    axis, rank = node.attributes.get("axis", 0), proof.rank(node.inputs[0])
    if not rank or all(batched):
        return False
    return axis % rank != 0 if batched[0] else axis % rank == 0


@_rule("Slice")
def _slice(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    axes = proof.array(node.inputs[3]) if len(node.inputs) > 3 else None
    rank = proof.rank(node.inputs[0])
    return batched[0] and not any(batched[1:]) and axes is not None and bool(rank) and 0 not in axes % (rank or 1)


@_rule("Pad")
def _pad(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    pads = proof.array(node.inputs[1])
    if not batched[0] or pads is None or len(node.inputs) > 3:
        return False
    return pads.size >= 2 and pads[0] == 0 and pads[pads.size // 2] == 0


@_rule("Resize")
def _resize(proof: _Proof, node: Node, batched: list[bool]) -> bool:
    if "axes" in node.attributes:
        return batched[0] and 0 not in node.attributes["axes"] and all(axis > 0 for axis in node.attributes["axes"])
    scales: Any = proof.array(node.inputs[2]) if len(node.inputs) == 3 else None
    return batched[0] and scales is not None and bool(scales.size) and scales[0] == 1
