"""A quantizer whose int8 files lose what a network knows, for those that must win it back."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from allotrope.shrinking.quantize import QUANTIZERS

COARSE = 80
"""How many of a quantizer's steps are one of the coarse quantizer."""


def coarse(source, calibration, target):
    """ONNX Runtime's quantizer with steps of weights so wide that answers are lost."""
    QUANTIZERS["onnxruntime"](source, calibration, target)
    model = onnx.load(target)
    arrays = {array.name: array for array in model.graph.initializer}
    for node in model.graph.node:
        integers = arrays.get(node.input[0])
        if node.op_type == "DequantizeLinear" and integers is not None:
            whole = numpy_helper.to_array(integers)
            if whole.dtype == np.int8:
                steps = numpy_helper.to_array(arrays[node.input[1]])
                few = np.rint(whole / COARSE).astype(np.int8)
                integers.CopyFrom(numpy_helper.from_array(few, node.input[0]))
                wide = (steps * COARSE).astype(np.float32)
                arrays[node.input[1]].CopyFrom(numpy_helper.from_array(wide, node.input[1]))
    onnx.save(model, target)
