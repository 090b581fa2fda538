"""Chance that a file draws by itself: Dropout spelled out, and noise that training adds.

A network in training mode may hold neither Dropout nor its name, but a random array that is
compared with the rate, or one of mean 0 that is added. In inference both do nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from allotrope.network.graph import Graph, Node
from allotrope.network.names import listed
from allotrope.network.rewriting.rewriter import Place, Rewriting

Report = Callable[[str], None]

UNIFORM = frozenset({"RandomUniform", "RandomUniformLike"})
NORMAL = frozenset({"RandomNormal", "RandomNormalLike"})
_ABOVE, _BELOW = {"Greater", "GreaterOrEqual"}, {"Less", "LessOrEqual"}
_OPPOSITE = {"Greater": "Less", "Less": "Greater", "GreaterOrEqual": "LessOrEqual", "LessOrEqual": "GreaterOrEqual"}
_CLOSE = 1e-3


@dataclass
class Chain:
    """A value that is computed from a random one by nodes that nobody else uses."""

    graph: Rewriting
    value: str
    places: list[Place]

    def next(self) -> Node | None:
        """The only node that takes the value, if there is just one."""
        users = self.graph.users(self.value)
        return users[0] if len(users) == 1 and not users[0].domain else None

    def follow(self, node: Node) -> None:
        """Go on to what a node makes."""
        place = self.graph.maker(node.outputs[0])
        assert place is not None
        self.places.append(place)
        self.value = node.outputs[0]

    def other(self, node: Node) -> str:
        """What a node of two inputs takes beside the value."""
        return next((name for name in node.inputs if name != self.value), "")

    def scaled(self) -> float:
        """Follows products with numbers; gives by how much they multiply together."""
        factor = 1.0
        while (node := self.next()) is not None and node.operator in ("Mul", "Div"):
            number = self.graph.number(self.other(node))
            if number is None or number == 0 or (node.operator == "Div" and node.inputs[0] != self.value):
                break
            factor = factor * number if node.operator == "Mul" else factor / number
            self.follow(node)
        return factor


def without_noise(graph: Graph, report: Report) -> Graph:
    """The graph with Dropout where it is spelled out, and without noise that is added."""
    if not any(node.operator in UNIFORM | NORMAL | {"Bernoulli"} and not node.domain for node in graph.nodes):
        return graph
    rewriting, ratios = Rewriting(graph), dict[str, np.ndarray]()
    dropping, silent = list[str](), list[str]()
    for place in rewriting.places():
        node = rewriting.node(place)
        if node is None or node.domain or node.operator not in UNIFORM | NORMAL | {"Bernoulli"}:
            continue
        chain = Chain(rewriting, node.outputs[0], [place])
        if node.operator in NORMAL:
            x = _disturbed(chain, float(node.attributes.get("mean", 0.0)))
            nodes = [] if x is None else [Node("Identity", (x,), (chain.value,), {}, chain.value)]
            silent += [chain.value] if nodes else []
        else:
            x, rate = _dropped(chain, node)
            name = rewriting.fresh(f"{chain.value}/ratio")
            nodes = [] if x is None else [Node("Dropout", (x, name), (chain.value,), {}, chain.value)]
            ratios |= {name: np.array(rate, np.float32)} if nodes else {}
            dropping += [chain.value] if nodes else []
        if nodes:
            rewriting.replace(chain.places, nodes)
    if dropping:
        report(f"repair: Dropout {listed(dropping)} spelled out in training mode; in inference it drops nothing now")
    if silent:
        report(f"repair: noise that {listed(silent)} adds in training mode is left out")
    mended = rewriting.result()
    return replace(mended, constants={**mended.constants, **ratios}) if dropping or silent else graph


def _disturbed(chain: Chain, mean: float) -> str | None:
    """What noise of mean 0 is added to, or noise of mean 1 multiplied with; the chain ends with the result."""
    factor = chain.scaled()
    node = chain.next()
    wanted = {"Add": 0.0, "Mul": 1.0}.get(node.operator) if node is not None else None
    if node is None or wanted is None or abs(mean * factor - wanted) > _CLOSE:
        return None
    x = chain.other(node)
    chain.follow(node)
    return x if _fits(chain, x) else None


def _dropped(chain: Chain, node: Node) -> tuple[str | None, float]:
    """What is dropped and how much of it; the chain ends with the result."""
    kept = _probability(chain, node) if node.operator == "Bernoulli" else _compared(chain, node)
    while kept is not None and (step := chain.next()) is not None and step.operator in ("Not", "Cast", "Identity"):
        kept = 1 - kept if step.operator == "Not" else kept
        chain.follow(step)
    if kept is None or not 0 < kept < 1:
        return None, 0.0
    factor = chain.scaled()
    node_of_x = chain.next()
    x = None if node_of_x is None else _masked(chain, node_of_x)
    if x is None or node_of_x is None:
        return None, 0.0
    chain.follow(node_of_x)
    factor *= chain.scaled()
    x, factor = _unscaled(chain, x, factor, 1 / kept)
    right = abs(factor * kept - 1) < _CLOSE and _fits(chain, x)
    return (x, 1 - kept) if right else (None, 0.0)


def _masked(chain: Chain, node: Node) -> str | None:
    """What a node takes where the mask is 1; it gives 0 elsewhere."""
    if node.operator == "Mul":
        return chain.other(node)
    if node.operator == "Where" and node.inputs[0] == chain.value and chain.graph.number(node.inputs[2]) == 0:
        return node.inputs[1]
    return None


def _unscaled(chain: Chain, x: str, factor: float, wanted: float) -> tuple[str, float]:
    """x before it was scaled up for what will be dropped, where that was done first."""
    place = chain.graph.maker(x)
    node = None if place is None else chain.graph.node(place)
    if place is None or node is None or node.operator not in ("Mul", "Div"):
        return x, factor
    number = chain.graph.number(node.inputs[1])
    if abs(factor - wanted) < _CLOSE or not number or len(chain.graph.users(x)) != 1:
        return x, factor
    chain.places.append(place)
    return node.inputs[0], factor * (number if node.operator == "Mul" else 1 / number)


def _compared(chain: Chain, node: Node) -> float | None:
    """How likely a uniform random number passes the comparison that follows it."""
    low, high = (float(node.attributes.get(name, value)) for name, value in (("low", 0.0), ("high", 1.0)))
    step = chain.next()
    if step is None or (low, high) != (0.0, 1.0) or step.operator not in _ABOVE | _BELOW:
        return None
    limit = chain.graph.number(chain.other(step))
    operator = step.operator if step.inputs[0] == chain.value else _OPPOSITE[step.operator]
    chain.follow(step)
    if limit is None:
        return None
    return 1 - limit if operator in _ABOVE else limit


def _probability(chain: Chain, node: Node) -> float | None:
    """The probability of Bernoulli, where it is the same everywhere."""
    name = node.inputs[0]
    place = chain.graph.maker(name)
    maker = None if place is None else chain.graph.node(place)
    if maker is not None and maker.operator == "Expand":
        return chain.graph.number(maker.inputs[0])
    if maker is not None and maker.operator == "ConstantOfShape":
        return float(np.reshape(maker.attributes.get("value", np.zeros(1)), -1)[0])
    array = chain.graph.array(name)
    alike = array is not None and array.size > 0 and array.dtype.kind == "f" and (array == array.flat[0]).all()
    return float(array.flat[0]) if array is not None and alike else None


def _fits(chain: Chain, x: str) -> bool:
    """Whether the random array is as large as x, so that each element has its own, and nobody sees what is between."""
    shapes = [chain.graph.shape(name) for name in (x, chain.value)]
    first = chain.graph.node(chain.places[0])
    assert first is not None
    own = chain.graph.shape(first.outputs[0])
    alike = own is None or shapes[0] is None or own == shapes[0]
    return bool(x) and alike and chain.graph.closed(chain.places, chain.value)
