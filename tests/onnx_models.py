"""Small ONNX models made by hand, and ONNX Runtime to run them."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def node(operator, inputs, outputs, **attributes):
    """One node; `inputs` and `outputs` are names with blanks between."""
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


def nodes(*lines):
    """Nodes without attributes, each written as `Add a b -> c`."""
    made = []
    for line in lines:
        before, after = line.split(" -> ")
        operator, *inputs = before.split()
        made.append(helper.make_node(operator, inputs, after.split()))
    return made


def tensor(name, dtype=TensorProto.FLOAT, shape=("n", 3)):
    """What goes in or out."""
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs=None, outputs=None, arrays=None, opset=21, ir_version=10, **more):
    """A model whose input is x: [n, 3] and whose output is y, unless said otherwise.

    `arrays` become initializers.
    """
    initializers = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()
    ]
    outputs = [tensor("y", shape=None)] if outputs is None else outputs
    graph = helper.make_graph(
        nodes, "g", [tensor("x")] if inputs is None else inputs, outputs, initializers
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version, **more
    )


def of_one(made, shape, arrays=None, opset=17, results=None):
    """A model of one node whose input is x."""
    return model([made], [tensor("x", shape=shape)], results, arrays or {}, opset, 8)


def drawn_from(random, *shape):
    """Normally distributed float32 numbers, the next of the stream."""
    return random.standard_normal(shape).astype(np.float32)


def ints(*values):
    """Whole numbers as ONNX takes shapes and axes."""
    return np.array(values, np.int64)


def runtime(source):
    """An ONNX Runtime session on a path or a model, with one thread."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return onnxruntime.InferenceSession(
        source if isinstance(source, str) else source.SerializeToString(), options
    )


def outputs(source, **inputs):
    """What ONNX Runtime computes, in order."""
    return runtime(source).run(None, inputs)
