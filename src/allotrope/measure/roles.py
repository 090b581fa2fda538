"""What an input of a network is for: a mask, lengths, indices, positions, a flag.

By where it goes, its dtype and its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.inputs.guessed import FOUR_AXES
from allotrope.measure.uses import Use, Uses
from allotrope.network.graph import Value
from allotrope.network.network import Network

INDEXED = {"Gather": 1, "GatherElements": 1, "ScatterElements": 1, "GatherND": 1, "ScatterND": 1}
"""Operators that take whole numbers as places of their first input, and where they take them."""

LENGTHS = {"LSTM": 4, "GRU": 4, "RNN": 4, "ReverseSequence": 1}
"""Operators that take the lengths of sequences, and where."""

SIZES = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Loop": (0,),
    "NonMaxSuppression": (2,),
    "Range": (0, 1, 2),
    "Tile": (1,),
    "TopK": (1,),
}
"""Operators that take a number of elements or of times, and where."""

LARGE = 1e3
"""A mask is multiplied by more than this, for that attention forgets what it hides."""

STEPS = 1000
"""Of how many steps diffusion models know the noise (Ho et al. 2020)."""


@dataclass(frozen=True)
class Role:
    """What an input is taken for, the kind of its random values, and what says so.

    `others` are values with which the network may compute in another way, as in another branch.
    """

    what: str
    kind: str
    because: str
    others: tuple[str, ...] = ()


def roles(network: Network, lengths: Mapping[str, int]) -> dict[str, Role]:
    """For each input that is not just numbers: what it is for.

    `lengths` are of the free dimensions by name.
    """
    uses = Uses(network, lengths)
    recognized = {value.name: _role(value, uses) for value in network.inputs}
    return {name: role for name, role in recognized.items() if role is not None}


def _role(value: Value, uses: Uses) -> Role | None:
    taken, words = uses.of(value.name), words_of(value.name)
    whole = value.dtype.kind in "iu"
    index = _index(value, taken, words, uses)
    if index is not None:
        return index
    counted = None
    if whole:
        counted = _lengths(value, taken, words, uses)
    if counted is not None:
        return counted
    setting = _setting(value, taken, words, uses)
    if setting is not None:
        return setting
    if value.dtype.kind in "biuf":
        return _mask(value, taken, words, uses) or (_plain(value, taken, words) if whole else None)
    return None


def words_of(name: str) -> frozenset[str]:
    """The words of a name, in lower case: `past_key_values.0.key` has past, key and values."""
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return frozenset(re.findall(r"[a-z]+", parted.lower()))


def _index(value: Value, taken: list[Use], words: frozenset[str], uses: Uses) -> Role | None:
    """An index: no larger than what it is used for allows, and that may be several things."""
    bounds = []
    for use in taken:
        length = _indexed_length(use, uses)
        if length and use.factor > 0:
            bounds.append((math.floor((length - 1 - use.offset) / use.factor), length, use))
    if not bounds:
        return None
    last, length, use = min(bounds, key=lambda bound: bound[0])
    because = f"it goes to {use.operator}, which chooses from {length}"
    along = (uses.shape(value.name) or (1,))[-1] or 1
    if words & {"position", "positions", "pos"} and along <= last + 1:
        return Role("positions", "positions", because)
    first = max(0, math.ceil(-use.offset / use.factor))
    return Role("indices", f"{min(first, max(last, 0))}..{max(last, 0)}", because)


def _indexed_length(use: Use, uses: Uses) -> int | None:
    """How many elements an index chooses from; None if this is no index, or not known."""
    node = use.node
    if use.operator == "OneHot" and use.position == 0:
        depth = uses.number(node.inputs[1])
        if depth is None:
            return None
        return int(depth)
    if use.operator == "Equal":
        # A one-hot code that is spelled out.
        places = _places(use, uses)
        if places is None or places[0] != 0:
            return None
        return places.size
    if use.operator == "RoiAlign" and use.position == 2:
        return (uses.shape(node.inputs[0]) or (None,))[0]
    if INDEXED.get(use.operator) != use.position:
        return None
    shape = uses.shape(node.inputs[0])
    if use.operator.endswith("ND"):
        return min((n for n in shape if n), default=None)
    axis = node.attributes.get("axis", 0)
    if -len(shape) <= axis < len(shape):
        return shape[axis]
    return None


def _lengths(value: Value, taken: list[Use], words: frozenset[str], uses: Uses) -> Role | None:
    """How long sequences are."""
    for use in taken:
        if LENGTHS.get(use.operator) == use.position:
            return _as_long_as(_time(use, uses), f"it goes to {use.operator} as lengths")
        if use.operator == "Attention" and use.position == 6:
            keys = (uses.shape(use.node.inputs[1]) or (None,))[-2]
            return _as_long_as(keys, "it goes to Attention as lengths")
    compared = any(
        use.operator.startswith(("Less", "Greater")) and _is_range(use, uses) for use in taken
    )
    named = bool(words & {"length", "lengths", "len", "lens"})
    rank = len(value.shape or ())
    if rank <= 2 and (compared or (named and rank)):
        because = "its name says so"
        if compared:
            because = "it is compared with places"
        return _as_long_as(_second_axis(value, uses), because)
    return None


def _as_long_as(longest: int | None, because: str) -> Role:
    return Role("lengths of sequences", f"lengths:{longest or 1}", because)


def _time(use: Use, uses: Uses) -> int | None:
    """The length of the axis along which a recurrent layer goes."""
    axis = use.node.attributes.get("time_axis", 0)
    if use.operator != "ReverseSequence" and use.node.attributes.get("layout", 0):
        axis = 1
    shape = uses.shape(use.node.inputs[0])
    if axis < len(shape) and shape[axis]:
        return shape[axis]
    return _second_axis(None, uses)


def _second_axis(value: Value | None, uses: Uses) -> int | None:
    """The shortest second axis of the other inputs: behind the batch, the sequence."""
    shapes = [uses.shape(other.name) for other in uses.network.inputs if other is not value]
    return min((shape[1] for shape in shapes if len(shape) > 1 and shape[1]), default=None)


def _is_range(use: Use, uses: Uses) -> bool:
    """Whether what a node compares with are places: 0, 1, 2, ..."""
    maker = uses.makers.get(_compared(use, uses))
    return _places(use, uses) is not None or (
        maker is not None and maker.operator in ("CumSum", "Range")
    )


def _places(use: Use, uses: Uses) -> np.ndarray | None:
    """The constant that a node compares with, in a row, if it counts up by one; else None."""
    array = uses.constants.get(_compared(use, uses))
    if array is None or array.size < 2 or array.dtype.kind not in "biuf":
        return None
    row = array.reshape(-1)
    if (np.diff(row.astype(np.float64)) == 1).all():
        return row
    return None


def _compared(use: Use, uses: Uses) -> str:
    """What a node compares with, before it was cast or got another shape."""
    name = use.node.inputs[1 - use.position]
    passing = ("Cast", "Expand", "Reshape", "Squeeze", "Unsqueeze")
    while (maker := uses.makers.get(name)) is not None and maker.operator in passing:
        name = maker.inputs[0]
    return name


def _setting(value: Value, taken: list[Use], words: frozenset[str], uses: Uses) -> Role | None:
    """One number that decides how the network computes."""
    for use in taken:
        if use.operator == "Dropout" and use.position in (1, 2):
            ratio = use.position == 1
            what = "whether to train"
            if ratio:
                what = "the ratio of a Dropout"
            return Role(what, "0.5" if ratio else "0", "it goes to Dropout")
        if use.position in SIZES.get(use.operator, ()):
            return Role("a number of elements", "2", f"it goes to {use.operator}")
    if (uses.shape(value.name) or (1,)) != (1,) or len(value.shape or ()) > 1:
        return None
    if value.dtype == np.bool_:
        if words & {"training", "train", "phase"}:
            return Role("a flag", "0", "it is one boolean")
        return Role("a flag", "1", "it is one boolean", ("0",))
    compared = [
        uses.number(use.node.inputs[1 - use.position]) for use in taken if use.operator == "Equal"
    ]
    choices = [number for number in compared if number is not None]
    if value.dtype.kind in "iu" and choices:
        return _choice(sorted(set(choices)))
    return None


def _choice(choices: list[float]) -> Role:
    """The largest of the numbers; the others, and one that is none of them, choose otherwise."""
    *smaller, largest = choices
    none_of_them = next(number for number in range(len(choices) + 1) if number not in choices)
    others = tuple(f"{number:g}" for number in (*smaller, none_of_them))
    return Role("a choice", f"{largest:g}", "it is compared with this number", others)


def _mask(value: Value, taken: list[Use], words: frozenset[str], uses: Uses) -> Role | None:
    """Which elements are to be seen.

    Numbers are a mask by their name and use, integers by either.
    """
    named = any(word.endswith(("mask", "masks")) for word in words)
    because = next((reason for use in taken if (reason := _hides(use, uses))), None)
    hiding = bool(words & {"padding", "pad", "ignore"}) and "attention" not in words
    if value.dtype == np.bool_:
        return Role("a mask", "padding" if hiding else "mask", because or "it is boolean")
    if value.dtype.kind == "f" and not named:
        return None
    if value.dtype.kind == "f" and because is None:
        return Role("a mask that is added", "added-mask", "its name says so")
    if because is None and not named:
        return None
    return Role("a mask", "padding" if hiding else "mask", because or "its name says so")


def _hides(use: Use, uses: Uses) -> str | None:
    """Why a use says that 0 or 1 of an element hides it."""
    if use.operator == "Cast" and use.node.attributes.get("to") == 9:
        return "it becomes boolean"
    if use.operator == "Where" and use.position == 0:
        return "it goes to Where as the condition"
    if use.operator in ("And", "Or", "Not"):
        return f"it goes to {use.operator}"
    if use.operator == "Attention" and use.position == 3 and use.cast == "b":
        return "it goes to Attention as a mask"
    if use.operator == "Sub" and use.position == 1 and uses.number(use.node.inputs[0]) == 1:
        return "it is taken from 1"
    if use.operator == "Mul":
        factor = uses.number(use.node.inputs[1 - use.position])
        if factor is not None and abs(factor) >= LARGE:
            return f"it is multiplied by {factor:.3g}"
    if use.operator in ("Equal", "Greater") and uses.number(use.node.inputs[1 - use.position]) in (
        0,
        1,
    ):
        return f"it goes to {use.operator} with 0 or 1"
    return None


def _plain(value: Value, taken: list[Use], words: frozenset[str]) -> Role | None:
    """Whole numbers that are no index, length or mask."""
    if value.dtype == np.uint8 or any(use.operator == "DequantizeLinear" for use in taken):
        bounds = np.iinfo(value.dtype)
        return Role("whole numbers", f"{bounds.min}..{bounds.max}", f"it is {value.dtype}")
    if words & {"timestep", "timesteps", "timestamp", "timestamps"}:
        return Role("time steps", f"0..{STEPS - 1}", "its name says so")
    if words & {"position", "positions"}:
        return Role("positions", "positions", "its name says so")
    if len(value.shape or ()) == 4:
        return Role(*FOUR_AXES)
    return Role("indices, perhaps", "0..1", "nothing else is known of it")
