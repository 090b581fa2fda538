"""Follows integer values through a graph, each with the float value beside it that it stands for.

Nodes that only serve the integers are left without a user at the end, and go.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import replace

import numpy as np

from allotrope.network.draft import Draft
from allotrope.network.graph import UNKNOWN, Graph, Node
from allotrope.network.names import names_in, with_names
from allotrope.network.preprocessing import preprocessing
from allotrope.network.reading.shapes import with_shapes
from allotrope.network.rewriting.lookup import Lookup
from allotrope.network.rewriting.quantized.grid import Grid
from allotrope.network.rewriting.quantized.scaled import Factor, Product
from allotrope.network.rewriting.values import bounds_of
from allotrope.network.used import used, without_unused

MOVING: dict[str, tuple[int, ...] | None] = {
    "Concat": None,
    "DepthToSpace": (0,),
    "Expand": (0,),
    "Flatten": (0,),
    "Gather": (0,),
    "GatherElements": (0,),
    "GatherND": (0,),
    "Identity": (0,),
    "Max": None,
    "MaxPool": (0,),
    "Min": None,
    "Pad": (0, 2),
    "Reshape": (0,),
    "Resize": (0,),
    "Slice": (0,),
    "SpaceToDepth": (0,),
    "Split": (0,),
    "Squeeze": (0,),
    "Tile": (0,),
    "Transpose": (0,),
    "Unsqueeze": (0,),
    "Where": (1, 2),
}
"""Operators that give numbers of their inputs on as they are, and which inputs (None: all).

They may be done to integers or to what these stand for.
"""

QUANTIZERS_NAMES = re.compile(r"^q_output_(.+)_\d+$|^(.+)_quantized$")
"""What NNCF and ONNX Runtime make of the name of an array that they quantize."""

_FARTHEST = 8
"""How many such operators may be between an array and the node that says what it stands for."""


class Dequantizing(Draft):
    """A graph on its way from integers to what they stand for."""

    def __init__(self, graph: Graph, taken: set[str] | None = None) -> None:
        """All arrays of the graph are among its constants; `taken` are names around it."""
        super().__init__(names_in(graph) if taken is None else taken)
        self.graph = graph
        self.before = Lookup(graph)
        self.constants = dict(graph.constants)
        self.outermost = taken is None
        self.changed = False
        """Whether a graph inside is another now."""
        self.ends = {value.name for value in graph.outputs}
        prepared = {name for node in preprocessing(graph) for name in node.outputs}
        self.begins = {value.name for value in graph.inputs} | prepared
        self.makers: dict[str, Node] = {}
        self.renamed: dict[str, str] = {}
        self.floats: dict[str, dict[Hashable, str]] = {}
        """By integer value and grid: the float value that it stands for."""
        self.grids: dict[Hashable, Grid] = {}
        self.products: dict[str, Product] = {}
        self.factors: dict[str, Factor] = {}
        self.weights: dict[str, str] = {}
        """The array of integers that each new float array was."""
        self.run_scales: set[str] = set()
        """Scales that are known only when the graph is run."""
        self.inside = {name for node in graph.nodes if any(node.subgraphs) for name in used(node)}
        """What the graphs inside take, perhaps by its name."""
        self.gone: set[int] = set()
        """Nodes in whose place another value is taken, by their identity."""

    def run(self) -> Graph:
        """The graph with float values in the place of quantized ones; itself if there are none."""
        self.follow()
        if not self.weights and not self.renamed and not self.changed:
            return self.graph
        return with_shapes(self._named(without_unused(self.followed())), {})

    def follow(self) -> None:
        """Goes through the nodes in their order, and through the graphs inside them."""
        for node in self.graph.nodes:
            node = replace(node, inputs=tuple(self.renamed.get(name, name) for name in node.inputs))
            node = self._with_subgraphs(node)
            self.put(node)
            reader = None if node.domain else READERS.get(node.operator)
            if reader is not None:
                reader(self, node)
            elif _moves(node):
                self._move(node)

    def _with_subgraphs(self, node: Node) -> Node:
        def followed(graph: Graph) -> Graph:
            inside = Dequantizing(replace(graph, constants=self.constants), self.taken)
            inside.follow()
            self.constants.update(inside.constants)
            self.weights.update(inside.weights)
            self.changed = self.changed or bool(inside.renamed) or inside.changed
            return replace(without_unused(inside.followed()), constants=graph.constants)

        return node.with_subgraphs(followed)

    def is_array(self, name: str) -> bool:
        """Whether a value of the graph as it was is an array, or what an array stands for."""
        node = self.before.maker(name, "DequantizeLinear")
        if node is not None:
            name = node.inputs[0]
        return name in self.constants

    def put(self, node: Node) -> str:
        """Adds a node; gives its first output."""
        self.makers.update(dict.fromkeys(filter(None, node.outputs), node))
        return super().put(node)

    def grid(self, scale: str, zero_point: str, axis: int = 1, block: int = 0) -> Hashable | None:
        """The key of the grid that arrays say, or of one that is known only when the graph is run.

        None if it is neither.
        """
        if scale not in self.constants:
            return ("run", scale, zero_point)
        numbers = self.constants[scale]
        zero = self.constants.get(zero_point) if zero_point else np.zeros((), np.int8)
        if zero is None or numbers.dtype.kind != "f" or zero.size not in (1, numbers.size):
            return None
        grid = Grid(numbers, zero if zero.size == 1 else zero.reshape(numbers.shape), axis, block)
        self.grids[grid.key] = grid
        return grid.key

    def stands_for(self, name: str, key: Hashable | None) -> str | None:
        """The float value that an integer value stands for on a grid."""
        if key is None:
            return None
        known = self.floats.get(name, {}).get(key)
        return known if known is not None else self._array(name, key, _FARTHEST)

    def _array(self, name: str, key: Hashable, left: int) -> str | None:
        """What an array of integers stands for, and what is made of it by moving its numbers."""
        grid, integers = self.grids.get(key), self.constants.get(name)
        if grid is None:
            return None
        if integers is not None:
            if not grid.fits(integers.shape) or integers.dtype.kind in "fb":
                return None
            made = self.constant(f"{name}.float", grid.numbers(integers))
            self.weights[made] = name
            return self.floats.setdefault(name, {}).setdefault(key, made)
        node = self.makers.get(name)
        if node is None or not _moves(node) or not grid.single or not left:
            return None
        for position in _moved(node):
            moved = node.inputs[position]
            if key not in self.floats.get(moved, {}) and self._array(moved, key, left - 1) is None:
                return None
        self._move(node)
        return self.floats.get(name, {}).get(key)

    def _move(self, node: Node) -> None:
        """The same operator on what its inputs stand for, on each grid with one scale."""
        positions = _moved(node)
        first = node.inputs[positions[0]] if positions else ""
        for key in list(self.floats.get(first, {})):
            grid = self.grids.get(key)
            floats = [self.stands_for(node.inputs[position], key) for position in positions]
            if None in floats or (grid is not None and not grid.single):
                continue
            inputs = list(node.inputs)
            for position, name in zip(positions, floats, strict=True):
                inputs[position] = str(name)
            if node.operator == "Pad" and len(inputs) < 3 and grid is not None:
                padding = grid.numbers(np.zeros((), np.int8))
                inputs.append(self.constant(f"{node.outputs[0]}.padding", padding))
            outputs = tuple(name and self.fresh(f"{name}.float") for name in node.outputs)
            self.put(replace(node, inputs=tuple(inputs), outputs=outputs, name=outputs[0]))
            for old, new in zip(node.outputs, outputs, strict=True):
                self.floats.setdefault(old, {})[key] = new

    def limit(self, x: str, key: Hashable, dtype: np.dtype, end: bool = False) -> str:
        """x within the numbers of a grid: a limit may be all that is left of a Relu or a Clip.

        `end`: x is an input or an output of the network, whose limits are only those of the data
        that was seen when ranges were taken.
        """
        grid = self.grids.get(key)
        if grid is None or end or not grid.single:
            return x
        low, high = grid.bounds(dtype)
        margin = float(grid.scale.reshape(()))
        lowest, highest = bounds_of(x, self.makers, self.constants)
        sides = [low if lowest < low - margin else None, high if highest > high + margin else None]
        if sides == [None, None]:
            return x
        numbers = [
            "" if side is None else self.constant(f"{x}.limit", np.asarray(side, grid.scale.dtype))
            for side in sides
        ]
        return self.add("Clip", (x, *numbers) if numbers[1] else (x, numbers[0]), f"{x}.limited")

    def dtype(self, zero_point: str, value: str = "") -> np.dtype:
        """The type of a quantized value: its zero point's."""
        if zero_point in self.constants:
            return self.constants[zero_point].dtype
        known = self.before.known(value)
        return known.dtype if known is not None and known.dtype != UNKNOWN else np.dtype(np.uint8)

    def says(self, name: str, key: Hashable, stands_for: str) -> None:
        """Enters what an integer value stands for."""
        self.floats.setdefault(name, {})[key] = stands_for

    def replaced(self, name: str, by: str) -> None:
        """Everything after takes another value in the place of `name`."""
        self.gone.add(id(self.makers[name]))
        self.renamed[name] = by
        if name in self.ends | self.inside:
            self.put(Node("Identity", (by,), (name,), {}, name))

    def folded(self, node: Node, array: np.ndarray, source: str) -> None:
        """Puts an array in the place of a node that computes it from arrays of integers."""
        name = self.constant(f"{source}.float", array)
        self.weights[name] = source
        self.replaced(node.outputs[0], name)

    def arithmetic(self, node: Node) -> None:
        """Folds an operator over an array of integers that was cast and another array."""
        one, other = (self.constants.get(name) for name in node.inputs)
        weight = next((name for name in node.inputs if name in self.weights), None)
        if one is None or other is None or weight is None or one.dtype != other.dtype:
            return
        shape = self.constants[weight].shape
        if fits(one.shape, shape) and fits(other.shape, shape):
            compute = {"Div": np.divide, "Mul": np.multiply, "Sub": np.subtract}[node.operator]
            with np.errstate(all="ignore"):
                self.folded(node, np.asarray(compute(one, other)), self.weights[weight])

    @property
    def read(self) -> set[str]:
        """The arrays of integers that were read as what they stand for."""
        return set(self.weights.values())

    def followed(self) -> Graph:
        """The graph as it is now, with nodes that nothing uses any more."""
        nodes = tuple(node for node in self.nodes if id(node) not in self.gone)
        return replace(self.graph, nodes=nodes, constants=self.constants)

    def _named(self, graph: Graph) -> Graph:
        """New arrays take the name of the integers that they were, without the quantizer's ending.

        Outputs give their names to the values that they are.
        """
        names, taken = dict[str, str](), names_in(graph)
        for new, old in self.weights.items():
            wanted = QUANTIZERS_NAMES.sub(r"\1\2", old)
            if new in graph.constants and wanted not in taken:
                names[new] = wanted
                taken.add(wanted)
        fixed = _outputs_inside(graph)
        names = {new: name for new, name in names.items() if new not in fixed}
        made = {name for node in graph.nodes for name in node.outputs} - self.ends - fixed
        for end in self.ends & self.renamed.keys():
            if self.renamed[end] in made and self.renamed[end] not in names:
                names[self.renamed[end]] = end
        nodes = (with_names(node, names) for node in graph.nodes)
        constants = {names.get(name, name): array for name, array in graph.constants.items()}
        return replace(
            graph,
            nodes=tuple(node for node in nodes if node.inputs != node.outputs),
            constants=constants,
        )


def fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether an array of a shape broadcasts to another shape, and not beyond it."""
    ends = zip(reversed(shape), reversed(whole), strict=False)
    return len(shape) <= len(whole) and all(length in (1, other) for length, other in ends)


def _outputs_inside(graph: Graph) -> set[str]:
    """What the graphs inside give by its name."""
    names: set[str] = set()
    for node in graph.nodes:
        for inner in node.subgraphs:
            names |= {value.name for value in inner.outputs} | _outputs_inside(inner)
    return names


def _moves(node: Node) -> bool:
    return node.operator in MOVING and not node.domain


def _moved(node: Node) -> list[int]:
    """The inputs whose numbers the node gives on."""
    wanted = MOVING[node.operator]
    there = (i for i, name in enumerate(node.inputs) if name)
    return [i for i in there if wanted is None or i in wanted]


Reader = Callable[[Dequantizing, Node], None]
READERS: dict[str, Reader] = {}
"""What operators with integers stand for, by their names."""


def reader(*operators: str) -> Callable[[Reader], Reader]:
    """Register what reads these operators."""

    def register(function: Reader) -> Reader:
        READERS.update(dict.fromkeys(operators, function))
        return function

    return register
