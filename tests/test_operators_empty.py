"""Axes of length 0: no examples, no steps, nothing to sum, in every framework."""

from functools import partial

import numpy as np
import pytest

import allotrope
from onnx_models import drawn_from, node, of_one, outputs, tensor

F = np.float32
RANDOM = np.random.default_rng(4)

normal = partial(drawn_from, RANDOM)


NO_EXAMPLES = (0, 4, 6, 5)
BY_CHANNEL = {name: np.ones(4, F) for name in "sbmv"}
NO_CORNERS = {"r": np.zeros((0, 4), F), "b": np.zeros(0, np.int64)}
EMPTY = {
    "Conv": of_one(
        node("Conv", "x w", "y"),
        NO_EXAMPLES,
        {"w": normal(6, 4, 3, 3)},
    ),
    "Conv of 1x1": of_one(
        node("Conv", "x w b", "y"),
        NO_EXAMPLES,
        {"w": normal(6, 4, 1, 1), "b": normal(6)},
    ),
    "depthwise Conv": of_one(
        node("Conv", "x w", "y", group=4, strides=[2, 2]),
        NO_EXAMPLES,
        {"w": normal(4, 1, 3, 3)},
    ),
    "Conv in groups": of_one(
        node("Conv", "x w", "y", group=2),
        NO_EXAMPLES,
        {"w": normal(4, 2, 3, 3)},
    ),
    "dilated Conv": of_one(
        node("Conv", "x w", "y", dilations=[2, 2]),
        NO_EXAMPLES,
        {"w": normal(6, 4, 2, 2)},
    ),
    "Conv of volumes": of_one(
        node("Conv", "x w", "y"),
        (0, 2, 4, 4, 4),
        {"w": normal(3, 2, 2, 2, 2)},
    ),
    "ConvTranspose": of_one(
        node("ConvTranspose", "x w", "y", strides=[2, 2]),
        NO_EXAMPLES,
        {"w": normal(4, 3, 3, 3)},
    ),
    "MaxPool": of_one(
        node("MaxPool", "x", "y", kernel_shape=[2, 2]),
        NO_EXAMPLES,
    ),
    "AveragePool": of_one(
        node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        NO_EXAMPLES,
    ),
    "GlobalAveragePool": of_one(
        node("GlobalAveragePool", "x", "y"),
        NO_EXAMPLES,
    ),
    "BatchNormalization": of_one(
        node("BatchNormalization", "x s b m v", "y"),
        NO_EXAMPLES,
        BY_CHANNEL,
    ),
    "InstanceNormalization": of_one(
        node("InstanceNormalization", "x s b", "y"),
        NO_EXAMPLES,
        {name: BY_CHANNEL[name] for name in "sb"},
    ),
    "LRN": of_one(
        node("LRN", "x", "y", size=3),
        NO_EXAMPLES,
    ),
    "Resize": of_one(
        node("Resize", "x r s", "y", mode="linear"),
        NO_EXAMPLES,
        {"r": np.zeros(0, F), "s": np.array([1, 1, 2, 0.5], F)},
    ),
    "MatMul over nothing": of_one(
        node("MatMul", "x w", "y"),
        (2, 0),
        {"w": normal(0, 4)},
    ),
    "Gemm over nothing": of_one(
        node("Gemm", "x w c", "y"),
        (2, 0),
        {"w": normal(0, 4), "c": normal(4)},
    ),
    "ReduceSum over nothing": of_one(
        node("ReduceSum", "x a", "y"),
        (2, 0),
        {"a": np.array([1])},
    ),
    "ReduceMax of no examples": of_one(
        node("ReduceMax", "x", "y", axes=[2, 3]),
        NO_EXAMPLES,
    ),
    "Softmax": of_one(
        node("Softmax", "x", "y", axis=1),
        NO_EXAMPLES,
    ),
    "RoiAlign": of_one(
        node("RoiAlign", "x r b", "y", output_height=2, output_width=2),
        (1, 4, 6, 5),
        NO_CORNERS,
    ),
    "Concat": of_one(
        node("Concat", "x w", "y", axis=0),
        (0, 3),
        {"w": normal(2, 3)},
    ),
    "Pad": of_one(
        node("Pad", "x p", "y", mode="reflect"),
        NO_EXAMPLES,
        {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
    ),
    "Gather of nothing": of_one(
        node("Gather", "x i", "y"),
        (3, 4),
        {"i": np.zeros((0, 2), np.int64)},
    ),
}


@pytest.mark.parametrize("name", EMPTY)
def test_axes_of_length_0(name, framework):
    shape = [d.dim_value for d in EMPTY[name].graph.input[0].type.tensor_type.shape.dim]
    x = normal(*shape)
    expected, network = outputs(EMPTY[name], x=x)[0], allotrope.load(EMPTY[name])
    np.testing.assert_allclose(
        network.run({"x": x}, framework)["y"], expected, rtol=1e-5, atol=1e-6
    )
    if framework != "reference":
        gradients = network.gradients({"x": x}, {"y": np.ones_like(expected)}, framework)
        assert gradients["x"].shape == x.shape
        assert all(np.isfinite(g).all() for g in gradients.values())


@pytest.mark.parametrize(("operator", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_a_sequence_of_no_steps_leaves_the_state(operator, gates, framework):
    """ONNX Runtime ends the process for some of these."""
    arrays = {"w": normal(1, gates * 2, 3), "r": normal(1, gates * 2, 2), "h": normal(1, 2, 2)}
    made = node(operator, "x w r b l h", "y last", hidden_size=2)
    made.input[3:5] = ["", ""]
    results = [tensor("y", shape=None), tensor("last", shape=None)]
    network = allotrope.load(of_one(made, [0, 2, 3], arrays, 14, results))
    outputs = network.run({"x": normal(0, 2, 3)}, framework)
    assert outputs["y"].shape == (0, 1, 2, 2)
    np.testing.assert_array_equal(outputs["last"], arrays["h"])
