"""The builder: names, several outputs, shapes; and the initializers' formulas."""

from __future__ import annotations

import math

import numpy as np
import onnx
import onnxruntime
import pytest

from allotrope.errors import ModelError
from allotrope.network import initialize
from allotrope.network.build import Builder


def run(network, **inputs):
    session = onnxruntime.InferenceSession(
        network.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return dict(
        zip((y.name for y in session.get_outputs()), session.run(None, inputs), strict=True)
    )


def linear() -> Builder:
    builder = Builder("linear")
    x = builder.input("x", "float32", ("n", 3))
    weight = builder.weight("fc.weight", np.arange(6, dtype=np.float32).reshape(2, 3))
    bias = builder.weight("fc.bias", np.ones(2, np.float32), trainable=False)
    builder.output(builder.add("Gemm", [x, weight, bias], {"transB": 1}, name="fc"), "logits")
    return builder


def test_built_network_computes_and_knows_its_shapes():
    network = linear().network()
    assert network.trainable == {"fc.weight"}
    assert list(network.weights) == ["fc.weight", "fc.bias"]
    assert [(y.name, y.dtype, y.shape) for y in network.outputs] == [
        ("logits", np.float32, ("n", 2))
    ]
    onnx.checker.check_model(network.to_onnx(), full_check=True)
    np.testing.assert_array_equal(run(network, x=np.float32([[1, 2, 3]]))["logits"], [[9, 27]])


def test_node_with_several_outputs():
    builder = Builder()
    x = builder.input("x", "float32", ("n", 4))
    left, right = builder.add("Split", [x], {"axis": 1, "num_outputs": 2}, name="halves", outputs=2)
    builder.output(builder.add("Sub", [left, right]), "y")
    builder.output(right)
    network = builder.network()
    assert [y.name for y in network.outputs] == ["y", "halves.1"]
    np.testing.assert_array_equal(run(network, x=np.float32([[5, 6, 1, 2]]))["y"], [[4, 4]])


def test_one_value_may_be_two_outputs_and_an_input_may_be_one():
    builder = Builder()
    x = builder.input("x", "float32", ("n",))
    y = builder.add("Neg", [x])
    for value, name in ((y, "first"), ("first", "second"), (x, "same")):
        builder.output(value, name)
    outputs = run(builder.network(), x=np.float32([3]))
    assert {name: value.tolist() for name, value in outputs.items()} == {
        "first": [-3],
        "second": [-3],
        "same": [3],
    }


def test_default_names_of_nodes_and_constants_never_clash():
    builder = Builder()
    x = builder.input("x", "float32", ())
    for _ in range(3):
        x = builder.add("Add", [x, builder.constant(np.float32(1))])
    builder.output(x, "y")
    network = builder.network()
    assert [node.name for node in network.graph.nodes] == ["add", "add_2", "add_3"]
    assert list(network.graph.constants) == ["constant", "constant_2", "constant_3"]
    assert run(network, x=np.array(4, np.float32))["y"] == 7


def test_name_that_is_taken_is_refused():
    with pytest.raises(ModelError, match=r"'fc\.weight' is used twice"):
        linear().weight("fc.weight", np.ones(1, np.float32))


def test_value_that_nothing_makes_is_refused():
    with pytest.raises(ModelError, match=r"node 'act' \(Relu\) uses 'nothing'"):
        linear().add("Relu", ["nothing"], name="act")


VARIANCES = {
    "he_normal": 2 / 72,
    "he_uniform": 2 / 72,
    "glorot_normal": 2 / (72 + 1440),
    "glorot_uniform": 2 / (72 + 1440),
    "lecun_normal": 1 / 72,
    "lecun_uniform": 1 / 72,
    "fan_in_uniform": 1 / (3 * 72),
    "truncated_normal": 0.02**2
    * 0.7737413,  # the variance of a normal cut at 2 deviations: 1 - 4 phi(2) / (2 Phi(2) - 1)
}


@pytest.mark.parametrize("name", VARIANCES)
def test_initializers_have_the_variance_of_their_formula(name):
    values = initialize.draw(getattr(initialize, name), 0, "conv1.weight", (160, 8, 3, 3))
    assert values.dtype == np.float32
    assert abs(values.mean()) < 4 * math.sqrt(VARIANCES[name] / values.size)
    assert values.var() == pytest.approx(VARIANCES[name], rel=0.05)
    if name.endswith("uniform"):
        assert np.abs(values).max() <= math.sqrt(3 * VARIANCES[name]) * (1 + 1e-6)
    if name == "truncated_normal":
        assert np.abs(values).max() <= 0.04


@pytest.mark.parametrize("shape", [(5, 12), (12, 5), (4, 2, 3, 3)])
def test_orthogonal_rows_or_columns_are_orthonormal(shape):
    matrix = initialize.draw(initialize.orthogonal, 3, "w", shape).reshape(shape[0], -1)
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-6)


def test_dirac_passes_channels_on():
    values = initialize.draw(initialize.dirac, 0, "w", (6, 4, 3, 3))
    identity = np.zeros((4, 4, 3, 3))
    identity[range(4), range(4), 1, 1] = 1
    np.testing.assert_array_equal(values[:4], identity)
    assert (values[4:] != 0).all()


def test_each_weight_has_a_stream_of_its_seed_and_name():
    first = initialize.draw(initialize.he_normal, 0, "a", (4, 4))
    np.testing.assert_array_equal(first, initialize.draw(initialize.he_normal, 0, "a", (4, 4)))
    assert (first != initialize.draw(initialize.he_normal, 0, "b", (4, 4))).all()
    assert (first != initialize.draw(initialize.he_normal, 1, "a", (4, 4))).all()
