"""What a value is in terms of others, as a polynomial: many ways to write it become one.

`0.5 * x * (1 + erf(x / 1.414))` may be written with its factors in any order, the numbers
multiplied or divided, the sum expanded: over the atoms `x` and `e`, the output of Erf, it is 0.5 x
+ 0.5 x e in every case.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from functools import reduce

from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.reach import MOST_INPUTS

Monomial = frozenset[tuple[str, float]]
"""A product of atoms: names with their exponents."""

Polynomial = dict[Monomial, float]
"""A sum: each product with its factor."""

ARITHMETIC = frozenset(
    {"Add", "Div", "Identity", "Mul", "Neg", "Pow", "Reciprocal", "Sqrt", "Sub", "Sum"}
)
"""What polynomials are looked for through."""

_MOST_NODES, _MOST_TERMS, _HIGHEST = 48, 16, 4
_SMALLEST = 1e-30
TOLERANCE = 2e-4
"""How far the numbers of a file may be from those of the formula, relative: as far as half
precision rounds them."""


def product(*factors: str | tuple[str, float]) -> Monomial:
    """A product of atoms, each a name or (name, exponent)."""
    return frozenset((factor, 1.0) if isinstance(factor, str) else factor for factor in factors)


def close(terms: Polynomial | None, expected: Mapping[Monomial, float]) -> bool:
    """Whether the two are the same but for rounding."""
    if terms is None or terms.keys() != expected.keys():
        return False
    return all(near(terms[key], expected[key]) for key in expected)


def near(number: float, expected: float) -> bool:
    """Whether two numbers are the same but for rounding."""
    return math.isclose(number, expected, rel_tol=TOLERANCE)


def polynomial(
    graph: Lookup, name: str, atoms: Container[str], region: set[str]
) -> Polynomial | None:
    """The value over `atoms` and the arrays that are no numbers; None if it is something else.

    The values that are computed on the way are added to `region`.
    """
    return _Reader(graph, atoms, region).read(name)


class _Reader:
    def __init__(self, graph: Lookup, atoms: Container[str], region: set[str]) -> None:
        self.graph, self.atoms, self.region = graph, atoms, region
        self.left = _MOST_NODES

    def read(self, name: str) -> Polynomial | None:
        number = self.graph.number(name)
        if name in self.atoms or (number is None and name in self.graph.arrays):
            return {product(name): 1.0}
        if number is not None:
            return {product(): number} if number else {}
        node = self.graph.maker(name, *ARITHMETIC)
        self.left -= 1
        if node is None or self.left < 0 or len(node.inputs) > MOST_INPUTS:
            return None
        parts = []
        for operand in node.inputs:
            terms = self.read(operand)
            if terms is None:
                return None
            parts.append(terms)
        self.region.add(name)
        result = _combined(node.operator, parts)
        return None if result is None or len(result) > _MOST_TERMS else result


def _combined(operator: str, parts: list[Polynomial]) -> Polynomial | None:
    """The operator applied to polynomials; None where the result is no polynomial."""
    match operator:
        case "Identity":
            return parts[0]
        case "Neg":
            return _scaled(parts[0], -1)
        case "Add" | "Sum":
            return reduce(_sum, parts)
        case "Sub":
            return _sum(parts[0], _scaled(parts[1], -1))
        case "Mul":
            return _product(*parts)
        case "Div":
            inverse = _power(parts[1], -1.0)
            return None if inverse is None else _product(parts[0], inverse)
        case "Reciprocal":
            return _power(parts[0], -1.0)
        case "Sqrt":
            return _power(parts[0], 0.5)
    exponent = parts[1] if parts[1].keys() <= {product()} else None
    return None if exponent is None else _power(parts[0], exponent.get(product(), 0.0))


def _scaled(terms: Polynomial, factor: float) -> Polynomial:
    return {key: value * factor for key, value in terms.items()}


def _sum(one: Polynomial, other: Polynomial) -> Polynomial:
    total = {key: one.get(key, 0.0) + other.get(key, 0.0) for key in one.keys() | other.keys()}
    return {key: value for key, value in total.items() if value}


def _product(one: Polynomial, other: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for (a, factor), (b, other_factor) in (
        (left, right) for left in one.items() for right in other.items()
    ):
        total = _sum(total, {_joined(a, b): factor * other_factor})
    return total


def _joined(a: Monomial, b: Monomial) -> Monomial:
    exponents, more = dict(a), dict(b)
    total = {
        name: exponents.get(name, 0.0) + more.get(name, 0.0)
        for name in exponents.keys() | more.keys()
    }
    return frozenset((name, exponent) for name, exponent in total.items() if exponent)


def _power(terms: Polynomial, exponent: float) -> Polynomial | None:
    """A whole power of any sum.

    Any other power of one product only, of which the root must be safe to take.
    """
    if not abs(exponent) <= _HIGHEST:
        return None
    if exponent.is_integer() and exponent >= 0:
        return reduce(_product, [terms] * int(exponent), {product(): 1.0})
    if len(terms) != 1:
        return None
    ((key, factor),) = terms.items()
    unsafe = factor < 0 or any(
        power % 2 != 1 for _, power in key
    )  # the root of a square is not what was squared
    if not _SMALLEST < abs(factor) < 1 / _SMALLEST or (unsafe and not exponent.is_integer()):
        return None
    return {frozenset((name, power * exponent) for name, power in key): factor**exponent}
