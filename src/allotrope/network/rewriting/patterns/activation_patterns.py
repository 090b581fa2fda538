"""Activations: a function of x, then a polynomial over x and that."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from allotrope.network.graph import Node
from allotrope.network.rewriting.expressions import (
    ARITHMETIC,
    Monomial,
    Polynomial,
    close,
    near,
    polynomial,
    product,
)
from allotrope.network.rewriting.patterns.matches import Match, pattern
from allotrope.network.rewriting.reach import above, below
from allotrope.network.rewriting.rewriter import Rewriter


@dataclass(frozen=True)
class _Argument:
    """What a function is applied to, as a polynomial over x alone."""

    x: str
    factors: Mapping[int, float]
    """The factor of each power of x."""
    region: frozenset[str]
    """The values from x on, that of the function among them."""


@pattern("Erf", gives="Gelu")
def gelu(graph: Rewriter, node: Node) -> Iterator[Match]:
    """0.5 x (1 + erf(x / √2)) (Hendrycks and Gimpel 2016)."""
    yield from _gelu(graph, node, {1: math.sqrt(0.5)}, {})


@pattern("Tanh", gives="Gelu")
def gelu_with_tanh(graph: Rewriter, node: Node) -> Iterator[Match]:
    """0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))), its approximation."""
    root = math.sqrt(2 / math.pi)
    yield from _gelu(graph, node, {1: root, 3: 0.044715 * root}, {"approximate": "tanh"})


def _gelu(
    graph: Rewriter, node: Node, inner: Mapping[int, float], attributes: Mapping[str, Any]
) -> Iterator[Match]:
    for argument in _arguments(graph, node):
        factors = argument.factors
        if factors.keys() == inner.keys() and all(near(factors[n], inner[n]) for n in inner):
            x, y = argument.x, node.outputs[0]
            half = {product(x): 0.5, product(x, y): 0.5}
            yield from _results(graph, node, argument, half, "Gelu", attributes)


@pattern("Sigmoid", gives="Swish")
def swish(graph: Rewriter, node: Node) -> Iterator[Match]:
    """x sigmoid(alpha x): SiLU or Swish (Ramachandran et al. 2017)."""
    for argument in _arguments(graph, node):
        if argument.factors.keys() == {1} and argument.factors[1] > 0:
            alpha = argument.factors[1]
            attributes = {} if alpha == 1 else {"alpha": alpha}
            expected = {product(argument.x, node.outputs[0]): 1.0}
            yield from _results(graph, node, argument, expected, "Swish", attributes)


@pattern("HardSigmoid", gives="HardSwish")
def hard_swish(graph: Rewriter, node: Node) -> Iterator[Match]:
    """x max(0, min(1, x / 6 + 0.5)) (Howard et al. 2019)."""
    alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    for argument in _arguments(graph, node):
        factors = argument.factors
        slope, offset = alpha * factors.get(1, 0.0), alpha * factors.get(0, 0.0) + beta
        if near(slope, 1 / 6) and near(offset, 0.5) and factors.keys() <= {0, 1}:
            expected = {product(argument.x, node.outputs[0]): 1.0}
            yield from _results(graph, node, argument, expected, "HardSwish", {})


@pattern("Clip", gives="HardSwish")
def hard_swish_with_clip(graph: Rewriter, node: Node) -> Iterator[Match]:
    """x clip(x + 3, 0, 6) / 6, and the same with other units inside of the clip."""
    low, high = (graph.number(node.input(position)) for position in (1, 2))
    if low != 0.0 or high is None or high <= 0:
        return
    for argument in _arguments(graph, node):
        factors = argument.factors
        if factors.keys() != {0, 1}:
            continue
        if near(factors[1] / high, 1 / 6) and near(factors[0] / high, 0.5):
            expected = {product(argument.x, node.outputs[0]): 1 / high}
            yield from _results(graph, node, argument, expected, "HardSwish", {})


def _arguments(graph: Rewriter, node: Node) -> Iterator[_Argument]:
    """Each x of which the node's first input is a polynomial."""
    for x in below(graph, node.inputs[0], ARITHMETIC):
        region = {node.outputs[0]}
        factors = _factors(polynomial(graph, node.inputs[0], {x}, region), x)
        if factors:
            yield _Argument(x, factors, frozenset(region))


def _factors(terms: Polynomial | None, x: str) -> dict[int, float]:
    """The factor of each power of x; none if there is something else, or a root."""
    factors = {}
    for monomial, factor in (terms or {}).items():
        powers = dict(monomial)
        power = powers.pop(x, 0.0)
        if powers or not power.is_integer():
            return {}
        factors[int(power)] = factor
    return factors


def _results(
    graph: Rewriter,
    node: Node,
    argument: _Argument,
    expected: Mapping[Monomial, float],
    operator: str,
    attributes: Mapping[str, Any],
) -> Iterator[Match]:
    """The operator on x, wherever the expected polynomial over x and the function is computed."""
    x, function = argument.x, node.outputs[0]
    for y in above(graph, function, ARITHMETIC):
        region = set(argument.region)
        # What broadcasts x to more axes is no activation of it.
        if graph.rank(x) != graph.rank(y) or graph.rank(x) == -1:
            continue
        if close(polynomial(graph, y, {x, function}, region), expected):
            made = Node(operator, (x,), (y,), attributes, y)
            yield Match(frozenset(region), y, (made,))
