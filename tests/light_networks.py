"""The nine networks of the onnx wheel with weights in the place of their constants.

The wheel leaves their weights out: nodes fill each array with one number. With these all channels
are alike, and a softmax at the end gives every class the same whatever is computed before it.
"""

import math
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from onnx_models import outputs, tensor

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
FILES = {path.stem: path for path in sorted(LIGHT.glob("light_*.onnx"))}
SPREAD = 0.1
"""The deviation of biases and means, and that of scales and variances from 1."""
KERNELS = ("Conv", "Gemm")
MOST = 1_000_003
"""So many numbers are drawn for one array and then come again; a prime: no two rows are alike."""


def with_weights(name, seed=0):
    """The model of one of `FILES` with an array for each node that fills one with a constant."""
    model, random = onnx.load(FILES[name]), np.random.default_rng(seed)
    graph = model.graph
    shapes = {array.name: numpy_helper.to_array(array) for array in graph.initializer}
    around_one = _around_one(graph)
    for node in [node for node in graph.node if node.op_type == "ConstantOfShape"]:
        array = _drawn(tuple(shapes[node.input[0]]), node.output[0] in around_one, random)
        graph.initializer.append(numpy_helper.from_array(array, node.output[0]))
        graph.node.remove(node)
    _give_logits_of_deviation_one(model, random)
    return model


def image(model, random):
    """A random image of the size that the model takes, by the name of its input."""
    arrays = {array.name for array in model.graph.initializer}
    (value,) = [value for value in model.graph.input if value.name not in arrays]
    shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
    return {value.name: random.standard_normal(shape).astype(np.float32)}


def kernels(model):
    """The arrays of convolutions and dense layers, some of them reshaped, in the order of nodes."""
    arrays = {array.name: array for array in model.graph.initializer}
    reshaped = {
        node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Reshape"
    }
    names = [node.input[1] for node in model.graph.node if node.op_type in KERNELS]
    return [arrays[name if name in arrays else reshaped[name]] for name in names]


def scale(array, factor):
    """Multiplies an array of a model, or each of its rows by a factor of its own."""
    values = numpy_helper.to_array(array)
    factor = np.asarray(factor, np.float32).reshape(-1, *[1] * (values.ndim - 1))
    array.CopyFrom(numpy_helper.from_array(values * factor, array.name))


def _give_logits_of_deviation_one(model, random):
    """Scales the last kernel by what it computes of a random image.

    What residual networks add up grows with their depth, and a softmax of large numbers gives 1 to
    one class and 0 to all others, whatever is computed before it.
    """
    last = [node for node in model.graph.node if node.op_type in KERNELS][-1]
    model.graph.output.append(tensor(last.output[0], shape=None))
    *_, logits = outputs(model, **image(model, random))
    del model.graph.output[-1]
    scale(kernels(model)[-1], 1 / logits.std())


def _around_one(graph):
    """The arrays that multiply or divide: scales, variances, and factors of channels."""
    unsqueezed = {
        node.output[0]: node.input[0] for node in graph.node if node.op_type == "Unsqueeze"
    }
    names = set()
    for node in graph.node:
        if node.op_type == "BatchNormalization":
            names |= {node.input[1], node.input[4]}
        if node.op_type == "Mul":
            names |= {unsqueezed.get(name, name) for name in node.input}
    return names


def _drawn(shape, around_one, random):
    """Kernels as He et al. 2015 draw them.

    Rows of numbers as `SPREAD` says, none negative near 1.
    """
    count = math.prod(shape)
    values = np.resize(random.standard_normal(min(count, MOST)), shape)
    if len(shape) > 1:
        values *= math.sqrt(2 / math.prod(shape[1:]))
    else:
        values = np.abs(1 + SPREAD * values) if around_one else SPREAD * values
    return values.astype(np.float32)
