"""Follows the examples of a batch through a graph, node by node, and writes it for any number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.network.draft import Draft
from allotrope.network.graph import Node
from allotrope.network.names import names_in
from allotrope.network.network import Network
from allotrope.network.rewriting.batch.known import Known
from allotrope.network.rewriting.batch.placement import Lengths, Mixes, Placement
from allotrope.network.used import used

Placements = Placement | Sequence[Placement | None]
Rule = Callable[["Following", Node], tuple[Node, Placements]]
"""Gives the node, changed as far as it must be, and where the examples are in its outputs."""

RULES: dict[str, Rule] = {}


def rule(*operators: str) -> Callable[[Rule], Rule]:
    """Enters a rule for operators."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(operators, function))
        return function

    return register


class Following(Draft):
    """What is known of each value of a network whose batch becomes free.

    Values that no example goes into stay as they were for the batch of the file, so that all that
    was computed from its length stays true; where one of them must have a row for each example,
    the rule asks for it.
    """

    def __init__(
        self,
        network: Network,
        batch: int,
        inputs: Mapping[str, Placement],
        known: Known,
        choices: Sequence[int] = (),
    ) -> None:
        """Begin in front of the first node.

        `inputs` says where the examples are in those that hold some, `choices` which of several
        readings is taken at each place where there are some.
        """
        super().__init__(names_in(network.graph) | network.weights.keys())
        self.batch, self.known = batch, replace(known, lengths=dict(known.lengths))
        self.placements = dict(inputs)
        self.changed: list[str] = []
        self.readings: list[int] = []
        self._choices = choices
        self._made: dict[tuple[object, ...], str] = {}
        self._spread_from: dict[str, str] = {}

    # --- what is known

    def place(self, name: str) -> Placement | None:
        """Where the examples are in a value; None if it has none."""
        return self.placements.get(name)

    def lengths(self, name: str) -> Lengths:
        """The lengths of a value in the freed network, for the batch of the file.

        Raises: Mixes if they are not known.
        """
        baked, place = self.baked(name), self.place(name)
        return (self.batch, *baked) if place is not None and place.front else baked

    def baked(self, name: str) -> Lengths:
        """The lengths that the value has in the file. Raises: Mixes if they are not known."""
        lengths = self.known.lengths.get(name)
        if lengths is None:
            raise Mixes(f"the shape of '{name}' is not known beforehand")
        return lengths

    def array(self, name: str) -> np.ndarray | None:
        """What no example goes into, where it is known; weights are not."""
        return self.known.arrays.get(name, self.constants.get(name))

    def fixed(self, node: Node, position: int) -> np.ndarray | None:
        """An input that steers; None if it is left out. Raises: Mixes if it is not known."""
        name = node.input(position)
        if not name:
            return None
        array = self.array(name)
        if array is None or name in self.known.varying:
            raise Mixes(f"'{name}' is not known beforehand")
        return array

    def axis(self, node: Node, default: int, position: int = 0) -> int:
        """The node's axis, counted from the front."""
        rank = len(self.lengths(node.inputs[position]))
        axis = int(node.attributes.get("axis", default))
        if not -rank <= axis < rank:
            raise Mixes(f"there is no axis {axis}")
        return axis % rank

    def choose(self, candidates: Sequence[Placement]) -> Placement:
        """One of several readings. Raises: Mixes if there is none."""
        if not candidates:
            raise Mixes("its target splits the examples")
        index = len(self.readings)
        self.readings.append(len(candidates))
        return candidates[
            min(self._choices[index] if index < len(self._choices) else 0, len(candidates) - 1)
        ]

    def begins_with_zero(self, name: str) -> bool:
        """Whether the first number of each row of a value is 0: if it is joined so, or is known."""
        array = self.array(name)
        if array is not None:
            return not array[..., 0].any()
        maker = next((node for node in self.nodes if name in node.outputs), None)
        rank = len(self.lengths(name))
        if (
            maker is None
            or maker.operator != "Concat"
            or maker.attributes["axis"] % rank != rank - 1
        ):
            return False
        first = self._spread_from.get(maker.inputs[0], maker.inputs[0])
        zeros = self.array(first)
        return zeros is not None and not zeros.any()

    # --- what is written

    def emit(
        self,
        operator: str,
        inputs: Sequence[str],
        hint: str,
        place: Placement | None,
        lengths: Lengths,
        **attributes: object,
    ) -> str:
        """A new node before the next; the name of its output."""
        name = self.add(operator, inputs, hint, attributes)
        self.known.lengths[name] = lengths
        if place is not None:
            self.placements[name] = place
        return name

    def count(self) -> str:
        """The name of the number of examples, int64 [1]."""
        if ("count",) not in self._made:
            name, place = next(iter(self.placements.items()))
            counted = self.emit(
                "Shape",
                [name],
                f"{name}/examples",
                None,
                (1,),
                start=place.axis,
                end=place.axis + 1,
            )
            # It stands in front of all others, so that whoever needs it later can take it.
            self.nodes.insert(0, self.nodes.pop())
            self._made[("count",)] = counted
        return self._made[("count",)]

    def vector(self, rank: int, axis: int) -> str:
        """The name of [1, .., number of examples, .., 1]."""
        key = ("vector", rank, axis)
        if key not in self._made:
            ones = [
                self.constant("ones", np.ones(count, np.int64)) if count else ""
                for count in (axis, rank - axis - 1)
            ]
            parts = [name for name in (ones[0], self.count(), ones[1]) if name]
            self._made[key] = (
                self.emit("Concat", parts, f"{self.count()}/of_{rank}", None, (rank,), axis=0)
                if len(parts) > 1
                else parts[0]
            )
        return self._made[key]

    def spread(self, name: str, place: Placement) -> str:
        """The name of a value without examples repeated for each of them, placed as `place` says.

        Raises: Mixes if it has several rows that need not be the same for all examples.
        """
        lengths = self.lengths(name)
        rows = lengths[place.axis]
        alike = rows == 1 or (self.batch == 1 and rows == place.inner)
        if place.outer != 1 or not alike:
            raise Mixes(f"'{name}' has {rows} rows where the examples are")
        key = ("spread", name, place)
        if key not in self._made:
            # Expand copies nothing, but makes many of one only; several rows are repeated in turn.
            operator = "Expand" if rows == place.inner == 1 else "Tile"
            inputs = [name, self.vector(len(lengths), place.axis)]
            shape = place.freed(lengths, rows, rows * self.batch)
            self._made[key] = self.emit(operator, inputs, f"{name}/for_each", place, shape)
            if operator == "Tile" and rows != place.inner:
                raise Mixes(f"'{name}' has one row where each example has {place.inner}")
        self._spread_from[self._made[key]] = name
        return self._made[key]

    # --- a node

    def follow(self, node: Node) -> None:
        """Writes the node. Raises: Mixes with what keeps examples from staying apart."""
        batched = [name for name in used(node) if name in self.placements]
        if not batched or node.operator in ("Shape", "Size"):
            self._without_examples(node, bool(batched))
            return
        how = RULES.get(node.operator)
        if node.domain or how is None or next(node.subgraphs, None) is not None:
            raise Mixes("there is no rule for how this operator treats a batch")
        in_front = any(self.placements[name].front for name in batched)
        written, places = how(self, behind_front(self, node) if in_front else node)
        self.nodes.append(written)
        if written != node:
            self.changed.append(f"{node.operator} {node.label}")
        listed = [places] * len(node.outputs) if isinstance(places, Placement) else places
        for name, place in zip(node.outputs, listed, strict=False):
            if name and place is not None:
                self.placements[name] = self._in_front(node, name, place) if in_front else place

    def _in_front(self, node: Node, name: str, place: Placement) -> Placement:
        """The placement of what was made of a value whose examples have no axis in the file."""
        if node.operator in RESHAPING:
            return place
        rank = len(self.baked(name)) + 1
        if node.operator in ALIGNED:
            rank = max(len(self.lengths(one)) for one in node.inputs if one)
        if rank == len(self.baked(name)):
            return place
        # In the file the axis is gone; here it is in front of all others, so nowhere else.
        if place.axis != 0:
            raise Mixes("the axis of the examples, which the file has not, is lost")
        return replace(place, front=True)

    def _without_examples(self, node: Node, counts: bool) -> None:
        """A node that no example goes into; numbers that are known already need none.

        Lengths that it counts stay those of the file's batch.
        """
        # Chains of Shape, Gather and Concat end in one number, which is written where it is used.
        if all(self._is_number(name) for name in node.outputs if name):
            return
        if counts and self.placements[node.inputs[0]].axis in self._counted_axes(node):
            node = self._counting_the_files_batch(node)
        self.nodes.append(node)

    def _is_number(self, name: str) -> bool:
        """Whether a value is known, and so small or plain that a constant says it better."""
        array = None if name in self.known.varying else self.known.arrays.get(name)
        return array is not None and (array.dtype.kind in "iub" or array.size <= _NUMBERS)

    def _counted_axes(self, node: Node) -> range:
        rank = len(self.lengths(node.inputs[0]))
        if node.operator == "Size":
            return range(rank)
        return range(
            *slice(node.attributes.get("start", 0), node.attributes.get("end")).indices(rank)
        )

    def _counting_the_files_batch(self, node: Node) -> Node:
        """A Shape that gives the batch of the file whatever the number of examples is.

        Raises: Mixes if that needs more.
        """
        place, axes = self.placements[node.inputs[0]], self._counted_axes(node)
        if node.operator == "Size" or place.front or not place.plain:
            raise Mixes("it counts the examples together with another free length")
        batch = self.constant(f"{node.outputs[0]}/batch", np.array([self.batch]))
        names = []
        for start, end in ((axes.start, place.axis), (place.axis + 1, axes.stop)):
            if start < end:
                counted = self.emit(
                    "Shape",
                    node.inputs,
                    f"{node.outputs[0]}/lengths",
                    None,
                    (end - start,),
                    start=start,
                    end=end,
                )
                names.append(counted)
            if end == place.axis:
                names.append(batch)
        return Node("Concat", tuple(names), node.outputs, {"axis": 0}, node.name)


_NUMBERS = 16
"""Elements of an array of floats that is written as a constant in the place of its computation."""

RESHAPING = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
"""Their rules say themselves whether the examples come in front."""

ALIGNED: set[str] = {"MatMul"}
"""Operators whose inputs' axes are aligned from behind; elementwise ones are entered by rules."""

_BY_AXIS = {"ArgMax": 0, "ArgMin": 0, "Concat": 0, "Gather": 0, "Split": 0}
"""Operators whose axis counts from the front if nothing is said; of the others it is the last."""

_BY_AXES = {"Slice": 3, "Pad": 3}
"""Which input holds the axes, where it is not the second."""

BY_LAST_AXIS = frozenset(
    {
        "Hardmax",
        "LayerNormalization",
        "LogSoftmax",
        "LpNormalization",
        "RMSNormalization",
        "Softmax",
        "TopK",
    }
)


def behind_front(f: Following, node: Node) -> Node:
    """The node for an input that has one axis more, in front, than it has in the file.

    Raises: Mixes if it is not known how.
    """
    if node.operator in RESHAPING | ALIGNED:
        return node
    if node.operator in _BY_AXIS or node.operator in BY_LAST_AXIS:
        axis = int(node.attributes.get("axis", _BY_AXIS.get(node.operator, -1)))
        return replace(node, attributes={**node.attributes, "axis": axis + (axis >= 0)})
    if node.operator == "Transpose" and "perm" in node.attributes:
        return replace(
            node, attributes={"perm": (0, *(axis + 1 for axis in node.attributes["perm"]))}
        )
    position = _BY_AXES.get(node.operator, 1 if node.operator.startswith("Reduce") else -1)
    axes = f.fixed(node, position) if position > 0 else None
    if axes is None:
        raise Mixes("the batch was squeezed away before it")
    moved = f.constant(
        f"{node.inputs[position]}/behind_examples", np.where(axes >= 0, axes + 1, axes)
    )
    return node.with_input(position, moved)
