"""Attention by its two products and the softmax between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from allotrope.network.graph import Node
from allotrope.network.rewriting.expressions import ARITHMETIC, close, polynomial, product
from allotrope.network.rewriting.patterns.matches import Match, pattern
from allotrope.network.rewriting.reach import below
from allotrope.network.rewriting.rewriter import Rewriter


@dataclass
class _Scores:
    """What softmax is taken of: q kᵀ times a factor, plus a mask if there is one."""

    query: str
    keys: str
    factor: float
    mask: str
    region: set[str]
    """The values from q, k and the mask on."""


@pattern("Softmax", gives="Attention")
def attention(graph: Rewriter, node: Node) -> Iterator[Match]:
    """softmax(q kᵀ scale + mask) v over heads, [n, h, q, d] (Vaswani et al. 2017)."""
    if node.attributes.get("axis", -1) not in (-1, 3) or graph.rank(node.inputs[0]) != 4:
        return
    weighted = graph.only_user(node.outputs[0])
    if weighted is None or weighted.operator != "MatMul":
        return
    value, output = weighted.inputs[1], weighted.outputs[0]
    if value == node.outputs[0]:
        return
    scores = _scores(graph, node.inputs[0])
    if scores is None:
        return
    # Exporters scale q and k each by the root of the scale: what both are scaled by is one number.
    query = _unscaled(graph, scores, scores.query)
    keys = _unscaled(graph, scores, scores.keys)
    transposed = graph.maker(keys, "Transpose")
    if transposed is None:
        return
    permutation: tuple[int, ...] = transposed.attributes.get("perm", ())
    if len(permutation) != 4:
        return
    if scores.factor <= 0 or not _same_heads(graph, query, keys, value):
        return
    region = scores.region | {node.outputs[0], output, keys}
    source, nodes = transposed.inputs[0], list[Node]()
    # Attention takes the keys as they are [n, h, k, d]: the last two axes are swapped back.
    back = (*permutation[:2], permutation[3], permutation[2])
    if back == (0, 1, 2, 3):
        source = _unscaled(graph, scores, source)
        region |= scores.region
    else:
        name = graph.fresh(f"{output}/keys")
        nodes.append(Node("Transpose", (source,), (name,), {"perm": back}, name))
        source = name
    inputs = [query, source, value, scores.mask] if scores.mask else [query, source, value]
    nodes.append(Node("Attention", tuple(inputs), (output,), {"scale": scores.factor}, output))
    yield Match(frozenset(region), output, tuple(nodes))


def _scores(graph: Rewriter, name: str) -> _Scores | None:
    """The product and the mask that a value is the weighted sum of."""
    reached = below(graph, name, ARITHMETIC)
    sums = [node for value in reached if (node := graph.maker(value, "Add")) is not None]
    arrays = [name for node in sums for name in node.inputs if name in graph.arrays]
    for scores in reached:
        matmul = graph.maker(scores, "MatMul")
        for mask in ("", *reached, *arrays) if matmul is not None else ():
            region = {scores}
            terms = polynomial(graph, name, {scores, mask}, region)
            factor = (terms or {}).get(product(scores), 0.0)
            expected = {product(scores): factor} | ({product(mask): 1.0} if mask else {})
            if matmul is None or not close(terms, expected):
                continue
            if not mask or (mask != scores and _spans_keys(graph, mask, scores)):
                return _Scores(matmul.inputs[0], matmul.inputs[1], factor, mask, region)
    return None


def _spans_keys(graph: Rewriter, mask: str, scores: str) -> bool:
    """Whether a mask has a number for each query or for all, and for each key."""
    mask_lengths, lengths = (graph.shape(name) or (None,) for name in (mask, scores))
    alike = mask_lengths[-1:] == lengths[-1:] and None not in mask_lengths[-1:]
    return alike and graph.rank(mask) >= 2


def _unscaled(graph: Rewriter, scores: _Scores, name: str) -> str:
    """What `name` is a multiple of; the scores have the factor then, and what is on the way."""
    for source in reversed(below(graph, name, ARITHMETIC)):
        region = set[str]()
        terms = polynomial(graph, name, {source}, region)
        if terms and terms.keys() == {product(source)}:
            scores.region |= region
            scores.factor *= terms[product(source)]
            return source
    return name


def _same_heads(graph: Rewriter, *names: str) -> bool:
    """Whether queries, keys and values are [n, h, ...] of the same n and h."""
    shapes = [graph.shape(name) or () for name in names]
    first = shapes[0][:2]
    return all(len(shape) == 4 and shape[1] is not None and shape[:2] == first for shape in shapes)
