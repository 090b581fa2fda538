"""Products of integers that are scaled afterwards, as dynamic quantization writes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from allotrope.network.graph import Node
from allotrope.network.rewriting.quantized.grid import Grid, is_integer
from allotrope.network.rewriting.quantized.integers import Dequantizing, reader
from allotrope.network.rewriting.quantized.scaled import Factor, Product


@reader("MatMulInteger", "ConvInteger")
def _product(graph: Dequantizing, node: Node) -> None:
    x, weight = node.inputs[:2]
    x_zero, w_zero = node.input(2), node.input(3)
    array, zero = (
        graph.constants.get(weight),
        graph.constants.get(w_zero) if w_zero else np.zeros((), np.int8),
    )
    scales = [
        key
        for key in graph.floats.get(x, {})
        if isinstance(key, tuple) and key[0] == "run" and key[2] == x_zero
    ]
    axis = -1 if node.operator == "MatMulInteger" else 0
    if array is None or zero is None or len(scales) != 1 or not is_integer(array.dtype):
        return
    grid = Grid(np.ones(zero.shape, np.float32), zero, axis)
    if grid.fits(array.shape):
        graph.products[node.outputs[0]] = Product(
            node, graph.floats[x][scales[0]], scales[0][1], grid.numbers(array), weight
        )


@reader("Mul")
def _scale(graph: Dequantizing, node: Node) -> None:
    graph.arithmetic(node)
    for one, other in (node.inputs, node.inputs[::-1]):
        product, factor, array = (
            graph.products.get(one),
            graph.factors.get(other),
            graph.constants.get(other),
        )
        if (
            product is not None
            and factor is not None
            and factor.scale == product.scale
            and not product.scaled
        ):
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
    column = (
        scale.reshape(-1)
        if product.node.operator == "MatMulInteger"
        else scale.reshape(-1, *[1] * (weight.ndim - 1))
    )
    name = graph.constant(f"{product.source}.float", (weight * column).astype(scale.dtype))
    graph.weights[name] = product.source
    operator = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}[product.node.operator]
    made = graph.add(
        operator, (product.x, name), f"{node.outputs[0]}.float", dict(product.node.attributes)
    )
    graph.replaced(node.outputs[0], made)
