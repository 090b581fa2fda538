"""What the quantizers and the optimizer of ONNX Runtime write has all weights of the float file."""

from __future__ import annotations

import json
import logging

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

import allotrope
from allotrope.shrinking.quantize import QUANTIZERS
from allotrope.shrinking.stripped import strip
from onnx_models import model, node, tensor
from quantized_parts import IMAGE, PIXELS, ROWS, W8, bytes_, drawn, number
from repaired import F, of
from tested import TESTED


class Calibration(CalibrationDataReader):
    def __init__(self):
        self.batches = iter([{"x": PIXELS}, {"x": PIXELS[::-1] * 0.5}])

    def get_next(self):
        return next(self.batches, None)


@pytest.fixture(scope="module")
def floats(tmp_path_factory):
    nodes = [
        node("Conv", "x w1 b1", "c1", name="c1", pads=[1, 1, 1, 1]),
        node("Relu", "c1", "r1", name="r1"),
        node("MaxPool", "r1", "p", name="p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", "p w2 b2", "c2", name="c2", pads=[1, 1, 1, 1]),
        node("Clip", "c2 low high", "r2", name="r2"),
        node("Add", "p r2", "s", name="s"),
        node("Concat", "s r2", "cc", name="cc", axis=1),
        node("LeakyRelu", "cc", "l", name="l"),
        node("GlobalAveragePool", "l", "g", name="g"),
        node("Flatten", "g", "f", name="f"),
        node("Gemm", "f w3 b3", "z", name="z", transB=1),
        node("MatMul", "z w4", "y", name="y"),
    ]
    arrays = {
        "w1": drawn(8, 3, 3, 3),
        "b1": drawn(8),
        "w2": drawn(8, 8, 3, 3),
        "b2": drawn(8),
        "low": number(0),
        "high": number(6),
        "w3": drawn(5, 16),
        "b3": drawn(5),
        "w4": drawn(5, 4),
    }
    path = tmp_path_factory.mktemp("quantized") / "floats.onnx"
    onnx.save(
        model(nodes, IMAGE, [tensor("y", shape=["n", 4])], arrays, opset=17, ir_version=8), path
    )
    return path


def static(source, target, **options):
    logging.disable(logging.WARNING)
    quantize_static(
        str(source),
        str(target),
        Calibration(),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        **options,
    )


WRITERS = {
    "QDQ": lambda source, target: static(source, target, quant_format=QuantFormat.QDQ),
    "QDQ by channels": lambda source, target: static(
        source, target, quant_format=QuantFormat.QDQ, per_channel=True
    ),
    "QOperator": lambda source, target: static(source, target, quant_format=QuantFormat.QOperator),
    "dynamic": lambda source, target: quantize_dynamic(
        str(source), str(target), op_types_to_quantize=["Conv", "MatMul", "Gemm"]
    ),
}
LEVELS = ["none", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_quantizers_write_has_all_weights_of_the_float_file(floats, tmp_path, writer, level):
    if (writer, level) == ("dynamic", "ORT_ENABLE_ALL"):
        pytest.skip(
            "its float layers are laid out for the processor; tested in test_foreign_operators.py"
        )
    quantized, target = tmp_path / "q.onnx", tmp_path / "optimized.onnx"
    WRITERS[writer](floats, quantized)
    if level == "none":
        target = quantized
    else:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        options.optimized_model_filepath, options.log_severity_level = str(target), 4
        onnxruntime.InferenceSession(str(quantized), options)
    network, plain = allotrope.load(target), allotrope.load(floats)
    sizes = [sorted(net.weights[name].size for name in net.trainable) for net in (network, plain)]
    assert sizes[0] == sizes[1]
    assert not any(one.domain or "uantize" in one.operator for one in network.graph.nodes)
    y, expected = network.run({"x": PIXELS})["y"], plain.run({"x": PIXELS})["y"]
    np.testing.assert_allclose(y, expected, atol=0.05 * np.abs(expected).max())
    step = network.gradients({"x": PIXELS}, {"y": np.ones_like(y)}, TESTED[0])
    assert all(np.abs(step[name]).max() > 0 for name in network.trainable)


def test_names_are_those_before_the_quantizer(floats, tmp_path):
    static(floats, tmp_path / "q.onnx", quant_format=QuantFormat.QDQ)
    assert {"w1", "w2", "b1", "b2", "w3", "b3", "w4"} == allotrope.load(
        tmp_path / "q.onnx"
    ).trainable


def test_weights_that_our_own_file_named_are_found_again(floats, tmp_path):
    """A file of ours says which arrays are weights by their names before NNCF renamed them."""
    made = model(
        [node("DequantizeLinear", "q_output_w_1 s", "w_dq"), node("MatMul", "x w_dq", "y")],
        ROWS,
        arrays={"q_output_w_1": bytes_(6, 2), "s": number(0.1)},
    )
    helper.set_model_props(made, {"allotrope.weights": '{"trainable": ["w"], "state": []}'})
    assert allotrope.load(made).trainable == {"w"}
    helper.set_model_props(made, {"allotrope.weights": '{"trainable": ["other"], "state": []}'})
    assert allotrope.load(made).trainable == {"w"}


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_all_weights_learn_of_what_we_quantize_and_strip(floats, tmp_path, quantizer, stripped):
    """Words on weights were of the float file: integers are judged by what they are for."""
    made = onnx.load(floats)
    trainable = sorted(allotrope.load(floats).trainable)
    record = {"trainable": trainable, "state": []}
    helper.set_model_props(made, {"allotrope.weights": json.dumps(record)})
    source, target = tmp_path / "floats.onnx", tmp_path / "int8.onnx"
    onnx.save(made, source)
    QUANTIZERS[quantizer](source, {"x": PIXELS}, target)
    if stripped:
        strip(target, target)
    read, plain = allotrope.load(target), allotrope.load(floats)
    sizes = [sorted(net.weights[name].size for name in net.trainable) for net in (read, plain)]
    assert sizes[0] == sizes[1]


def test_the_reader_of_tests_sees_what_is_in_a_file():
    """The arrays of `of` are those of the file, so that the tests above compare what they say."""
    made = of([node("MatMul", "x w", "y")], {"w": W8.astype(F)}, ROWS)
    assert (numpy_helper.to_array(made.graph.initializer[0]) == W8).all()
