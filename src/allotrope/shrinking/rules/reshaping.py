"""Reshape and Flatten: places become runs of places, and runs become places."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.network.graph import Dimension, Node
from allotrope.network.rewriting.lookup import Lookup
from allotrope.shrinking.atoms import Axis
from allotrope.shrinking.cut import Cut, follows
from allotrope.shrinking.junction import Axes, Junction, Whole
from allotrope.shrinking.relations import relates

_UNKNOWN = -1
_SAME = 1_000_121
_PRIMES = (1_000_003, 1_000_033, 1_000_037, 1_000_039, 1_000_081, 1_000_099, 1_000_117)
"""They stand for free lengths, so that products tell what belongs together."""


@dataclass(frozen=True, slots=True)
class SameElements:
    """Neighbouring axes that hold the same elements before and after."""

    before: range
    after: range


@relates("Flatten", "Reshape")
def reshape(junction: Junction) -> Sequence[Axes]:
    """Block by block."""
    before, after = _lengths(*_copied(junction))
    if junction.node.operator == "Reshape" and target_of(junction.lookup, junction.node) is None:
        raise Whole("its target is computed")
    made: list[Axis | None] = [None] * len(after)
    for block in blocks(before, after):
        for axis, atoms in _through(junction, block, before, after):
            made[axis] = atoms
    return [tuple(made)]


def _copied(junction: Junction) -> tuple[list[Dimension], list[Dimension]]:
    """The lengths before and after; one that the target copies has a name, if it is not known."""
    before, after = list(junction.shape()), list(junction.made())
    target = None
    if junction.node.operator == "Reshape":
        target = junction.lookup.arrays.get(junction.node.inputs[1])
    if target is not None and not junction.node.attributes.get("allowzero", 0):
        for axis, entry in enumerate(target.tolist()):
            if entry == 0 and before[axis] is None:
                before[axis] = after[axis] = f"copied {axis}"
    return before, after


def _lengths(
    before: Sequence[Dimension], after: Sequence[Dimension]
) -> tuple[list[int], list[int]]:
    """Numbers for all lengths; one that is not known follows from the others."""
    names = sorted({length for length in (*before, *after) if isinstance(length, str)})
    if len(names) > len(_PRIMES):
        raise Whole("it has too many free lengths")
    numbers = dict(zip(names, _PRIMES, strict=False))
    first, second = (
        [_UNKNOWN if length is None else numbers.get(str(length), length) for length in shape]
        for shape in (before, after)
    )
    lengths = [[int(length) for length in shape] for shape in (first, second)]
    rests = [math.prod(length for length in each if length != _UNKNOWN) for each in lengths]
    if rests[0] == rests[1] and [each.count(_UNKNOWN) for each in lengths] == [1, 1]:
        # One is not known on each side, and all others are as many: so it is the same.
        lengths = [[_SAME if n == _UNKNOWN else n for n in each] for each in lengths]
    for one, other in (lengths, lengths[::-1]):
        if one.count(_UNKNOWN) == 1 and _UNKNOWN not in other:
            rest = -math.prod(one)
            one[one.index(_UNKNOWN)] = math.prod(other) // max(rest, 1)
    if min(*lengths[0], *lengths[1], 1) < 1 or math.prod(lengths[0]) != math.prod(lengths[1]):
        raise Whole("the lengths before and after are not known")
    return lengths[0], lengths[1]


def blocks(before: Sequence[int], after: Sequence[int]) -> Iterator[SameElements]:
    """The smallest blocks of axes, before [2, 6] and after [2, 3, 2]: 2 to 2 and 6 to 3, 2."""
    i = j = 0
    while i < len(before) and j < len(after):
        first, start = i, j
        left, right = before[i], after[j]
        i, j = i + 1, j + 1
        while left != right:
            if left < right:
                left, i = left * before[i], i + 1
            else:
                right, j = right * after[j], j + 1
        yield SameElements(range(first, i), range(start, j))
    # What is left over has length one.


def _through(
    junction: Junction, block: SameElements, before: Sequence[int], after: Sequence[int]
) -> Iterator[tuple[int, Axis]]:
    """The axis behind the block that carries the atoms of the axis in front that does."""
    ahead = [axis for axis in block.before if junction.inputs[0][axis] is not None]
    ahead = [axis for axis in ahead if before[axis] > 1] or ahead[:1]
    free = [axis for axis in ahead if not _is_frozen(junction, axis)]
    behind = [axis for axis in block.after if after[axis] > 1] or list(block.after)[:1]
    has_free_length = any(before[axis] >= _PRIMES[0] for axis in block.before)
    if not ahead or not behind or (has_free_length and len(block.before) > 1):
        return
    carrier = (free or ahead)[0]
    axis = junction.take(0, carrier)
    assert axis is not None
    elements = _elements(axis, carrier, block, before)
    chosen = behind[0]
    if len(behind) > 1:
        lengths = [after[number] for number in behind]
        chosen = behind[_parted(junction, elements.reshape(lengths), block)]
        elements = np.moveaxis(elements.reshape(lengths), behind.index(chosen), 0)
        elements = elements.reshape(after[chosen], -1)
        junction.atoms.unite(elements[:, :1], elements)
        elements = elements[:, 0]
    yield chosen, Axis(elements.reshape(-1), axis.at)


def _is_frozen(junction: Junction, number: int) -> bool:
    axis = junction.inputs[0][number]
    return axis is None or bool(junction.atoms.frozen(axis.atoms).all())


def _elements(axis: Axis, carrier: int, block: SameElements, before: Sequence[int]) -> np.ndarray:
    """The atom of each element of the block, in a row."""
    lengths = [before[number] for number in block.before]
    shape = [1] * len(lengths)
    shape[carrier - block.before.start] = len(axis)
    return np.broadcast_to(axis.atoms.reshape(shape), lengths).reshape(-1)


def _parted(junction: Junction, elements: np.ndarray, block: SameElements) -> int:
    """Which of several axes is to be cut, when one is parted into them.

    The one whose places are united already; else the one that a shuffle of channels moves in
    front, the heads if queries, keys and values stand before them, or the first.
    """
    roots = junction.atoms.roots(elements)
    for number in range(roots.ndim):
        rows = np.moveaxis(roots, number, 0).reshape(roots.shape[number], -1)
        if (rows == rows[:, :1]).all():
            return number
    number = int(roots.ndim > 2 and roots.shape[0] <= 3)
    if roots.ndim == 2 and _is_shuffled(junction, block):
        number = 1
    # If that turned out to be frozen throughout, the next one is tried.
    number = (number + junction.turned) % roots.ndim
    junction.parted = Axis(elements)
    return number


def _is_shuffled(junction: Junction, block: SameElements) -> bool:
    """Whether the two axes change places and become one again."""
    turned = junction.lookup.only_user(junction.node.outputs[0])
    if turned is None or turned.operator != "Transpose":
        return False
    joined = junction.lookup.only_user(turned.outputs[0])
    order = list(turned.attributes.get("perm", ()))
    first, second = block.after[0], block.after[-1]
    swapped = first in order and order[order.index(first) - 1] == second
    return swapped and joined is not None and joined.operator in ("Reshape", "Flatten")


def target_of(lookup: Lookup, node: Node) -> list[int] | None:
    """The target of a Reshape as a constant, whatever it is now; None if none can be written.

    0 stands for a length that stays in its place, -1 for one at the most.
    """
    array = lookup.arrays.get(node.inputs[1])
    if array is not None:
        return [int(entry) for entry in array]
    before, after = lookup.shape(node.inputs[0]), lookup.shape(node.outputs[0])
    if before is None or after is None:
        return None
    entries = []
    for axis, length in enumerate(after):
        if isinstance(length, int):
            entries.append(length)
        elif length is not None and axis < len(before) and before[axis] == length:
            entries.append(0)
        else:
            entries.append(-1)
    return entries if entries.count(-1) <= 1 else None


@follows("Reshape")
def to_target(cut: Cut, index: int, node: Node) -> Node:
    """The lengths after the cut."""
    lookup, masks = cut.relations.lookup, cut.made(index)
    after = lookup.shape(node.outputs[0]) or ()
    entries = target_of(lookup, node)
    if entries is None:
        # Then nothing that it takes, or whose length it looks at, is cut.
        return node
    ahead = cut.masks(index)
    for axis, mask in enumerate(masks):
        copied = entries[axis] == 0 and axis < len(ahead)
        if mask is not None and entries[axis] != -1:
            entries[axis] = int(mask.sum())
        elif mask is None and copied and ahead[axis] is not None:
            entries[axis] = int(str(after[axis]))
    return cut.with_constant(node, 1, np.array(entries, np.int64))
