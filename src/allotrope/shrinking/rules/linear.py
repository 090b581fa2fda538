"""Products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.junction import Axes, Junction, Whole, valued
from allotrope.shrinking.relations import relates


@relates("Gemm")
def gemm(junction: Junction) -> Sequence[Axes]:
    """a: [m, k], b: [k, n], each perhaps transposed; c is broadcast to [m, n]."""
    turned = [int(bool(junction.node.attributes.get(name, 0))) for name in ("transA", "transB")]
    rows, columns = junction.take(0, turned[0]), junction.take(1, 1 - turned[1])
    junction.contract(junction.take(0, 1 - turned[0]), junction.take(1, turned[1]))
    return [(_added(junction, rows, 2), _added(junction, columns, 1))]


def _added(junction: Junction, axis: Axis | None, from_end: int) -> Axis | None:
    """An axis of the product with the same one of c."""
    if not junction.has(2):
        return axis
    at = 0.0 if axis is not None and axis.at == 0 else None
    if from_end > len(junction.inputs[2]) or junction.shape(2)[-from_end] == 1:
        # It is repeated, so that it adds the same number where the product is 0.
        is_zero = at == 0 and junction.number(2) == 0
        return valued(axis, 0.0 if is_zero else None)
    bias = junction.take(2, -from_end)
    if bias is None or bias.at != 0:
        at = None
    return valued(junction.unite(axis, bias), at)


@relates("MatMul")
def matrix_product(junction: Junction) -> Sequence[Axes]:
    """a: [..., m, k], b: [..., k, n]; what stands in front is aligned from the last on."""
    left, right = len(junction.inputs[0]), len(junction.inputs[1])
    junction.contract(junction.take(0, -1), junction.take(1, max(right - 2, 0)))
    in_front = max(left, right) - 2
    axes = [_batch(junction, axis) for axis in range(in_front + 2, 2, -1)]
    if left > 1:
        axes.append(junction.passed(junction.take(0, -2)))
    if right > 1:
        axes.append(junction.passed(junction.take(1, -1)))
    return [tuple(axes)]


def _batch(junction: Junction, from_end: int) -> Axis | None:
    """An axis along which matrices are multiplied one by one: 0 if either factor is."""
    present = [p for p in (0, 1) if len(junction.inputs[p]) >= from_end]
    wide = [p for p in present if junction.shape(p)[-from_end] != 1] or present
    taken = [junction.take(p, -from_end) for p in wide]
    at = 0.0 if any(axis is not None and axis.at == 0 for axis in taken) else None
    return junction.unite(*taken, at=at)


@relates("Einsum")
def einsum(junction: Junction) -> Sequence[Axes]:
    """A letter is one axis wherever it stands; those that are summed must add 0."""
    terms, made = _terms(junction)
    axes = {}
    for letter in dict.fromkeys("".join(terms)):
        places = [(position, term.find(letter)) for position, term in enumerate(terms)]
        taken = [junction.take(position, number) for position, number in places if number >= 0]
        if letter not in made:
            junction.contract(*taken)
            continue
        at = 0.0 if any(axis is not None and axis.at == 0 for axis in taken) else None
        axes[letter] = junction.unite(*taken, at=at)
    return [tuple(axes[letter] for letter in made)]


def _terms(junction: Junction) -> tuple[list[str], str]:
    """The letters of each input, and those of the output."""
    equation = junction.node.attributes["equation"].replace(" ", "")
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
