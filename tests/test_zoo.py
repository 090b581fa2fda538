"""The zoo: what the networks compute, how large they are, what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

from allotrope.errors import UsageError
from allotrope.network import zoo
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.network.summary import multiply_adds, parameters
from allotrope.recipe_choices import NORMALIZATIONS
from softmaxed import with_probabilities

PHOTOGRAPHS = ("resnet18", "resnet34", "resnet50", "mobilenet_v2")
SMALL = ("mlp", "cnn", "whitened_cnn", "resnet8", "resnet20", "resnet32", "resnet56")
# All others are in test_zoo_further.py.


def run(network, x):
    session = onnxruntime.InferenceSession(
        network.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0]


def with_output(network, name):
    """The same network with an inner value as its output."""
    return Network(
        replace(network.graph, outputs=(network.graph.values[name],)),
        network.weights,
        network.trainable,
    )


def pictures(n, c, h, w):
    return np.random.default_rng(0).standard_normal((n, c, h, w), dtype=np.float32)


# Parameters and multiply-adds, as published. Option A for 10 classes: 0.27, 0.46 and 0.85 M in
# https://github.com/akamaster/pytorch_resnet_cifar10. Projections for 10 classes: the table of
# https://github.com/chenyaofo/pytorch-cifar-models. The others: num_params and GFLOPS (which are
# multiply-adds) on the pages of torchvision, such as
# https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet50.html.
CIFAR, IMAGENET = (10, (3, 32, 32)), (1000, (3, 224, 224))
EXACT_PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
}
GIGA_MULTIPLY_ADDS = {"resnet18": 1.81, "resnet34": 3.66, "resnet50": 4.09, "mobilenet_v2": 0.30}
MEGA_PARAMETERS_OPTION_A = {"resnet20": 0.27, "resnet32": 0.46, "resnet56": 0.85}
MEGA_PARAMETERS_AND_MULTIPLY_ADDS = {
    "resnet20": (0.27, 40.81),
    "resnet32": (0.47, 69.12),
    "resnet56": (0.86, 125.75),
}


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photograph_networks_are_as_large_as_published(name):
    network = zoo.network(name)(*IMAGENET)
    assert parameters(network) == EXACT_PARAMETERS[name]
    assert multiply_adds(network) / 1e9 == pytest.approx(GIGA_MULTIPLY_ADDS[name], abs=0.005)


@pytest.mark.parametrize("name", MEGA_PARAMETERS_AND_MULTIPLY_ADDS)
def test_small_residual_networks_are_as_large_as_published(name):
    network = zoo.network(name)(*CIFAR)
    mega_parameters, mega_multiply_adds = MEGA_PARAMETERS_AND_MULTIPLY_ADDS[name]
    assert parameters(network) / 1e6 == pytest.approx(mega_parameters, abs=0.005)
    assert multiply_adds(network) / 1e6 == pytest.approx(mega_multiply_adds, abs=0.005)
    as_in_the_paper = zoo.network(name)(*CIFAR, shortcut="padding")
    assert parameters(as_in_the_paper) / 1e6 == pytest.approx(
        MEGA_PARAMETERS_OPTION_A[name], abs=0.005
    )


def test_resnet20_with_the_papers_shortcut_has_the_known_number_of_parameters():
    assert parameters(zoo.resnet20(*CIFAR, shortcut="padding")) == 269_722
    assert multiply_adds(zoo.resnet20(*CIFAR, shortcut="padding")) / 1e6 == pytest.approx(
        40.55, abs=0.005
    )


def test_shortcut_by_padding_keeps_every_second_pixel_in_the_middle_channels():
    network = zoo.resnet8(2, (1, 6, 5), shortcut="padding", width=0.25, normalization="none")
    names = ("layer1.0.add.relu", "layer2.0.downsample.pad")
    x, y = (run(with_output(network, name), pictures(1, 1, 6, 5)) for name in names)
    assert y.shape == (1, 8, 3, 3)
    np.testing.assert_array_equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert not y[:, :2].any() and not y[:, 6:].any()


def convolve(x, weight, bias):
    """`x` [c, h, w] with zeros around it, by plain loops."""
    filters, channels, height, width = weight.shape
    _, rows, columns = x.shape
    y = np.zeros((filters, rows, columns))
    for k in range(filters):
        for row in range(rows):
            for column in range(columns):
                y[k, row, column] = bias[k]
                for c in range(channels):
                    for i in range(height):
                        for j in range(width):
                            r, s = row + i - height // 2, column + j - width // 2
                            if 0 <= r < rows and 0 <= s < columns:
                                y[k, row, column] += weight[k, c, i, j] * x[c, r, s]
    return y


def pool(x, reduce):
    channels, rows, columns = x.shape
    y = np.zeros((channels, rows // 2, columns // 2))
    for c, row, column in np.ndindex(*y.shape):
        y[c, row, column] = reduce(x[c, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2])
    return y


def softmax(z):
    return np.exp(z - z.max()) / np.exp(z - z.max()).sum()


PHI = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_cnn_is_sigma_of_sum_of_phi_of_convolutions(activation, pooling):
    """It is y = sigma(sum_k w_k phi(sum_l w_kl * x_l + b_k)), phi pooled, sigma the softmax."""
    network = zoo.cnn(
        4, (2, 6, 7), channels=(3,), hidden=(), activation=activation, pooling=pooling, seed=1
    )
    network = network.with_weights(
        {"conv1.bias": np.float32([0.3, -0.2, 0.5]), "fc.bias": np.float32([0.1, 0.2, -0.3, 0])}
    )
    w = {name: array.astype(np.float64) for name, array in network.weights.items()}
    assert set(w) == {"conv1.weight", "conv1.bias", "fc.weight", "fc.bias"}
    x = pictures(2, 2, 6, 7)
    expected = []
    for picture in x.astype(np.float64):
        features = pool(
            PHI[activation](convolve(picture, w["conv1.weight"], w["conv1.bias"])),
            np.max if pooling == "max" else np.mean,
        )
        expected.append(
            softmax(
                w["fc.bias"] + sum(w["fc.weight"][:, k] * f for k, f in enumerate(features.ravel()))
            )
        )
    network = with_probabilities(network, list("abcd"))
    np.testing.assert_allclose(
        network.run({"x": x}, framework="reference")["probabilities"], expected, rtol=2e-5
    )
    np.testing.assert_allclose(
        network.run({"x": x}, framework="pytorch")["probabilities"], expected, rtol=2e-5
    )
    np.testing.assert_allclose(run(network, x), expected, rtol=2e-5)


def test_cnn_with_two_convolutions_and_a_hidden_layer():
    network = zoo.cnn(3, (1, 8, 8), channels=(2, 3), hidden=(5,), seed=2)
    w = {name: array.astype(np.float64) for name, array in network.weights.items()}
    x = pictures(1, 1, 8, 8)
    z = x[0].astype(np.float64)
    for name in ("conv1", "conv2"):
        z = pool(np.maximum(convolve(z, w[f"{name}.weight"], w[f"{name}.bias"]), 0), np.max)
    z = np.maximum(w["fc1.weight"] @ z.ravel() + w["fc1.bias"], 0)
    np.testing.assert_allclose(run(network, x)[0], w["fc.weight"] @ z + w["fc.bias"], rtol=2e-5)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("image", [(1, 28, 28), (3, 33, 47)])
def test_small_networks_take_grey_and_colour_of_any_size(name, image):
    network = zoo.network(name)(5, image)
    onnx.checker.check_model(network.to_onnx(), full_check=True)
    y = run(network, pictures(2, *image))
    assert y.shape == (2, 5)
    assert np.isfinite(y).all()
    assert [(v.name, v.dtype, v.shape) for v in network.inputs] == [
        ("x", np.float32, ("n", *image))
    ]
    assert [(v.name, v.dtype, v.shape) for v in network.outputs] == [
        ("logits", np.float32, ("n", 5))
    ]


@pytest.mark.parametrize("name", [*SMALL, *PHOTOGRAPHS])
@pytest.mark.parametrize(
    ("activation", "normalization"),
    [("silu", "group"), ("hard_swish", "layer"), ("prelu", "rms"), ("mish", "none")],
)
def test_pytorch_agrees_with_onnx_runtime(name, activation, normalization):
    network = zoo.network(name)(
        3, (3, 32, 32), activation=activation, normalization=normalization, dropout=0.5, width=0.25
    )
    x = pictures(2, 3, 32, 32)
    expected = run(network, x)
    logits = network.run({"x": x}, framework="pytorch")["logits"]
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def test_saved_network_is_read_with_the_same_trainable_weights(tmp_path):
    for network in (
        zoo.whitened_cnn(3, (3, 32, 32), width=0.25),
        zoo.resnet8(3, (3, 32, 32), dropout=0.5),
    ):
        network.save(tmp_path / "network.onnx")
        again = load(tmp_path / "network.onnx")
        assert again.trainable == network.trainable
        assert set(again.weights) == set(network.weights)
        x = pictures(2, 3, 32, 32)
        np.testing.assert_array_equal(run(again, x), run(network, x))


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photograph_networks_take_their_smallest_image(name):
    network = zoo.network(name)(4, (3, 32, 32), width=0.25)
    onnx.checker.check_model(network.to_onnx(), full_check=True)
    assert np.isfinite(run(network, pictures(1, 3, 32, 32))).all()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("name", ["mlp", "cnn", "whitened_cnn", "resnet8", "mobilenet_v2"])
def test_every_normalization_in_every_family(name, normalization):
    image = (3, 32, 32)
    network = zoo.network(name)(3, image, normalization=normalization, dropout=0.5, width=0.25)
    onnx.checker.check_model(network.to_onnx(), full_check=True)
    assert np.isfinite(run(network, pictures(2, *image))).all()
    operators = {node.operator for node in network.graph.nodes}
    assert "Dropout" in operators
    assert any(operator.endswith("Normalization") for operator in operators) == (
        normalization != "none"
    )
    statistics = {weight for weight in network.weights if "running_" in weight}
    assert bool(statistics) == (normalization == "batch")
    assert not statistics & network.trainable


def test_group_and_layer_normalization_are_per_picture_with_unit_variance():
    for kind, groups in (("group", 2), ("layer", 1), ("instance", 8)):
        network = zoo.cnn(
            2, (1, 8, 8), channels=(8,), hidden=(), activation="relu", normalization=kind
        )
        (node,) = (node for node in network.graph.nodes if node.operator.endswith("Normalization"))
        assert node.attributes.get("num_groups", 8) == groups


def test_width_scales_channels_and_seed_moves_weights():
    half = zoo.resnet20(10, (3, 32, 32), width=0.5, seed=1)
    assert half.weights["layer3.0.conv1.weight"].shape == (32, 16, 3, 3)
    other = zoo.resnet20(10, (3, 32, 32), width=0.5, seed=2)
    assert (half.weights["conv1.weight"] != other.weights["conv1.weight"]).all()
    np.testing.assert_array_equal(
        half.weights["conv1.weight"],
        zoo.resnet8(10, (3, 32, 32), width=0.5, seed=1).weights["conv1.weight"],
    )


def test_padding_is_explicit_everywhere():
    for name in zoo.NETWORKS:
        for node in zoo.network(name)(2, (3, 32, 32), width=0.25).graph.nodes:
            assert "auto_pad" not in node.attributes, node
            assert (
                node.operator not in ("Conv", "MaxPool", "AveragePool")
                or len(node.attributes["pads"]) == 4
            )


def test_dropout_of_zero_leaves_no_node():
    assert not any(node.operator == "Dropout" for node in zoo.cnn(2, (1, 8, 8)).graph.nodes)


def test_unknown_network_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"unknown network 'resnett20'\. Did you mean 'resnet20'"):
        zoo.network("resnett20")


def test_all_wrong_arguments_are_said_at_once():
    with pytest.raises(UsageError) as raised:
        zoo.cnn(
            1,
            (3, 2, 9),
            activation="rellu",
            normalization="bach",
            dropout=1.0,
            width=0,
            seed=-1,
            channels=(4, 0),
            kernel=0,
            pooling="maxx",
        )
    for part in (
        "network 'cnn' cannot be built",
        "at least 2 classes are needed, found 1",
        "image 2 x 9 is too small: this network needs 4 x 4",
        "unknown activation 'rellu'. Did you mean 'relu'",
        "unknown normalization 'bach'. Did you mean 'batch'",
        "dropout must be at least 0 and below 1, found 1.0",
        "width must be above 0, found 0",
        "seed must be at least 0, found -1",
        "channels must be whole numbers above 0, found [0]",
        "kernel must be whole numbers above 0, found [0]",
        "unknown pooling 'maxx'. Did you mean 'max'",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize("name", zoo.NETWORKS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"classes": 1},
        {"image": (3, 32)},
        {"image": (0, 64, 64)},
        {"width": float("nan")},
        {"width": -1.0},
    ],
)
def test_every_network_refuses_wrong_arguments(name, arguments):
    with pytest.raises(UsageError, match=f"network '{name}' cannot be built"):
        zoo.network(name)(**{"classes": 10, "image": (3, 64, 64), **arguments})


@pytest.mark.parametrize(
    ("name", "smallest"),
    [
        ("cnn", 4),
        ("whitened_cnn", 9),
        ("resnet8", 4),
        ("resnet20", 4),
        ("resnet18", 32),
        ("mobilenet_v2", 32),
    ],
)
def test_smallest_image_runs_and_a_smaller_one_is_refused(name, smallest):
    network = zoo.network(name)(2, (1, smallest, smallest), width=0.25)
    assert np.isfinite(run(network, pictures(1, 1, smallest, smallest))).all()
    with pytest.raises(UsageError, match="too small"):
        zoo.network(name)(2, (1, smallest, smallest - 1))


def test_unknown_shortcut_is_refused():
    with pytest.raises(UsageError, match=r"unknown shortcut 'project'\. Did you mean 'projection'"):
        zoo.resnet20(10, (3, 32, 32), shortcut="project")
