"""Operators that exporters take apart, recognized by what they compute; one function a pattern.

Each begins at the node that gives the pattern away, such as Erf, and compares polynomials, so that it does not matter in which
order a file multiplies or adds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from allotrope.network.graph import Node
from allotrope.network.rewriting.expressions import ARITHMETIC, Monomial, close, near, polynomial, product
from allotrope.network.rewriting.rewriter import Place, Rewriting


@dataclass(frozen=True)
class Found:
    """The nodes at `places` compute `output`, and `nodes` do so too."""

    places: frozenset[Place]
    output: str
    nodes: tuple[Node, ...]


Pattern = Callable[[Rewriting, Place, Node], Iterator[Found]]
"""What may be put in the place of the node and some around it, the best first."""

PATTERNS: dict[str, dict[str, Pattern]] = {}
"""By the operator that is recognized, then by the one that gives it away."""


def pattern(trigger: str, gives: str) -> Callable[[Pattern], Pattern]:
    """Register what recognizes an operator, under the operator that gives it away."""

    def register(function: Pattern) -> Pattern:
        PATTERNS.setdefault(gives, {})[trigger] = function
        return function

    return register


# --- activations: a function of x, then a polynomial over x and that


@pattern("Erf", gives="Gelu")
def gelu(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """0.5 x (1 + erf(x / √2)) (Hendrycks and Gimpel 2016)."""
    yield from _gelu(graph, place, node, {1: math.sqrt(0.5)}, {})


@pattern("Tanh", gives="Gelu")
def gelu_with_tanh(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), its approximation."""
    root = math.sqrt(2 / math.pi)
    yield from _gelu(graph, place, node, {1: root, 3: 0.044715 * root}, {"approximate": "tanh"})


def _gelu(graph: Rewriting, place: Place, node: Node, inner: dict[int, float], attributes: dict[str, str]) -> Iterator[Found]:
    for x, factors, region in _arguments(graph, place, node):
        if factors.keys() == inner.keys() and all(near(factors[power], inner[power]) for power in inner):
            half = {product(x): 0.5, product(x, node.outputs[0]): 0.5}
            yield from _results(graph, node, x, half, region, "Gelu", attributes)


@pattern("Sigmoid", gives="Swish")
def swish(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """x sigmoid(alpha x): SiLU or Swish (Ramachandran et al. 2017)."""
    for x, factors, region in _arguments(graph, place, node):
        if factors.keys() == {1} and factors[1] > 0:
            attributes = {} if factors[1] == 1 else {"alpha": factors[1]}
            yield from _results(graph, node, x, {product(x, node.outputs[0]): 1.0}, region, "Swish", attributes)


@pattern("HardSigmoid", gives="HardSwish")
def hard_swish(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """x max(0, min(1, x / 6 + 0.5)) (Howard et al. 2019)."""
    alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    for x, factors, region in _arguments(graph, place, node):
        if near(alpha * factors.get(1, 0.0), 1 / 6) and near(alpha * factors.get(0, 0.0) + beta, 0.5) and factors.keys() <= {0, 1}:
            yield from _results(graph, node, x, {product(x, node.outputs[0]): 1.0}, region, "HardSwish", {})


@pattern("Clip", gives="HardSwish")
def hard_swish_with_clip(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """x clip(x + 3, 0, 6) / 6, and the same with other units inside of the clip."""
    low, high = (graph.number(name) for name in node.inputs[1:3]) if len(node.inputs) == 3 else (None, None)
    if low != 0.0 or high is None or high <= 0:
        return
    for x, factors, region in _arguments(graph, place, node):
        if factors.keys() == {0, 1} and near(factors[1] / high, 1 / 6) and near(factors[0] / high, 0.5):
            yield from _results(graph, node, x, {product(x, node.outputs[0]): 1 / high}, region, "HardSwish", {})


def _arguments(graph: Rewriting, place: Place, node: Node) -> Iterator[tuple[str, dict[int, float], frozenset[Place]]]:
    """Each x of which the node's first input is a polynomial: its name, the factor of each power, and the nodes from it on."""
    for x in graph.below(node.inputs[0], ARITHMETIC):
        region = {place}
        found = polynomial(graph, node.inputs[0], {x}, region)
        powers = {dict(key).get(x, 0.0): key for key in found or ()}
        if found and all(dict(key).keys() <= {x} for key in found) and all(power.is_integer() for power in powers):
            yield x, {int(power): found[key] for power, key in powers.items()}, frozenset(region)


def _results(
    graph: Rewriting,
    node: Node,
    x: str,
    expected: dict[Monomial, float],
    region: frozenset[Place],
    operator: str,
    attributes: dict[str, str] | dict[str, float],
) -> Iterator[Found]:
    """Where the expected polynomial over x and the node's output is computed, the operator on x can be instead."""
    for y in graph.above(node.outputs[0], ARITHMETIC):
        places = set(region)
        if graph.rank(x) == graph.rank(y) != -1 and close(polynomial(graph, y, {x, node.outputs[0]}, places), expected):
            yield Found(frozenset(places), y, (Node(operator, (x,), (y,), attributes, y),))


# --- normalization


@pattern("ReduceMean", gives="LayerNormalization")
def layer_normalization(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """(x - mean) / √(variance + epsilon) scale + bias over the last axes (Ba et al. 2016)."""
    x, mean, axis = node.inputs[0], node.outputs[0], _last_axes(graph, node)
    if axis is None:
        return
    square = {product((x, 2.0)): 1.0, product(x, mean): -2.0, product((mean, 2.0)): 1.0}
    for reduced in graph.above(mean, ARITHMETIC | {"ReduceMean"}):
        region = {place}
        variance = _maker(graph, reduced, "ReduceMean")
        if variance is None or _last_axes(graph, variance) != axis:
            continue
        if close(polynomial(graph, variance.inputs[0], {x, mean}, region), square):
            region.add(graph.maker(reduced) or place)
            yield from _normalized(graph, x, mean, reduced, axis, frozenset(region))


def _normalized(graph: Rewriting, x: str, mean: str, variance: str, axis: int, region: frozenset[Place]) -> Iterator[Found]:
    for inside in graph.above(variance, ARITHMETIC):
        places = set(region)
        found = polynomial(graph, inside, {variance}, places)
        epsilon = (found or {}).get(product(), 0.0)
        if epsilon > 0 and close(found, {product(variance): 1.0, product(): epsilon}):
            for y in reversed(graph.above(inside, ARITHMETIC)):
                yield from _scaled_and_shifted(graph, x, mean, (inside, epsilon), y, axis, frozenset(places))


def _scaled_and_shifted(
    graph: Rewriting, x: str, mean: str, inside: tuple[str, float], y: str, axis: int, region: frozenset[Place]
) -> Iterator[Found]:
    """y as the normalized x, times an array of the normalized shape, and perhaps another added."""
    places, (root, epsilon) = set(region), inside
    found = polynomial(graph, y, {x, mean, root}, places) or {}
    shape = graph.shape(x) or ()
    arrays = [name for name in dict.fromkeys(name for key in found for name, _ in key) if graph.array(name) is not None]
    arrays = [name for name in arrays if graph.shape(name) == shape[axis:]]
    for scale in arrays:
        expected = {product(x, (root, -0.5), scale): 1.0, product(mean, (root, -0.5), scale): -1.0}
        for bias in (name for name in ("", *arrays) if name != scale):
            if close(found, expected | ({product(bias): 1.0} if bias else {})):
                inputs = (x, scale, bias) if bias else (x, scale)
                yield Found(
                    frozenset(places), y, (Node("LayerNormalization", inputs, (y,), {"axis": axis - len(shape), "epsilon": epsilon}, y),)
                )


def _last_axes(graph: Rewriting, node: Node) -> int | None:
    """The first of the axes that a reduction takes, where these are all from it on and stay as length 1."""
    axes, rank = graph.array(node.inputs[1]) if len(node.inputs) > 1 else None, graph.rank(node.inputs[0])
    if axes is None or rank < 1 or not node.attributes.get("keepdims", 1):
        return None
    found = sorted(int(axis) % rank for axis in axes.reshape(-1))
    return found[0] if found and found == list(range(found[0], rank)) else None


def _maker(graph: Rewriting, name: str, operator: str) -> Node | None:
    """The node that makes a value, if it is of that operator."""
    place = graph.maker(name)
    node = None if place is None else graph.node(place)
    return node if node is not None and node.operator == operator and not node.domain else None


# --- softmax and attention


@pattern("Exp", gives="Softmax")
def softmax(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """exp(x - max(x)) / sum(exp(x - max(x))) along one axis."""
    power = node.outputs[0]
    total = next((user for user in graph.users(power) if user.operator == "ReduceSum" and user.inputs[0] == power), None)
    axis = None if total is None else _one_axis(graph, total)
    if total is None or axis is None:
        return
    region = {place, graph.maker(total.outputs[0]) or place}
    x = _shifted_by_maximum(graph, node.inputs[0], axis, region) or node.inputs[0]
    for y in graph.above(total.outputs[0], ARITHMETIC):
        places = set(region)
        if close(polynomial(graph, y, {power, total.outputs[0]}, places), {product(power, (total.outputs[0], -1.0)): 1.0}):
            yield Found(frozenset(places), y, (Node("Softmax", (x,), (y,), {"axis": axis - graph.rank(x)}, y),))


def _shifted_by_maximum(graph: Rewriting, name: str, axis: int, region: set[Place]) -> str | None:
    """The x of which `name` is x - max(x) along the axis."""
    shift = _maker(graph, name, "Sub")
    highest = None if shift is None else _maker(graph, shift.inputs[1], "ReduceMax")
    if shift is None or highest is None or highest.inputs[0] != shift.inputs[0] or _one_axis(graph, highest) != axis:
        return None
    region |= {place for place in (graph.maker(name), graph.maker(highest.outputs[0])) if place is not None}
    return shift.inputs[0]


def _one_axis(graph: Rewriting, node: Node) -> int | None:
    """The only axis that a reduction takes, which stays as length 1."""
    axes, rank = graph.array(node.inputs[1]) if len(node.inputs) > 1 else None, graph.rank(node.inputs[0])
    if axes is None or axes.size != 1 or rank < 1 or not node.attributes.get("keepdims", 1):
        return None
    return int(axes.reshape(())) % rank


@pattern("Softmax", gives="Attention")
def attention(graph: Rewriting, place: Place, node: Node) -> Iterator[Found]:
    """softmax(q kᵀ scale + mask) v over heads, [n, h, q, d] (Vaswani et al. 2017)."""
    if node.attributes.get("axis", -1) not in (-1, 3) or graph.rank(node.inputs[0]) != 4:
        return
    users = graph.users(node.outputs[0])
    if len(users) != 1 or users[0].operator != "MatMul" or users[0].inputs[0] != node.outputs[0]:
        return
    value, output = users[0].inputs[1], users[0].outputs[0]
    region = {place, graph.maker(output) or place}
    scores = _scores(graph, node.inputs[0], region)
    if scores is None:
        return
    query, key, factor, mask = scores
    query, factor = _unscaled(graph, query, factor, region)
    key, factor = _unscaled(graph, key, factor, region)
    keys = _untransposed(graph, key, region)
    if keys is None or factor <= 0 or not _same_heads(graph, query, key, value):
        return
    source, permutation = keys
    if permutation == (0, 1, 2, 3):
        source, factor = _unscaled(graph, source, factor, region)
        nodes: tuple[Node, ...] = ()
    else:
        name = graph.fresh(f"{output}/keys")
        nodes, source = (Node("Transpose", (source,), (name,), {"perm": permutation}, name),), name
    inputs = (query, source, value, mask) if mask else (query, source, value)
    yield Found(frozenset(region), output, (*nodes, Node("Attention", inputs, (output,), {"scale": factor}, output)))


def _scores(graph: Rewriting, name: str, region: set[Place]) -> tuple[str, str, float, str] | None:
    """q, kᵀ, the factor of their product and what is added to it: nothing, or for queries and keys."""
    reached = graph.below(name, ARITHMETIC)
    sums = [node for at in reached for node in [_maker(graph, at, "Add")] if node]
    arrays = [name for node in sums for name in node.inputs if graph.array(name) is not None]
    for product_name in reached:
        matmul = _maker(graph, product_name, "MatMul")
        for mask in ("", *reached, *arrays) if matmul else ():
            places = set(region)
            found = polynomial(graph, name, {product_name, mask}, places)
            factor = (found or {}).get(product(product_name), 0.0)
            if matmul and close(found, {product(product_name): factor} | ({product(mask): 1.0} if mask else {})):
                length, keys = (graph.shape(mask) or (None,))[-1] if mask else None, (graph.shape(product_name) or (None,))[-1]
                spans_keys = length is not None and length == keys and graph.rank(mask) >= 2
                if mask and (mask == product_name or not spans_keys):
                    continue
                region |= places | {graph.maker(product_name) or next(iter(places))}
                return matmul.inputs[0], matmul.inputs[1], factor, mask
    return None


def _unscaled(graph: Rewriting, name: str, factor: float, region: set[Place]) -> tuple[str, float]:
    """What `name` is a multiple of, and `factor` times as much."""
    for source in reversed(graph.below(name, ARITHMETIC)):
        places = set(region)
        found = polynomial(graph, name, {source}, places)
        if found and found.keys() == {product(source)}:
            region |= places
            return source, factor * found[product(source)]
    return name, factor


def _untransposed(graph: Rewriting, name: str, region: set[Place]) -> tuple[str, tuple[int, ...]] | None:
    """What is transposed to `name`, and how it must be so that the last two axes are swapped back."""
    node, place = _maker(graph, name, "Transpose"), graph.maker(name)
    permutation: tuple[int, ...] = node.attributes.get("perm", ()) if node else ()
    if node is None or place is None or len(permutation) != 4:
        return None
    region.add(place)
    return node.inputs[0], (*permutation[:2], permutation[3], permutation[2])


def _same_heads(graph: Rewriting, query: str, key: str, value: str) -> bool:
    """Whether all three are [n, h, ...] of the same n and h."""
    shapes = [graph.shape(name) or () for name in (query, key, value)]
    return all(len(shape) == 4 and shape[1] is not None and shape[:2] == shapes[0][:2] for shape in shapes)
