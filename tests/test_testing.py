"""A framework as a backend of ONNX's own test suite."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.base import Backend

from allotrope import testing
from allotrope.errors import AllotropeError, UsageError


def model(operator: str, inputs: int, outputs: int = 1) -> onnx.ModelProto:
    """One node over float32 [2, 4]."""
    into = [
        helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, [2, 4]) for i in range(inputs)
    ]
    out = [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, None) for i in range(outputs)]
    attributes = {"axis": 1, "num_outputs": outputs} if operator == "Split" else {}
    node = helper.make_node(
        operator, [value.name for value in into], [value.name for value in out], **attributes
    )
    graph = helper.make_graph([node], operator, into, out)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


@pytest.fixture
def backend(framework) -> type[Backend]:
    return testing.onnx_backend(framework)


def test_inputs_and_outputs_keep_their_order(backend):
    x, y = np.arange(8, dtype=np.float32).reshape(2, 4), np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(backend.prepare(model("Sub", 2), "CPU").run([x, y])[0], x - y)
    left, right = backend.run_model(model("Split", 1, 2), [x])
    np.testing.assert_array_equal(left, x[:, :2])
    np.testing.assert_array_equal(right, x[:, 2:])


def test_refusals_come_through(backend):
    with pytest.raises(AllotropeError, match="NoSuchOperator"):
        backend.prepare(model("NoSuchOperator", 1)).run([np.zeros((2, 4), np.float32)])
    with pytest.raises(UsageError, match="2 inputs were given; the network takes 1"):
        backend.prepare(model("Relu", 1)).run([np.zeros((2, 4), np.float32)] * 2)


def test_it_is_a_backend(backend):
    assert issubclass(backend, Backend)
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")


def test_an_unknown_framework():
    with pytest.raises(UsageError, match="Did you mean 'pytorch'"):
        testing.onnx_backend("pytroch")


def test_the_comparer_of_check_is_public():
    gradients, expected = {"w": np.array([1.0, 2.0])}, {"w": np.array([1.0, 2.5])}
    judged = testing.compare_gradients(gradients, expected, 1e-9)
    assert isinstance(judged, testing.Comparison)
    assert judged.departures[0].culprit == "gradient of 'w'"
    assert testing.compare_gradients(expected, expected, 1e-9).agrees
