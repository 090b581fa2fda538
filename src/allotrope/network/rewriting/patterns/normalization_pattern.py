"""Layer normalization by its mean, its variance and the root of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from allotrope.network.graph import Node
from allotrope.network.rewriting.expressions import ARITHMETIC, close, polynomial, product
from allotrope.network.rewriting.patterns.matches import Match, pattern
from allotrope.network.rewriting.patterns.reduced import reduced_axes
from allotrope.network.rewriting.reach import above
from allotrope.network.rewriting.rewriter import Rewriter


@dataclass(frozen=True)
class _Centred:
    """What x is normalized by: its mean over the axes from `axis` on, and variance + epsilon."""

    x: str
    mean: str
    axis: int
    region: frozenset[str]
    inside: str = ""
    """The value under the root: variance + epsilon."""
    epsilon: float = 0.0


@pattern("ReduceMean", gives="LayerNormalization")
def layer_normalization(graph: Rewriter, node: Node) -> Iterator[Match]:
    """(x - mean) / √(variance + epsilon) scale + bias over the last axes (Ba et al. 2016)."""
    x, mean, axis = node.inputs[0], node.outputs[0], _last_axes(graph, node)
    if axis is None:
        return
    # (x - mean)², multiplied out: the square may be written as a product or a power.
    square = {product((x, 2.0)): 1.0, product(x, mean): -2.0, product((mean, 2.0)): 1.0}
    for value in above(graph, mean, ARITHMETIC | {"ReduceMean"}):
        variance = graph.maker(value, "ReduceMean")
        if variance is None or _last_axes(graph, variance) != axis:
            continue
        region = {mean, value}
        if close(polynomial(graph, variance.inputs[0], {x, mean}, region), square):
            yield from _normalized(graph, _Centred(x, mean, axis, frozenset(region)), value)


def _normalized(graph: Rewriter, centred: _Centred, variance: str) -> Iterator[Match]:
    """For each variance + epsilon, what is made of it, the farthest first."""
    for inside in above(graph, variance, ARITHMETIC):
        region = set(centred.region)
        terms = polynomial(graph, inside, {variance}, region)
        epsilon = (terms or {}).get(product(), 0.0)
        if epsilon > 0 and close(terms, {product(variance): 1.0, product(): epsilon}):
            whole = _Centred(
                centred.x, centred.mean, centred.axis, frozenset(region), inside, epsilon
            )
            for y in reversed(above(graph, inside, ARITHMETIC)):
                yield from _scaled_and_shifted(graph, whole, y)


def _scaled_and_shifted(graph: Rewriter, centred: _Centred, y: str) -> Iterator[Match]:
    """y as the normalized x, times an array of the normalized shape, and perhaps another added."""
    x, mean, root = centred.x, centred.mean, (centred.inside, -0.5)
    region = set(centred.region)
    terms = polynomial(graph, y, {x, mean, centred.inside}, region) or {}
    shape = graph.shape(x) or ()
    names = dict.fromkeys(name for monomial in terms for name, _ in monomial)
    arrays = [
        name
        for name in names
        if name in graph.arrays and graph.shape(name) == shape[centred.axis :]
    ]
    attributes = {"axis": centred.axis - len(shape), "epsilon": centred.epsilon}
    for scale in arrays:
        scaled = {product(x, root, scale): 1.0, product(mean, root, scale): -1.0}
        for bias in ("", *arrays):
            shifted = scaled | ({product(bias): 1.0} if bias else {})
            if bias != scale and close(terms, shifted):
                inputs = (x, scale, bias) if bias else (x, scale)
                made = Node("LayerNormalization", inputs, (y,), attributes, y)
                yield Match(frozenset(region), y, (made,))


def _last_axes(graph: Rewriter, node: Node) -> int | None:
    """The first of the axes that a reduction takes, if these are all from it on and stay."""
    axes, rank = reduced_axes(graph, node), graph.rank(node.inputs[0])
    return axes[0] if axes and axes == list(range(axes[0], rank)) else None
