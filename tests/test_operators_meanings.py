"""Meanings that are easily got wrong, in every framework.

Against ONNX Runtime or against what ONNX says, in NumPy.
"""

from functools import partial

import numpy as np
import pytest

import allotrope
from allotrope.config import Repair
from allotrope.errors import AllotropeError
from onnx_models import drawn_from, model, node, of_one, outputs, tensor

F = np.float32
RANDOM = np.random.default_rng(4)

normal = partial(drawn_from, RANDOM)


def assert_like_onnx_runtime(made, framework, **inputs):
    """The same outputs as ONNX Runtime's, of the network and of the file that it is saved as."""
    network, expected = allotrope.load(made), outputs(made, **inputs)
    again = outputs(network.to_onnx(), **inputs)
    answers = network.run(inputs, framework).values()
    for answer, saved, wanted in zip(answers, again, expected, strict=True):
        assert answer.shape == saved.shape == wanted.shape
        np.testing.assert_allclose(answer, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(saved, wanted, rtol=1e-4, atol=1e-5)


# --- LSTM

OTHER_ACTIVATIONS = {
    "activations": ["HardSigmoid", "Tanh", "Softsign"],
    "activation_alpha": [0.3],
    "activation_beta": [0.4],
}


@pytest.mark.parametrize(
    ("inputs", "options"),
    [
        ("x w r", {}),
        ("x w r b l h c p", {"direction": "bidirectional"}),
        ("x w r b", {"clip": 0.3, "direction": "reverse"}),
        ("x w r b", OTHER_ACTIVATIONS),
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
    made = of_one(made, [4, 2, 2], arrays, 14, results)
    assert_like_onnx_runtime(made, framework, x=normal(4, 2, 2))


def test_the_forget_gate_of_input_forget_has_no_gradient(framework):
    if framework == "reference":
        pytest.skip("the reference has no gradients")
    arrays = {"w": normal(1, 12, 2), "r": normal(1, 12, 3)}
    made = node("LSTM", "x w r", "y", hidden_size=3, input_forget=1)
    network = allotrope.load(of_one(made, [4, 2, 2], arrays, 14))
    x, slope = normal(4, 2, 2), normal(4, 1, 2, 3)
    gradient = network.gradients({"x": x}, {"y": slope}, framework)["w"][0]
    assert (gradient[6:9] == 0).all()
    assert (gradient[:6] != 0).all()
    assert (gradient[9:] != 0).all()


# --- ConvTranspose

TRANSPOSED = [
    ((5,), [1], [3], {"output_shape": [15]}),
    ((5,), [3], [2], {"output_shape": [10], "auto_pad": "SAME_UPPER"}),
    ((5,), [4], [3], {"output_shape": [14], "auto_pad": "SAME_LOWER"}),
    ((5,), [1], [3], {"auto_pad": "SAME_UPPER"}),
    ((4, 5), [2, 3], [3, 4], {"dilations": [1, 2], "output_shape": [13, 23], "pads": [1] * 4}),
    ((4, 5), [3, 3], [4, 3], {"output_shape": [17, 15], "output_padding": [2, 0], "group": 2}),
    ((3, 4, 3), [2, 1, 3], [3, 3, 1], {"output_shape": [9, 12, 5]}),
]


@pytest.mark.parametrize(("spatial", "kernel", "strides", "options"), TRANSPOSED)
def test_what_output_shape_asks_for_beyond_the_whole_is_at_the_end(
    spatial, kernel, strides, options, framework
):
    arrays = {"w": normal(4, 3, *kernel), "b": normal(3 * options.get("group", 1))}
    attributes = {"kernel_shape": kernel, "strides": strides, **options}
    made = node("ConvTranspose", "x w b", "y", **attributes)
    made = of_one(made, ["n", 4, *spatial], arrays, 11)
    assert_like_onnx_runtime(made, framework, x=normal(2, 4, *spatial))


# --- Resize

NEAREST = {
    "mode": "nearest",
    "coordinate_transformation_mode": "tf_half_pixel_for_nn",
    "nearest_mode": "floor",
}
ROUNDINGS = [(11, "floor"), (12, "floor"), (11, "round_prefer_floor")]


@pytest.mark.parametrize(("opset", "rounding"), ROUNDINGS)
@pytest.mark.parametrize("scales", [(2, 0.5), (1.5, 0.3)])
def test_tensorflows_nearest_places(opset, rounding, scales, framework):
    arrays = {"roi": np.zeros(0, F), "s": np.array([1, 1, *scales], F)}
    made = node("Resize", "x roi s", "y", **{**NEAREST, "nearest_mode": rounding})
    made = of_one(made, ["n", 2, "h", "w"], arrays, opset)
    assert_like_onnx_runtime(made, framework, x=normal(2, 2, 5, 4))


def test_tensorflows_nearest_places_by_sizes(framework):
    arrays = {"roi": np.zeros(0, F), "s": np.zeros(0, F), "z": np.array([1, 2, 7, 3])}
    made = of_one(node("Resize", "x roi s z", "y", **NEAREST), [1, 2, 5, 4], arrays, 11)
    assert_like_onnx_runtime(made, framework, x=normal(1, 2, 5, 4))


@pytest.mark.parametrize("options", [{"mode": "linear"}, {"nearest_mode": "ceil"}])
def test_places_between_that_no_later_opset_has_are_refused_by_name(options):
    arrays = {"roi": np.zeros(0, F), "s": np.array([1, 1, 2, 2], F)}
    made = node("Resize", "x roi s", "y", **{**NEAREST, **options})
    made = of_one(made, [1, 2, 5, 4], arrays, 11)
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
    np.testing.assert_allclose(
        network.run({"x": x}, framework)["y"], expected, rtol=1e-4, atol=1e-5
    )
    assert network.trainable == {"s", "b"}


def test_spatial_0_with_statistics_by_position_normalizes_each_position(framework):
    x = normal(2, 4, 5, 3)
    network = allotrope.load(normalization(SPATIAL, 0, ["n", 4, 5, 3]))
    expected = (x - SPATIAL["m"]) / np.sqrt(SPATIAL["v"] + F(1e-5)) * SPATIAL["s"] + SPATIAL["b"]
    np.testing.assert_allclose(
        network.run({"x": x}, framework)["y"], expected, rtol=1e-4, atol=1e-5
    )
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
    made = of_one(node("PRelu", "x p", "y"), shape, {"p": slope})
    network = allotrope.load(made, report=lines.append)
    x = normal(2, *(n if isinstance(n, int) else 6 for n in shape[1:]))
    expected = np.where(x > 0, x, x * slope.reshape(4, *[1] * (len(shape) - 2)))
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], expected, rtol=1e-5)
    np.testing.assert_allclose(outputs(network.to_onnx(), x=x)[0], expected, rtol=1e-5)
    assert lines == ["repair: PRelu 'y' has a slope a channel: it fits x nowhere else"]
    assert len(network.trainable) == 1


AS_LAID = [
    ((2, 4, 6, 4), (4,)),
    ((2, 4, 4, 5), (4, 1)),
    ((2, 4, 6, 5), (4, 1, 1)),
    ((2, 4), (4,)),
    ((2, 4, 5), (1,)),
]


@pytest.mark.parametrize(("shape", "slopes"), AS_LAID)
def test_slopes_that_fit_as_onnx_lays_them_stay(shape, slopes, framework):
    made = of_one(node("PRelu", "x p", "y"), shape, {"p": normal(*slopes)})
    lines = []
    allotrope.load(made, report=lines.append)
    assert not any("PRelu" in line for line in lines)
    assert_like_onnx_runtime(made, framework, x=normal(*shape))


def test_slopes_that_two_share_stay_one_weight(framework):
    slope, x = np.abs(normal(4)), normal(2, 4, 6, 5)
    nodes = [node("PRelu", "x p", "h"), node("Neg", "h", "k"), node("PRelu", "k p", "y")]
    inputs = [tensor("x", shape=["n", 4, 6, 5])]
    network = allotrope.load(model(nodes, inputs, None, {"p": slope}, 17, 8))
    assert network.trainable == {"p"}
    once = np.where(x > 0, x, x * slope[:, None, None])
    twice = np.where(once < 0, -once, -once * slope[:, None, None])
    np.testing.assert_allclose(network.run({"x": x}, framework)["y"], twice, rtol=1e-5)


def test_slopes_that_fit_nowhere_are_an_error():
    made = of_one(node("PRelu", "x p", "y"), [2, 4, 6, 5], {"p": normal(3)})
    with pytest.raises(AllotropeError, match="PRelu"):
        allotrope.load(made).run({"x": normal(2, 4, 6, 5)})
    by_channel = of_one(node("PRelu", "x p", "y"), [2, 4, 6, 5], {"p": normal(4)})
    without = Repair.without(["slopes"])
    with pytest.raises(AllotropeError, match="PRelu"):
        allotrope.load(by_channel, repair=without).run({"x": normal(2, 4, 6, 5)})


# --- axes that are not there


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_mean_variance_normalization_over_the_axes_that_there_are(shape, framework):
    made = of_one(node("MeanVarianceNormalization", "x", "y"), shape, opset=13)
    assert_like_onnx_runtime(made, framework, x=normal(*shape))


# --- old opsets


@pytest.mark.parametrize("scales", [(2, 0.75), (0.6, 3), (0.5, 1)])
def test_nearest_of_opset_10_by_axis(scales, framework):
    arrays = {"s": np.array([1, 1, *scales], F)}
    made = of_one(node("Resize", "x s", "y"), [1, 2, 5, 6], arrays, 10)
    assert_like_onnx_runtime(made, framework, x=normal(1, 2, 5, 6))


@pytest.mark.parametrize("shape", [(2, 2, 6), (2, 2, 5, 6), (2, 2, 3, 4, 5)])
def test_places_of_maxima_by_columns(shape, framework):
    made = node("MaxPool", "x", "y i", kernel_shape=[2] * (len(shape) - 2), storage_order=1)
    results = [tensor("y", shape=None), tensor("i", 7, None)]
    made = of_one(made, shape, opset=12, results=results)
    assert_like_onnx_runtime(made, framework, x=normal(*shape))


@pytest.mark.parametrize(("start", "end"), [(-4, -(2**31)), (9, 0), (-1, -9), (-4, 1)])
def test_a_slice_backward(start, end, framework):
    """From before the first element it begins at that, as ONNX clamps it and Python does not."""
    values = {"s": start, "e": end, "a": 1, "p": -1}
    arrays = {name: np.array([value]) for name, value in values.items()}
    made = of_one(node("Slice", "x s e a p", "y"), [2, 2, 3], arrays, 13)
    assert_like_onnx_runtime(made, framework, x=normal(2, 2, 3))
