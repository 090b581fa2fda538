"""Products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.shrink.atoms import Axis
from allotrope.shrink.relations import relates
from allotrope.shrink.site import Axes, Site, Whole, valued


@relates("Gemm")
def gemm(site: Site) -> Sequence[Axes]:
    """a: [m, k], b: [k, n], each perhaps transposed; c is broadcast to [m, n]."""
    turned = [int(bool(site.node.attributes.get(name, 0))) for name in ("transA", "transB")]
    rows, columns = site.take(0, turned[0]), site.take(1, 1 - turned[1])
    site.contract(site.take(0, 1 - turned[0]), site.take(1, turned[1]))
    return [(_added(site, rows, 2), _added(site, columns, 1))]


def _added(site: Site, axis: Axis | None, from_end: int) -> Axis | None:
    """An axis of the product with the same one of c."""
    if not site.has(2):
        return axis
    at = 0.0 if axis is not None and axis.at == 0 else None
    if from_end > len(site.inputs[2]) or site.shape(2)[-from_end] == 1:
        # It is repeated, so that it adds the same number where the product is 0.
        is_zero = at == 0 and site.number(2) == 0
        return valued(axis, 0.0 if is_zero else None)
    bias = site.take(2, -from_end)
    if bias is None or bias.at != 0:
        at = None
    return valued(site.unite(axis, bias), at)


@relates("MatMul")
def matrix_product(site: Site) -> Sequence[Axes]:
    """a: [..., m, k], b: [..., k, n]; what stands in front is aligned from the last on."""
    left, right = len(site.inputs[0]), len(site.inputs[1])
    site.contract(site.take(0, -1), site.take(1, max(right - 2, 0)))
    in_front = max(left, right) - 2
    axes = [_batch(site, axis) for axis in range(in_front + 2, 2, -1)]
    if left > 1:
        axes.append(site.passed(site.take(0, -2)))
    if right > 1:
        axes.append(site.passed(site.take(1, -1)))
    return [tuple(axes)]


def _batch(site: Site, from_end: int) -> Axis | None:
    """An axis along which matrices are multiplied one by one: 0 if either factor is."""
    present = [p for p in (0, 1) if len(site.inputs[p]) >= from_end]
    wide = [p for p in present if site.shape(p)[-from_end] != 1] or present
    taken = [site.take(p, -from_end) for p in wide]
    at = 0.0 if any(axis is not None and axis.at == 0 for axis in taken) else None
    return site.unite(*taken, at=at)


@relates("Einsum")
def einsum(site: Site) -> Sequence[Axes]:
    """A letter is one axis wherever it stands; those that are summed must add 0."""
    terms, made = _terms(site)
    axes = {}
    for letter in dict.fromkeys("".join(terms)):
        places = [(position, term.find(letter)) for position, term in enumerate(terms)]
        taken = [site.take(position, number) for position, number in places if number >= 0]
        if letter not in made:
            site.contract(*taken)
            continue
        at = 0.0 if any(axis is not None and axis.at == 0 for axis in taken) else None
        axes[letter] = site.unite(*taken, at=at)
    return [tuple(axes[letter] for letter in made)]


def _terms(site: Site) -> tuple[list[str], str]:
    """The letters of each input, and those of the output."""
    equation = site.node.attributes["equation"].replace(" ", "")
    if "..." in equation:
        raise Whole("its equation leaves axes out")
    inputs, arrow, made = equation.partition("->")
    if not arrow:
        once = [letter for letter in set(inputs) - {","} if inputs.count(letter) == 1]
        made = "".join(sorted(once))
    terms = inputs.split(",")
    if any(len(set(term)) < len(term) for term in terms):
        raise Whole("its equation takes a diagonal")
    return terms, made
