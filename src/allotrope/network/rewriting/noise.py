"""Chance that a file draws by itself: Dropout spelled out, and noise that training adds.

A network in training mode may hold neither Dropout nor its name, but a random array that is
compared with the rate, or one of mean 0 that is added. In inference both do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.names import listed
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.rewriter import Rewriter

Report = Callable[[str], None]

UNIFORM = frozenset({"RandomUniform", "RandomUniformLike"})
NORMAL = frozenset({"RandomNormal", "RandomNormalLike"})
RANDOM = UNIFORM | NORMAL | {"Bernoulli"}
_ABOVE, _BELOW = {"Greater", "GreaterOrEqual"}, {"Less", "LessOrEqual"}
_OPPOSITE = {
    "Greater": "Less",
    "Less": "Greater",
    "GreaterOrEqual": "LessOrEqual",
    "LessOrEqual": "GreaterOrEqual",
}
_CLOSE = 1e-3


@dataclass
class Chain:
    """A value that is computed from a random one by nodes that nobody else uses."""

    graph: Rewriter
    value: str
    values: list[str]
    """Those on the way, the random one among them."""

    def next(self) -> Node | None:
        """The only node that takes the value, if there is just one."""
        node = self.graph.only_user(self.value)
        return None if node is None or node.domain else node

    def follow(self, node: Node) -> None:
        """Go on to what a node makes."""
        self.value = node.outputs[0]
        self.values.append(self.value)

    def other(self, node: Node) -> str:
        """What a node of two inputs takes beside the value."""
        return next((name for name in node.inputs if name != self.value), "")

    def scaled(self) -> float:
        """Follows products with numbers; gives by how much they multiply together."""
        factor = 1.0
        while (node := self.next()) is not None and node.operator in ("Mul", "Div"):
            number = self.graph.number(self.other(node))
            divides = node.operator == "Div"
            if not number or (divides and node.inputs[0] != self.value):
                break
            factor *= 1 / number if divides else number
            self.follow(node)
        return factor


def without_noise(graph: Graph, report: Report) -> Graph:
    """The graph with Dropout where it is spelled out, and without noise that is added."""
    if not any(map(_is_random, graph.nodes)):
        return graph
    rewriter = Rewriter(graph)
    dropping, silent = list[str](), list[str]()
    for node in rewriter.nodes():
        if not _is_random(node):
            continue
        chain = Chain(rewriter, node.outputs[0], [node.outputs[0]])
        if node.operator in NORMAL:
            x = _disturbed(chain, float(node.attributes.get("mean", 0.0)))
            operator, rate, changed = "Identity", None, silent
        else:
            x, rate = _dropped(chain, node)
            operator, changed = "Dropout", dropping
        if x is None:
            continue
        value, inputs = chain.value, [x]
        if rate is not None:
            inputs.append(rewriter.constant(f"{value}/ratio", np.array(rate, np.float32)))
        rewriter.replace(chain.values, [Node(operator, tuple(inputs), (value,), {}, value)])
        changed.append(value)
    if dropping:
        report(
            f"repair: Dropout {listed(dropping)} spelled out in training mode; "
            "in inference it drops nothing now"
        )
    if silent:
        report(f"repair: noise that {listed(silent)} adds in training mode is left out")
    return rewriter.result() if dropping or silent else graph


def _is_random(node: Node) -> bool:
    return node.operator in RANDOM and not node.domain


def _disturbed(chain: Chain, mean: float) -> str | None:
    """What noise of mean 0 is added to, or of mean 1 multiplied with.

    The chain ends with the result.
    """
    factor = chain.scaled()
    node = chain.next()
    if node is None or node.operator not in _WITHOUT_EFFECT:
        return None
    if abs(mean * factor - _WITHOUT_EFFECT[node.operator]) > _CLOSE:
        return None
    x = chain.other(node)
    chain.follow(node)
    return x if _fits(chain, x) else None


_WITHOUT_EFFECT = {"Add": 0.0, "Mul": 1.0}
"""What leaves x as it is."""


def _dropped(chain: Chain, node: Node) -> tuple[str | None, float]:
    """What is dropped and how much of it; the chain ends with the result."""
    share = _passing(chain, node)
    if share is None or not 0 < share < 1:
        return None, 0.0
    # What passes is scaled up by 1 / share: the mask, x before it or the result behind it.
    factor = chain.scaled()
    masking = chain.next()
    x = None if masking is None else _masked(chain, masking)
    if x is None or masking is None:
        return None, 0.0
    chain.follow(masking)
    factor *= chain.scaled()
    x, factor = _unscaled(chain, x, factor, 1 / share)
    if abs(factor * share - 1) >= _CLOSE or not _fits(chain, x):
        return None, 0.0
    return x, 1 - share


def _passing(chain: Chain, node: Node) -> float | None:
    """The share of 1 in the mask that is made of the random value; the chain ends with it."""
    if node.operator == "Bernoulli":
        share = _probability(chain.graph, node)
    else:
        share = _compared(chain, node)
    while share is not None:
        step = chain.next()
        if step is None or step.operator not in ("Not", "Cast", "Identity"):
            break
        if step.operator == "Not":
            share = 1 - share
        chain.follow(step)
    return share


def _masked(chain: Chain, node: Node) -> str | None:
    """What a node takes if the mask is 1; it gives 0 elsewhere."""
    if node.operator == "Mul":
        return chain.other(node)
    if node.operator != "Where" or node.inputs[0] != chain.value:
        return None
    return node.inputs[1] if chain.graph.number(node.inputs[2]) == 0 else None


def _unscaled(chain: Chain, x: str, factor: float, wanted: float) -> tuple[str, float]:
    """x before it was scaled up for what will be dropped, if that was done first."""
    node = chain.graph.maker(x)
    if node is None or node.operator not in ("Mul", "Div") or chain.graph.count(x) != 1:
        return x, factor
    number = chain.graph.number(node.inputs[1])
    if abs(factor - wanted) < _CLOSE or not number:
        return x, factor
    chain.values.append(x)
    return node.inputs[0], factor * (number if node.operator == "Mul" else 1 / number)


def _compared(chain: Chain, node: Node) -> float | None:
    """How likely a uniform random number passes the comparison that follows it."""
    low, high = node.attributes.get("low", 0.0), node.attributes.get("high", 1.0)
    step = chain.next()
    if step is None or (low, high) != (0.0, 1.0) or step.operator not in _ABOVE | _BELOW:
        return None
    limit = chain.graph.number(chain.other(step))
    operator = step.operator if step.inputs[0] == chain.value else _OPPOSITE[step.operator]
    chain.follow(step)
    if limit is None:
        return None
    return 1 - limit if operator in _ABOVE else limit


def _probability(graph: Lookup, node: Node) -> float | None:
    """The probability of Bernoulli, if it is the same everywhere."""
    name = node.inputs[0]
    maker = graph.maker(name)
    if maker is not None and maker.operator == "Expand":
        return graph.number(maker.inputs[0])
    if maker is not None and maker.operator == "ConstantOfShape":
        return float(np.reshape(maker.attributes.get("value", np.zeros(1)), -1)[0])
    array = graph.arrays.get(name)
    if array is None or not array.size or array.dtype.kind != "f":
        return None
    return float(array.flat[0]) if (array == array.flat[0]).all() else None


def _fits(chain: Chain, x: str) -> bool:
    """Whether each element of x has a random one of its own, and nobody sees what is between."""
    own, shape = chain.graph.shape(chain.values[0]), chain.graph.shape(x)
    alike = own is None or shape is None or own == shape
    return bool(x) and alike and chain.graph.closed(chain.values, chain.value)
