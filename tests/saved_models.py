"""Models written as a user would have them, whatever they hold."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save


def saved(path, nodes, inputs, outputs, arrays=None, domains=(), opset=17):
    initializers = [
        numpy_helper.from_array(np.asarray(array), name) for name, array in (arrays or {}).items()
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    imports = [
        helper.make_opsetid("", opset),
        *(helper.make_opsetid(name, version) for name, version in domains),
    ]
    save(helper.make_model(graph, opset_imports=imports, ir_version=9), path)
    return path


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
