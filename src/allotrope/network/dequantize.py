"""The float network that a quantized one stands for, so that it can be trained further.

Every integer value that is followed here has a float value beside it that it stands for. Nodes that only serve the integers
are left without a user at the end, and go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from allotrope.network.ends import without_unused
from allotrope.network.graph import UNKNOWN, Graph, Node
from allotrope.network.grid import Grid, is_integer
from allotrope.network.names import free_name, listed, names_in
from allotrope.network.order import used
from allotrope.network.shapes import infer_shapes
from allotrope.network.values import bounds_of

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
"""Operators that give numbers of their inputs as they are, and which inputs (None: all): done to integers or to what they stand for."""

_FARTHEST = 8
"""How many such operators may be between an array and the node that says what it stands for."""


ROUNDING = frozenset({"ConvInteger", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear"})
"""Operators that round activations, or compute with rounded ones."""


def dequantized(graph: Graph, report: Callable[[str], None]) -> Graph:
    """The float network that a quantized one stands for: its weights as float arrays, its activations not rounded but limited.

    What stands for nothing here, such as integers that are given out, stays as it is.
    """
    if not any(node.operator in ROUNDING | {"DequantizeLinear"} and not node.domain for node in graph.nodes):
        return graph
    work = Dequantizing(graph)
    changed = work.run()
    if changed is graph:
        return graph
    if work.read:
        types = ", ".join(sorted({graph.constants[name].dtype.name for name in work.read}))
        report(
            f"repair: {len(work.read)} arrays of {types} are read as the float numbers that they stand for: {listed(sorted(work.read))}; "
            "--no-repair quantization leaves them"
        )
    gone, clips = (_count(graph, kind) - _count(changed, kind) for kind in (ROUNDING, {"Clip"}))
    if gone:
        report(
            f"repair: {gone} nodes no longer round what they compute, so that there are gradients; "
            f"the limits of their numbers stay, in {-clips} Clip; --no-repair quantization keeps the rounding"
        )
    return changed


def _count(graph: Graph, operators: Iterable[str]) -> int:
    counts = Counter(node.operator for node in graph.nodes if not node.domain)
    return sum(counts[operator] for operator in operators)


@dataclass(frozen=True)
class Product:
    """An int32 product: of x, whose scale is a value of the graph, with an array of whole numbers, perhaps scaled already."""

    node: Node
    x: str
    scale: str
    weight: np.ndarray
    source: str
    scaled: bool = False


@dataclass(frozen=True)
class Factor:
    """The scale of an activation times that of an array."""

    scale: str
    array: np.ndarray


class Dequantizing:
    """A graph on its way from integers to what they stand for."""

    def __init__(self, graph: Graph) -> None:
        """All arrays of the graph are among its constants."""
        self.graph = graph
        self.constants = dict(graph.constants)
        self.taken = names_in(graph)
        self.ends = {value.name for value in graph.outputs}
        self.begins = {value.name for value in graph.inputs}
        self.known = {value.name: value for value in (*graph.values.values(), *graph.inputs, *graph.outputs)}
        self.users: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.users.setdefault(name, []).append(node)
        self.nodes: list[Node] = []
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
        self.gone: set[str] = set()
        """The first outputs of nodes in whose place another value is taken."""

    def run(self) -> Graph:
        """The graph with float values in the place of quantized ones as far as that is possible; itself where nothing is."""
        for node in self.graph.nodes:
            node = replace(node, inputs=tuple(self.renamed.get(name, name) for name in node.inputs))
            self.put(node)
            reader = None if node.domain else READERS.get(node.operator)
            if reader is not None:
                reader(self, node)
            elif not node.domain and node.operator in MOVING:
                self._move(node)
        if not self.renamed:
            return self.graph
        return self._result()

    def put(self, node: Node) -> str:
        """Adds a node; gives its first output."""
        self.nodes.append(node)
        self.makers.update(dict.fromkeys(filter(None, node.outputs), node))
        return node.outputs[0]

    def add(self, operator: str, inputs: Iterable[str], stem: str, attributes: dict[str, object] | None = None) -> str:
        """Adds a node with one new output."""
        name = free_name(stem, self.taken)
        return self.put(Node(operator, tuple(inputs), (name,), attributes or {}, name))

    def array(self, array: np.ndarray, stem: str) -> str:
        """Adds a constant."""
        name = free_name(stem, self.taken)
        self.constants[name] = array
        return name

    def grid(self, scale: str, zero_point: str, axis: int = 1, block: int = 0) -> Hashable | None:
        """The key of the grid that arrays say, or of one that is known only when the graph is run; None where it is neither."""
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
            made = self.array(grid.numbers(integers), f"{name}.float")
            self.weights[made] = name
            return self.floats.setdefault(name, {}).setdefault(key, made)
        node = self.makers.get(name)
        if node is None or node.domain or node.operator not in MOVING or not grid.single or not left:
            return None
        for position in _moved(node):
            if self._stands(node.inputs[position], key) is None and self._array(node.inputs[position], key, left - 1) is None:
                return None
        self._move(node)
        return self.floats.get(name, {}).get(key)

    def _stands(self, name: str, key: Hashable) -> str | None:
        return self.floats.get(name, {}).get(key)

    def _move(self, node: Node) -> None:
        """The same operator on what its inputs stand for, on each grid with one scale that they have in common."""
        positions = _moved(node)
        keys = list(self.floats.get(node.inputs[positions[0]], {})) if positions and node.inputs else []
        for key in keys:
            grid = self.grids.get(key)
            floats = [self.stands_for(node.inputs[position], key) for position in positions]
            if None in floats or (grid is not None and not grid.single):
                continue
            inputs = list(node.inputs)
            for position, name in zip(positions, floats, strict=True):
                inputs[position] = str(name)
            if node.operator == "Pad" and len(inputs) < 3 and grid is not None:
                inputs.append(self.array(grid.numbers(np.zeros((), np.int8)), f"{node.outputs[0]}.padding"))
            outputs = tuple(free_name(f"{name}.float", self.taken) if name else "" for name in node.outputs)
            self.put(replace(node, inputs=tuple(inputs), outputs=outputs, name=outputs[0]))
            for old, new in zip(node.outputs, outputs, strict=True):
                self.floats.setdefault(old, {})[key] = new

    def limit(self, x: str, key: Hashable, dtype: np.dtype, end: bool = False) -> str:
        """x within the numbers of a grid: a limit may be all that is left of an activation, such as Relu.

        `end`: x is an input or an output of the network, whose limits are only what was seen when ranges were taken.
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
        numbers = [("" if side is None else self.array(np.asarray(side, grid.scale.dtype), f"{x}.limit")) for side in sides]
        return self.add("Clip", (x, *numbers) if numbers[1] else (x, numbers[0]), f"{x}.limited")

    def dtype(self, zero_point: str, value: str = "") -> np.dtype:
        """The type of a quantized value: its zero point's."""
        if zero_point in self.constants:
            return self.constants[zero_point].dtype
        known = self.known.get(value)
        return known.dtype if known is not None and known.dtype != UNKNOWN else np.dtype(np.uint8)

    def says(self, name: str, key: Hashable, stands_for: str) -> None:
        """Enters what an integer value stands for."""
        self.floats.setdefault(name, {})[key] = stands_for

    def replaced(self, name: str, by: str) -> None:
        """Everything after takes another value in the place of `name`."""
        self.nodes = [node for node in self.nodes if node.outputs != (name,)]
        self.renamed[name] = by
        if name in self.ends | self.inside:
            self.put(Node("Identity", (by,), (name,), {}, name))

    @property
    def read(self) -> set[str]:
        """The arrays of integers that were read as what they stand for."""
        return set(self.weights.values())

    def _result(self) -> Graph:
        changed = replace(self.graph, nodes=tuple(self.nodes), constants=self.constants)
        return infer_shapes(self._named(without_unused(changed, set(self.ends))), {})

    def _named(self, graph: Graph) -> Graph:
        """New arrays take the name of the integers that they were, without the quantizer's ending; outputs name what they are."""
        names, taken = dict[str, str](), names_in(graph)
        for new, old in self.weights.items():
            wanted = old.removesuffix("_quantized") or old
            if new in graph.constants and wanted not in taken:
                names[new] = wanted
                taken.add(wanted)
        made = {name for node in graph.nodes for name in node.outputs} - self.ends - self.inside
        for end in self.ends & self.renamed.keys():
            if self.renamed[end] in made and self.renamed[end] not in names:
                names[self.renamed[end]] = end
        nodes = (_with_names(node, names) for node in graph.nodes)
        constants = {names.get(name, name): array for name, array in graph.constants.items()}
        return replace(graph, nodes=tuple(node for node in nodes if node.inputs != node.outputs), constants=constants)


def _with_names(node: Node, names: dict[str, str]) -> Node:
    inputs, outputs = (tuple(names.get(name, name) for name in part) for part in (node.inputs, node.outputs))
    return replace(node, inputs=inputs, outputs=outputs)


def _moved(node: Node) -> list[int]:
    """The inputs whose numbers the node gives on."""
    positions = MOVING[node.operator]
    return [i for i, name in enumerate(node.inputs) if name and (positions is None or i in positions)]


Reader = Callable[[Dequantizing, Node], None]
READERS: dict[str, Reader] = {}
"""What operators with integers stand for, by their names."""


def reader(*operators: str) -> Callable[[Reader], Reader]:
    """Register what reads these operators."""

    def register(function: Reader) -> Reader:
        READERS.update(dict.fromkeys(operators, function))
        return function

    return register


def input_of(node: Node, position: int) -> str:
    """An input; empty where it is left out."""
    return node.inputs[position] if position < len(node.inputs) else ""


@reader("QuantizeLinear")
def _quantize(graph: Dequantizing, node: Node) -> None:
    x, scale, zero_point = node.inputs[0], node.inputs[1], input_of(node, 2)
    key = graph.grid(scale, zero_point, node.attributes.get("axis", 1), node.attributes.get("block_size", 0))
    if key is None:
        return
    if x in graph.constants:
        graph.says(node.outputs[0], key, x)
        return
    end = x in graph.begins or _only_an_end(graph, node)
    graph.says(node.outputs[0], key, graph.limit(x, key, graph.dtype(zero_point, node.outputs[0]), end))


def _only_an_end(graph: Dequantizing, node: Node) -> bool:
    """Whether what is quantized is only given out, and is no Relu whose place the quantizer took."""
    users = graph.users.get(node.outputs[0], [])
    return bool(users) and all(user.operator == "DequantizeLinear" and user.outputs[0] in graph.ends for user in users)


@reader("DynamicQuantizeLinear")
def _quantize_dynamically(graph: Dequantizing, node: Node) -> None:
    if len(node.outputs) == 3:
        graph.says(node.outputs[0], ("run", node.outputs[1], node.outputs[2]), node.inputs[0])
        graph.run_scales.add(node.outputs[1])


@reader("DequantizeLinear")
def _dequantize(graph: Dequantizing, node: Node) -> None:
    key = graph.grid(node.inputs[1], input_of(node, 2), node.attributes.get("axis", 1), node.attributes.get("block_size", 0))
    stands_for = graph.stands_for(node.inputs[0], key)
    if stands_for is not None and not node.attributes.get("output_dtype"):
        graph.replaced(node.outputs[0], stands_for)


@reader("QLinearConv")
def _convolve(graph: Dequantizing, node: Node) -> None:
    x, w, y = node.inputs[:3], node.inputs[3:6], node.inputs[6:8]
    keys = graph.grid(*x[1:]), graph.grid(*w[1:], axis=0), graph.grid(*y)
    inputs = [graph.stands_for(x[0], keys[0]), graph.stands_for(w[0], keys[1])]
    bias = input_of(node, 8)
    if bias and keys[0] in graph.grids and keys[1] in graph.grids:
        inputs.append(_bias(graph, bias, graph.grids[keys[0]], graph.grids[keys[1]]))
    if None not in (*inputs, keys[2]) and len(inputs) == 2 + bool(bias):
        made = graph.add("Conv", map(str, inputs), f"{node.outputs[0]}.float", dict(node.attributes))
        graph.says(node.outputs[0], keys[2], graph.limit(made, keys[2], graph.dtype(y[1])))


def _bias(graph: Dequantizing, name: str, x: Grid, weight: Grid) -> str | None:
    """An int32 bias in units of both scales."""
    scale = x.scale.reshape(-1) * weight.scale.reshape(-1)
    key = Grid(scale if scale.size > 1 else scale.reshape(()), np.zeros((), np.int32), 0).key
    graph.grids.setdefault(key, Grid(scale if scale.size > 1 else scale.reshape(()), np.zeros((), np.int32), 0))
    return graph.stands_for(name, key)


@reader("QLinearMatMul")
def _multiply(graph: Dequantizing, node: Node) -> None:
    a, b, y = node.inputs[:3], node.inputs[3:6], node.inputs[6:8]
    keys = graph.grid(*a[1:], axis=-2), graph.grid(*b[1:], axis=-1), graph.grid(*y)
    inputs = [graph.stands_for(a[0], keys[0]), graph.stands_for(b[0], keys[1])]
    if None not in (*inputs, keys[2]):
        made = graph.add("MatMul", map(str, inputs), f"{node.outputs[0]}.float")
        graph.says(node.outputs[0], keys[2], graph.limit(made, keys[2], graph.dtype(y[1])))


# --- int32 products that are scaled afterwards, as dynamic quantization writes them


@reader("MatMulInteger", "ConvInteger")
def _product(graph: Dequantizing, node: Node) -> None:
    x, weight = node.inputs[:2]
    x_zero, w_zero = input_of(node, 2), input_of(node, 3)
    array, zero = graph.constants.get(weight), graph.constants.get(w_zero) if w_zero else np.zeros((), np.int8)
    scales = [key for key in graph.floats.get(x, {}) if isinstance(key, tuple) and key[0] == "run" and key[2] == x_zero]
    axis = -1 if node.operator == "MatMulInteger" else 0
    if array is None or zero is None or len(scales) != 1 or not is_integer(array.dtype):
        return
    grid = Grid(np.ones(zero.shape, np.float32), zero, axis)
    if grid.fits(array.shape):
        graph.products[node.outputs[0]] = Product(node, graph.floats[x][scales[0]], scales[0][1], grid.numbers(array), weight)


@reader("Cast")
def _cast(graph: Dequantizing, node: Node) -> None:
    if node.inputs[0] in graph.products:
        graph.products[node.outputs[0]] = graph.products[node.inputs[0]]


@reader("Mul")
def _scale(graph: Dequantizing, node: Node) -> None:
    for one, other in (node.inputs, node.inputs[::-1]):
        product, factor, array = graph.products.get(one), graph.factors.get(other), graph.constants.get(other)
        if product is not None and factor is not None and factor.scale == product.scale and not product.scaled:
            _scaled(graph, node, product, factor.array)
        elif product is not None and other == product.scale:
            graph.products[node.outputs[0]] = replace(product, scaled=True)
        elif product is not None and product.scaled and array is not None:
            _scaled(graph, node, product, array)
        elif array is not None and one in graph.run_scales:
            graph.factors[node.outputs[0]] = Factor(one, array)


def _scaled(graph: Dequantizing, node: Node, product: Product, scale: np.ndarray) -> None:
    """The float product in the place of the scaled one."""
    weight = product.weight
    channels = weight.shape[-1] if product.node.operator == "MatMulInteger" else weight.shape[0]
    if scale.size not in (1, channels):
        return
    column = scale.reshape(-1) if product.node.operator == "MatMulInteger" else scale.reshape(-1, *[1] * (weight.ndim - 1))
    name = graph.array((weight * column).astype(scale.dtype), f"{product.source}.float")
    graph.weights[name] = product.source
    operator = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}[product.node.operator]
    made = graph.add(operator, (product.x, name), f"{node.outputs[0]}.float", dict(product.node.attributes))
    graph.replaced(node.outputs[0], made)
