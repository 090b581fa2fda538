"""Meanings that are easily got wrong, against ONNX Runtime or against what ONNX says in NumPy, in every framework."""

import numpy as np
import pytest

import allotrope
from allotrope.config import Repair
from allotrope.errors import AllotropeError
from onnx_models import model, node, outputs, tensor

F = np.float32
RANDOM = np.random.default_rng(4)


def normal(*shape):
    return RANDOM.standard_normal(shape).astype(F)


def assert_like_onnx_runtime(made, framework, **inputs):
    """The same outputs as ONNX Runtime's, of the network and of the file that it is saved as."""
    network, expected = allotrope.load(made), outputs(made, **inputs)
    again = outputs(network.to_onnx(), **inputs)
    for answer, saved, wanted in zip(network.run(inputs, framework).values(), again, expected, strict=True):
        assert answer.shape == saved.shape == wanted.shape
        np.testing.assert_allclose(answer, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(saved, wanted, rtol=1e-4, atol=1e-5)


# --- LSTM


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ("x w r", {}),
        ("x w r b l h c p", {"direction": "bidirectional"}),
        ("x w r b", {"clip": 0.3, "direction": "reverse"}),
        ("x w r b", {"activations": ["HardSigmoid", "Tanh", "Softsign"], "activation_alpha": [0.3], "activation_beta": [0.4]}),
    ],
)
def test_input_forget_couples_the_forget_gate_to_the_input_gate(inputs, options, framework):
    directions = 2 if options.get("direction") == "bidirectional" else 1
    arrays = {
        "w": normal(directions, 12, 2),
        "r": normal(directions, 12, 3),
        "b": normal(directions, 24),
        "l": np.array([4, 2], np.int32),
        "h": normal(directions, 2, 3),
        "c": normal(directions, 2, 3),
        "p": normal(directions, 9),
    }
    arrays = {name: array for name, array in arrays.items() if name in inputs.split()}
    made = node("LSTM", inputs, "y last cell", hidden_size=3, input_forget=1, **options)
    results = [tensor(name, shape=None) for name in ("y", "last", "cell")]
    assert_like_onnx_runtime(model([made], [tensor("x", shape=[4, 2, 2])], results, arrays, 14, 8), framework, x=normal(4, 2, 2))


def test_the_forget_gate_of_input_forget_has_no_gradient(framework):
    if framework == "reference":
        pytest.skip("the reference has no gradients")
    arrays = {"w": normal(1, 12, 2), "r": normal(1, 12, 3)}
    made = model([node("LSTM", "x w r", "y", hidden_size=3, input_forget=1)], [tensor("x", shape=[4, 2, 2])], None, arrays, 14, 8)
    gradient = allotrope.load(made).gradients({"x": normal(4, 2, 2)}, {"y": normal(4, 1, 2, 3)}, framework)["w"]
    assert (gradient[0, 6:9] == 0).all() and (gradient[0, :6] != 0).all() and (gradient[0, 9:] != 0).all()


# --- ConvTranspose

TRANSPOSED = [
    ((5,), {"kernel_shape": [1], "strides": [3], "output_shape": [15]}),
    ((5,), {"kernel_shape": [3], "strides": [2], "output_shape": [10], "auto_pad": "SAME_UPPER"}),
    ((5,), {"kernel_shape": [4], "strides": [3], "output_shape": [14], "auto_pad": "SAME_LOWER"}),
    ((5,), {"kernel_shape": [1], "strides": [3], "auto_pad": "SAME_UPPER"}),
    ((4, 5), {"kernel_shape": [2, 3], "strides": [3, 4], "dilations": [1, 2], "output_shape": [13, 23], "pads": [1, 1, 1, 1]}),
    ((4, 5), {"kernel_shape": [3, 3], "strides": [4, 3], "output_shape": [17, 15], "output_padding": [2, 0], "group": 2}),
    ((3, 4, 3), {"kernel_shape": [2, 1, 3], "strides": [3, 3, 1], "output_shape": [9, 12, 5]}),
]


@pytest.mark.parametrize(("spatial", "options"), TRANSPOSED)
def test_what_output_shape_asks_for_beyond_the_whole_is_at_the_end(spatial, options, framework):
    arrays = {"w": normal(4, 3, *options["kernel_shape"]), "b": normal(3 * options.get("group", 1))}
    x = tensor("x", shape=["n", 4, *spatial])
    made = model([node("ConvTranspose", "x w b", "y", **options)], [x], None, arrays, 11, 8)
    assert_like_onnx_runtime(made, framework, x=normal(2, 4, *spatial))


# --- Resize

NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}


@pytest.mark.parametrize(("opset", "rounding"), [(11, "floor"), (12, "floor"), (11, "round_prefer_floor")])
@pytest.mark.parametrize("scales", [(2, 0.5), (1.5, 0.3)])
def test_tensorflows_nearest_places(opset, rounding, scales, framework):
    arrays = {"roi": np.zeros(0, F), "s": np.array([1, 1, *scales], F)}
    made = node("Resize", "x roi s", "y", **{**NEAREST, "nearest_mode": rounding})
    made = model([made], [tensor("x", shape=["n", 2, "h", "w"])], None, arrays, opset, 8)
    assert_like_onnx_runtime(made, framework, x=normal(2, 2, 5, 4))


def test_tensorflows_nearest_places_by_sizes(framework):
    arrays = {"roi": np.zeros(0, F), "s": np.zeros(0, F), "z": np.array([1, 2, 7, 3])}
    made = model([node("Resize", "x roi s z", "y", **NEAREST)], [tensor("x", shape=[1, 2, 5, 4])], None, arrays, 11, 8)
    assert_like_onnx_runtime(made, framework, x=normal(1, 2, 5, 4))


@pytest.mark.parametrize("options", [{"mode": "linear"}, {"nearest_mode": "ceil"}])
def test_places_between_that_no_later_opset_has_are_refused_by_name(options):
    arrays = {"roi": np.zeros(0, F), "s": np.array([1, 1, 2, 2], F)}
    made = model([node("Resize", "x roi s", "y", **{**NEAREST, **options})], [tensor("x", shape=[1, 2, 5, 4])], None, arrays, 11, 8)
    with pytest.raises(AllotropeError, match="tf_half_pixel_for_nn"):
        allotrope.load(made)


# --- BatchNormalization before opset 9

STATISTICS = {"s": normal(4), "b": normal(4), "m": normal(4), "v": np.abs(normal(4)) + F(0.5)}
SPATIAL = {name: np.abs(normal(4, 5, 3)) + F(0.5) for name in "sbmv"}


def normalization(arrays, spatial, shape, opset=8):
    made = node("BatchNormalization", "x s b m v", "y", spatial=spatial)
    return model([made], [tensor("x", shape=shape)], None, arrays, opset, 3)


@pytest.mark.parametrize("shape", [("n", 4, 5, 3), ("n", 4), ("n", 4, 6)])
def test_spatial_0_with_statistics_by_channel_means_these(shape, framework):
    x = normal(2, *shape[1:])
    expected = outputs(normalization(STATISTICS, 1, shape), x=x)[0]
    network = allotrope.load(normalization(STATISTICS, 0, shape))
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], expected, rtol=1e-4, atol=1e-5)
    assert network.trainable == {"s", "b"}


def test_spatial_0_with_statistics_by_position_normalizes_each_position(framework):
    x = normal(2, 4, 5, 3)
    network = allotrope.load(normalization(SPATIAL, 0, ["n", 4, 5, 3]))
    expected = (x - SPATIAL["m"]) / np.sqrt(SPATIAL["v"] + F(1e-5)) * SPATIAL["s"] + SPATIAL["b"]
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], expected, rtol=1e-4, atol=1e-5)
    assert len(network.trainable) == 2 and len(network.weights) == 4
    np.testing.assert_allclose(outputs(network.to_onnx(), x=x)[0], expected, rtol=1e-4, atol=1e-5)


# --- PRelu


@pytest.mark.parametrize(
    ("shape", "slopes"),
    [
        (("n", 4, 6, 5), (4,)),
        (("n", 4, "h", "w"), (4,)),
        (("n", 4, 5), (4,)),
        (("n", 4, 6, 5), (4, 1)),
        (("n", 4, 6, 5), (1, 4)),
    ],
)
def test_a_slope_a_channel_that_fits_nowhere_else(shape, slopes, framework):
    slope = (np.abs(normal(*slopes)) + F(0.1)).reshape(slopes)
    lines = []
    made = model([node("PRelu", "x p", "y")], [tensor("x", shape=shape)], None, {"p": slope}, 17, 8)
    network = allotrope.load(made, report=lines.append)
    x = normal(2, *(n if isinstance(n, int) else 6 for n in shape[1:]))
    expected = np.where(x > 0, x, x * slope.reshape(4, *[1] * (len(shape) - 2)))
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], expected, rtol=1e-5)
    np.testing.assert_allclose(outputs(network.to_onnx(), x=x)[0], expected, rtol=1e-5)
    assert lines == ["repair: PRelu 'y' has a slope a channel: it fits x nowhere else"] and len(network.trainable) == 1


AS_LAID = [((2, 4, 6, 4), (4,)), ((2, 4, 4, 5), (4, 1)), ((2, 4, 6, 5), (4, 1, 1)), ((2, 4), (4,)), ((2, 4, 5), (1,))]


@pytest.mark.parametrize(("shape", "slopes"), AS_LAID)
def test_slopes_that_fit_as_onnx_lays_them_stay(shape, slopes, framework):
    made = model([node("PRelu", "x p", "y")], [tensor("x", shape=shape)], None, {"p": normal(*slopes)}, 17, 8)
    lines = []
    allotrope.load(made, report=lines.append)
    assert not any("PRelu" in line for line in lines)
    assert_like_onnx_runtime(made, framework, x=normal(*shape))


def test_slopes_that_two_share_stay_one_weight(framework):
    slope, x = np.abs(normal(4)), normal(2, 4, 6, 5)
    nodes = [node("PRelu", "x p", "h"), node("Neg", "h", "k"), node("PRelu", "k p", "y")]
    network = allotrope.load(model(nodes, [tensor("x", shape=["n", 4, 6, 5])], None, {"p": slope}, 17, 8))
    assert network.trainable == {"p"}
    once = np.where(x > 0, x, x * slope[:, None, None])
    twice = np.where(once < 0, -once, -once * slope[:, None, None])
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], twice, rtol=1e-5)


def test_slopes_that_fit_nowhere_are_an_error():
    made = model([node("PRelu", "x p", "y")], [tensor("x", shape=[2, 4, 6, 5])], None, {"p": normal(3)}, 17, 8)
    with pytest.raises(AllotropeError, match="PRelu"):
        allotrope.load(made).run({"x": normal(2, 4, 6, 5)})
    by_channel = model([node("PRelu", "x p", "y")], [tensor("x", shape=[2, 4, 6, 5])], None, {"p": normal(4)}, 17, 8)
    with pytest.raises(AllotropeError, match="PRelu"):
        allotrope.load(by_channel, repair=Repair.without(["slopes"])).run({"x": normal(2, 4, 6, 5)})


# --- axes that are not there


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_mean_variance_normalization_over_the_axes_that_there_are(shape, framework):
    made = model([node("MeanVarianceNormalization", "x", "y")], [tensor("x", shape=shape)], None, {}, 13, 8)
    assert_like_onnx_runtime(made, framework, x=normal(*shape))


# --- old opsets


@pytest.mark.parametrize("scales", [(2, 0.75), (0.6, 3), (0.5, 1)])
def test_nearest_of_opset_10_by_axis(scales, framework):
    made = model([node("Resize", "x s", "y")], [tensor("x", shape=[1, 2, 5, 6])], None, {"s": np.array([1, 1, *scales], F)}, 10, 8)
    assert_like_onnx_runtime(made, framework, x=normal(1, 2, 5, 6))


@pytest.mark.parametrize("shape", [(2, 2, 6), (2, 2, 5, 6), (2, 2, 3, 4, 5)])
def test_places_of_maxima_by_columns(shape, framework):
    made = node("MaxPool", "x", "y i", kernel_shape=[2] * (len(shape) - 2), storage_order=1)
    results = [tensor("y", shape=None), tensor("i", 7, None)]
    assert_like_onnx_runtime(model([made], [tensor("x", shape=shape)], results, {}, 12, 8), framework, x=normal(*shape))


@pytest.mark.parametrize(("start", "end"), [(-4, -(2**31)), (9, 0), (-1, -9), (-4, 1)])
def test_a_slice_backward(start, end, framework):
    """From before the first element it begins at that, as ONNX clamps it and Python does not."""
    arrays = {"s": np.array([start]), "e": np.array([end]), "a": np.array([1]), "p": np.array([-1])}
    made = model([node("Slice", "x s e a p", "y")], [tensor("x", shape=[2, 2, 3])], None, arrays, 13, 8)
    assert_like_onnx_runtime(made, framework, x=normal(2, 2, 3))


# --- axes of length 0


def empty(made, shape, arrays=None, opset=17):
    return model([made], [tensor("x", shape=shape)], None, arrays or {}, opset, 8)


NO_EXAMPLES = (0, 4, 6, 5)
BY_CHANNEL = {name: np.ones(4, F) for name in "sbmv"}
EMPTY = {
    "Conv": empty(node("Conv", "x w", "y"), NO_EXAMPLES, {"w": normal(6, 4, 3, 3)}),
    "Conv of 1x1": empty(node("Conv", "x w b", "y"), NO_EXAMPLES, {"w": normal(6, 4, 1, 1), "b": normal(6)}),
    "depthwise Conv": empty(node("Conv", "x w", "y", group=4, strides=[2, 2]), NO_EXAMPLES, {"w": normal(4, 1, 3, 3)}),
    "Conv in groups": empty(node("Conv", "x w", "y", group=2), NO_EXAMPLES, {"w": normal(4, 2, 3, 3)}),
    "dilated Conv": empty(node("Conv", "x w", "y", dilations=[2, 2]), NO_EXAMPLES, {"w": normal(6, 4, 2, 2)}),
    "Conv of volumes": empty(node("Conv", "x w", "y"), (0, 2, 4, 4, 4), {"w": normal(3, 2, 2, 2, 2)}),
    "ConvTranspose": empty(node("ConvTranspose", "x w", "y", strides=[2, 2]), NO_EXAMPLES, {"w": normal(4, 3, 3, 3)}),
    "MaxPool": empty(node("MaxPool", "x", "y", kernel_shape=[2, 2]), NO_EXAMPLES),
    "AveragePool": empty(node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), NO_EXAMPLES),
    "GlobalAveragePool": empty(node("GlobalAveragePool", "x", "y"), NO_EXAMPLES),
    "BatchNormalization": empty(node("BatchNormalization", "x s b m v", "y"), NO_EXAMPLES, BY_CHANNEL),
    "InstanceNormalization": empty(node("InstanceNormalization", "x s b", "y"), NO_EXAMPLES, {n: BY_CHANNEL[n] for n in "sb"}),
    "LRN": empty(node("LRN", "x", "y", size=3), NO_EXAMPLES),
    "Resize": empty(node("Resize", "x r s", "y", mode="linear"), NO_EXAMPLES, {"r": np.zeros(0, F), "s": np.array([1, 1, 2, 0.5], F)}),
    "MatMul over nothing": empty(node("MatMul", "x w", "y"), (2, 0), {"w": normal(0, 4)}),
    "Gemm over nothing": empty(node("Gemm", "x w c", "y"), (2, 0), {"w": normal(0, 4), "c": normal(4)}),
    "ReduceSum over nothing": empty(node("ReduceSum", "x a", "y"), (2, 0), {"a": np.array([1])}),
    "ReduceMax of no examples": empty(node("ReduceMax", "x", "y", axes=[2, 3]), NO_EXAMPLES),
    "Softmax": empty(node("Softmax", "x", "y", axis=1), NO_EXAMPLES),
    "RoiAlign": empty(
        node("RoiAlign", "x r b", "y", output_height=2, output_width=2),
        (1, 4, 6, 5),
        {"r": np.zeros((0, 4), F), "b": np.zeros(0, np.int64)},
    ),
    "Concat": empty(node("Concat", "x w", "y", axis=0), (0, 3), {"w": normal(2, 3)}),
    "Pad": empty(node("Pad", "x p", "y", mode="reflect"), NO_EXAMPLES, {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])}),
    "Gather of nothing": empty(node("Gather", "x i", "y"), (3, 4), {"i": np.zeros((0, 2), np.int64)}),
}


@pytest.mark.parametrize("name", EMPTY)
def test_axes_of_length_0(name, framework):
    shape = [d.dim_value for d in EMPTY[name].graph.input[0].type.tensor_type.shape.dim]
    x = normal(*shape)
    expected, network = outputs(EMPTY[name], x=x)[0], allotrope.load(EMPTY[name])
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], expected, rtol=1e-5, atol=1e-6)
    if framework != "reference":
        gradients = network.gradients({"x": x}, {"y": np.ones_like(expected)}, framework)
        assert gradients["x"].shape == x.shape and all(np.isfinite(g).all() for g in gradients.values())


@pytest.mark.parametrize(("operator", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
def test_a_sequence_of_no_steps_leaves_the_state(operator, gates, framework):
    """ONNX Runtime ends the process for some of these."""
    arrays = {"w": normal(1, gates * 2, 3), "r": normal(1, gates * 2, 2), "h": normal(1, 2, 2)}
    made = node(operator, "x w r b l h", "y last", hidden_size=2)
    made.input[3:5] = ["", ""]
    results = [tensor("y", shape=None), tensor("last", shape=None)]
    network = allotrope.load(model([made], [tensor("x", shape=[0, 2, 3])], results, arrays, 14, 8))
    outputs = network.run({"x": normal(0, 2, 3)}, framework)
    assert outputs["y"].shape == (0, 1, 2, 2)
    np.testing.assert_array_equal(outputs["last"], arrays["h"])
