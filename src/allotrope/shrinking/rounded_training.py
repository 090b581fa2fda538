"""Quantization in training: a network learns with the rounding that its int8 file will have.

A quantizer says where numbers are rounded, and with which steps. Its file is read as a network
whose weights are floats that are rounded each time they are used, and whose steps learn beside
them; `integer_weights` makes the file of it again, with other integers and steps.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import allotrope.operators.meanings  # noqa: F401 - fills the table
from allotrope.config import Repair
from allotrope.errors import UnsupportedError
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.graph import Node
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.network.rewriting.batchnorm import with_still_batchnorm
from allotrope.network.rewriting.quantized.rounding_pairs import DOMAIN, OPERATOR, SAME
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.operators.operator_table import OPERATORS

Arrays = Mapping[str, np.ndarray]
Quantizer = Callable[[Path, Arrays, Path], None]

WEIGHT_END, BIAS_END, STEP_END = ".weight", ".bias", ".step"
"""What weights are called behind the names of the arrays that they stand for."""
BIAS = np.dtype(np.int32)
"""Biases are integers of this type: none of them is beyond its ends."""


def rounded(network: Network, calibration: Arrays, quantizer: Quantizer) -> Network:
    """The network with the rounding of a quantizer's file; its weights and steps learn.

    It computes what the file does. `calibration` are raw inputs by name. A BatchNormalization that
    the file still has keeps its statistics as they are, and learns no more: the steps were chosen
    for what it gives.

    Raises: UnsupportedError if nothing is rounded to integers.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        network.save(source)
        quantizer(source, calibration, target)
        quantized = load(target, repair=Repair.none())
    rewriter = Rewriter(quantized.graph, quantized.weights)
    steps = _let_learn(rewriter)
    if not steps:
        raise UnsupportedError(
            f"network '{network.graph.name}' has nothing that the quantizer rounds to integers."
        )
    learning = rewriter.applied_to(quantized)
    still = _scales_and_shifts(learning)
    learned_before = network.trainable & learning.weights.keys()
    trainable = (rewriter.trainable | learned_before) & learning.weights.keys()
    return learning.changed(trainable=frozenset(trainable - still))


def held_still(network: Network) -> Network:
    """What trains of a network that `rounded` made, which is to the bit what its file computes.

    Each BatchNormalization is as in inference, and biases are rounded as the file will have them.
    """
    still = with_still_batchnorm(network, _scales_and_shifts(network))
    rewriter = Rewriter(still.graph, still.weights)
    for node in list(rewriter.nodes()):
        steps = _steps_of_sum(rewriter, node)
        if steps is not None:
            _round_bias(rewriter, node, *steps)
    return rewriter.applied_to(still)


def steps_of(network: Network) -> frozenset[str]:
    """The weights that are steps of a rounding."""
    nodes = [node for node in network.graph.nodes if node.operator == "QuantizeLinear"]
    return frozenset(network.weights.keys() & {node.inputs[1] for node in nodes})


def integer_weights(network: Network) -> Network:
    """The network with every rounded weight as integers, and its steps as constants: the file.

    Raises: UnsupportedError for steps that are not above 0, which no runtime takes.
    """
    wrong = sorted(name for name in steps_of(network) if not (network.weights[name] > 0).all())
    if wrong:
        raise UnsupportedError(
            f"network '{network.graph.name}' has learned steps of 0 or less: "
            f"{', '.join(wrong[:20])}. Train it at a lower --learning-rate."
        )
    rewriter = Rewriter(network.graph, network.weights)
    _store_steps(rewriter, steps_of(network))
    for node in list(rewriter.nodes()):
        if node.operator == "DequantizeLinear":
            _store_integers(rewriter, node)
    for node in list(rewriter.nodes()):
        steps = _steps_of_sum(rewriter, node)
        if steps is not None:
            _store_bias(rewriter, node, *steps)
    return rewriter.applied_to(network)


def _scales_and_shifts(network: Network) -> frozenset[str]:
    nodes = [node for node in network.graph.nodes if node.operator == "BatchNormalization"]
    return frozenset(node.input(at) for node in nodes for at in (1, 2))


def _let_learn(rewriter: Rewriter) -> frozenset[str]:
    """Makes weights of integers and of steps; the weights that are steps."""
    steps: dict[str, str] = {}
    for node in list(rewriter.nodes()):
        if node.operator == "DequantizeLinear":
            before = rewriter.maker(node.inputs[0], "QuantizeLinear")
            if before is not None:
                _with_step(rewriter, before, steps)
                _with_step(rewriter, node, steps)
            elif node.inputs[0] in rewriter.arrays:
                _let_weight_learn(rewriter, node, steps)
    return frozenset(steps.values())


def _with_step(rewriter: Rewriter, node: Node, steps: dict[str, str]) -> None:
    """The node takes its step as a weight; steps that are computed stay."""
    scale = node.inputs[1]
    if scale in rewriter.arrays and scale not in steps.values():
        rewriter.replace(node.outputs, [node.with_input(1, _step(rewriter, scale, steps))])


def _step(rewriter: Rewriter, scale: str, steps: dict[str, str]) -> str:
    """The weight that learns in the place of an array of steps."""
    if scale not in steps:
        steps[scale] = rewriter.weight(f"{scale}{STEP_END}", rewriter.arrays[scale])
    return steps[scale]


def _let_weight_learn(rewriter: Rewriter, node: Node, steps: dict[str, str]) -> None:
    """The float numbers that integers stand for, rounded anew by a node in front."""
    name, scale, *zero = node.inputs
    integers = rewriter.arrays[name]
    numbers = _computed(node, [rewriter.arrays[each] for each in node.inputs])
    if integers.dtype == BIAS:
        bias = rewriter.weight(f"{name}{BIAS_END}", numbers)
        for user in list(rewriter.users(node.outputs[0])):
            rewriter.replace(user.outputs, [_taking(user, node.outputs[0], bias)])
        return
    weight, step = rewriter.weight(f"{name}{WEIGHT_END}", numbers), _step(rewriter, scale, steps)
    whole = rewriter.fresh(f"{name}.rounded")
    attributes = {key: node.attributes[key] for key in SAME if key in node.attributes}
    rounding = Node("QuantizeLinear", (weight, step, *zero), (whole,), attributes, whole)
    rewriter.replace(node.outputs, [rounding, replace(node, inputs=(whole, step, *zero))])


def _taking(user: Node, before: str, after: str) -> Node:
    """The node with another value in the place of one that it takes."""
    return replace(user, inputs=tuple(after if name == before else name for name in user.inputs))


def _store_steps(rewriter: Rewriter, steps: frozenset[str]) -> None:
    """Steps are constants again, under names that are free."""
    constants: dict[str, str] = {}
    for node in list(rewriter.nodes()):
        if node.operator in ("QuantizeLinear", "DequantizeLinear") and node.inputs[1] in steps:
            step = node.inputs[1]
            if step not in constants:
                stem = step.removesuffix(STEP_END)
                constants[step] = rewriter.constant(stem, rewriter.arrays[step])
            rewriter.replace(node.outputs, [node.with_input(1, constants[step])])


def _store_integers(rewriter: Rewriter, node: Node) -> None:
    """What a weight is rounded to stands in its place."""
    rounding = rewriter.maker(node.inputs[0], "QuantizeLinear")
    if rounding is None or not rounding.inputs[0].endswith(WEIGHT_END):
        return
    integers = _computed(rounding, [rewriter.arrays[name] for name in rounding.inputs])
    name = rewriter.constant(rounding.inputs[0].removesuffix(WEIGHT_END), integers)
    rewriter.replace(node.outputs, [node.with_input(0, name)])


def _steps_of_sum(rewriter: Rewriter, node: Node) -> tuple[str, str] | None:
    """The steps of what a layer with a bias of its own multiplies; None if it does not round it.

    Their product is the step in which it adds up, and so that of its bias.
    """
    if node.operator not in ("Conv", "Gemm") or not node.input(2).endswith(BIAS_END):
        return None
    x, weight = (rewriter.maker(name, "DequantizeLinear") for name in node.inputs[:2])
    return None if x is None or weight is None else (x.inputs[1], weight.inputs[1])


def _round_bias(rewriter: Rewriter, node: Node, x_step: str, weight_step: str) -> None:
    """The bias to multiples of the product, which learns with the two."""
    bias = node.inputs[2]
    step, back = rewriter.fresh(f"{bias}.step"), rewriter.fresh(f"{bias}.rounded")
    limits = np.iinfo(BIAS)
    attributes = {"axis": 0, "low": int(limits.min), "high": int(limits.max)}
    product = Node("Mul", (x_step, weight_step), (step,), {}, step)
    rounding = Node(OPERATOR, (bias, step), (back,), attributes, back, DOMAIN)
    rewriter.replace(node.outputs, [product, rounding, node.with_input(2, back)])


def _store_bias(rewriter: Rewriter, node: Node, x_step: str, weight_step: str) -> None:
    """In integers of the step in which the layer adds up, as kernels for integers take it."""
    bias = rewriter.arrays[node.inputs[2]]
    product = rewriter.arrays[x_step] * rewriter.arrays[weight_step]
    step = np.broadcast_to(product, bias.shape).astype(np.float32)
    limits = np.iinfo(BIAS)
    # In float32, as it trained: of many steps a quotient in float64 may be another whole number.
    whole = np.clip(np.rint(bias / step).astype(np.float64), limits.min, limits.max)
    stem = node.inputs[2].removesuffix(BIAS_END)
    arrays = {"": whole.astype(BIAS), ".scale": step, ".zero_point": np.zeros(bias.shape, BIAS)}
    names = [rewriter.constant(f"{stem}{end}", array) for end, array in arrays.items()]
    back = rewriter.fresh(f"{stem}.numbers")
    number = Node("DequantizeLinear", tuple(names), (back,), {"axis": 0}, back)
    rewriter.replace(node.outputs, [number, node.with_input(2, back)])


def _computed(node: Node, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """What the node makes of arrays."""
    function = OPERATORS[node.operator].function
    return np.asarray(function(ReferencePrimitives(), *arrays, **node.attributes))
