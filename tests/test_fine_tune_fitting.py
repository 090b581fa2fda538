"""A network is fitted to its data, and what does not fit is said.

The end becomes logits, the head takes other classes, the input takes images.
"""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

import allotrope
from allotrope.errors import UnsupportedError, UsageError
from allotrope.inputs.image.pretrained.form import picture_side
from allotrope.network.rewriting.ends import to_logits
from allotrope.network.rewriting.head import head_of, with_new_head
from onnx_models import model, node, nodes, outputs, tensor
from tuned import ARRAYS, FIVE, LAYERS, F, classifier, drawn, images, linear, ready

# --- ends


@pytest.mark.parametrize("end", ["Softmax", "LogSoftmax", "Sigmoid"])
def test_what_makes_probabilities_is_taken_off(end):
    network, taken_off = to_logits(allotrope.load(classifier(node(end, "l", "y"))))
    assert [n.operator for n in taken_off] == [end] and [y.name for y in network.outputs] == ["l"]


def test_a_label_beside_the_probabilities_is_taken_off():
    inputs = [tensor("x", shape=["n", 1, 8, 8])]
    outputs = [tensor("y", shape=None), tensor("label", TensorProto.INT64, None)]
    ends = [node("Softmax", "l", "y"), node("ArgMax", "y", "label", axis=1)]
    arrays = {**ARRAYS, "shape": np.array([-1, 96])}
    made = model([*LAYERS, *ends], inputs, outputs, arrays)
    network, taken_off = to_logits(allotrope.load(made))
    assert [y.name for y in network.outputs] == ["l"]
    assert {n.operator for n in taken_off} == {"Softmax", "ArgMax"}


def test_pooled_probabilities_become_rows_of_logits():
    pooled = nodes("Conv x w -> a", "GlobalAveragePool a -> p")
    made = model(
        [*pooled, node("Softmax", "p", "y", axis=1)],
        [tensor("x", shape=["n", 3, 8, 8])],
        arrays={"w": drawn(4, 3, 1, 1)},
    )
    network, _ = to_logits(allotrope.load(made))
    assert network.outputs[0].shape == ("n", 4)


def test_other_ends_stay():
    network = allotrope.load(classifier(node("Relu", "l", "y")))
    assert to_logits(network) == (network, ())


BIAS = drawn(4, 1)[:, 0]
HEADS = {
    "gemm": (
        [node("Flatten", "x", "f"), node("Gemm", "f w b", "y", transB=1)],
        {"w": drawn(4, 12), "b": BIAS},
    ),
    "gemm untransposed": (
        nodes("Flatten x -> f", "Gemm f w -> y"),
        {"w": drawn(12, 4)},
    ),
    "matmul and add": (
        nodes("Flatten x -> f", "MatMul f w -> m", "Add m b -> y"),
        {"w": drawn(12, 4), "b": BIAS},
    ),
    "behind a transpose": (
        [
            node("Transpose", "t", "w", perm=[1, 0]),
            *nodes("Flatten x -> f", "MatMul f w -> m", "Add b m -> y"),
        ],
        {"t": drawn(4, 12), "b": drawn(1, 4)},
    ),
    "convolution": (
        nodes("Conv x w b -> c", "Relu c -> r", "GlobalAveragePool r -> p", "Flatten p -> y"),
        {"w": drawn(4, 3, 1, 1), "b": BIAS},
    ),
    "reshaped": (
        nodes("Conv x w -> c", "GlobalAveragePool c -> p", "Reshape p s -> y"),
        {"w": drawn(4, 3, 1, 1), "s": np.array([-1, 4])},
    ),
    "scaled": (
        nodes("Flatten x -> f", "MatMul f w -> m", "Mul factor m -> s", "Div s t -> y"),
        {"w": drawn(12, 4), "factor": np.array(0.5, F), "t": np.array([2.0], F)},
    ),
}


@pytest.mark.parametrize("case", HEADS)
def test_a_new_head_for_other_classes(case):
    nodes, arrays = HEADS[case]
    old = allotrope.load(model(nodes, [tensor("x", shape=["n", 3, 2, 2])], arrays=arrays))
    network, names = with_new_head(old, 7, seed=3)
    assert names <= network.trainable and names == head_of(network).weights
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype(F)
    y = network.run({"x": x})["y"]
    assert y.shape == (2, 7) and np.isfinite(y).all() and len(np.unique(y.round(4))) > 4
    np.testing.assert_allclose(outputs(network.to_onnx(), x=x)[0], y, rtol=1e-4, atol=1e-5)
    again, _ = with_new_head(old, 7, seed=3)
    assert all(np.array_equal(again.weights[name], network.weights[name]) for name in names)
    other, _ = with_new_head(old, 7, seed=4)
    assert not all(np.array_equal(other.weights[name], network.weights[name]) for name in names)


def test_weights_that_the_head_shares_stay_with_the_others():
    made = model(
        [
            *nodes("Flatten x -> f", "MatMul f w -> a"),
            node("Transpose", "w", "t", perm=[1, 0]),
            *nodes("MatMul a t -> b", "MatMul b w -> y"),
        ],
        [tensor("x", shape=["n", 3, 2, 2])],
        arrays={"w": drawn(12, 4)},
    )
    network, names = with_new_head(allotrope.load(made), 7, 0)
    assert names == {"w.new"} and {"w", "w.new"} == network.trainable


@pytest.mark.parametrize(
    ("nodes", "arrays"),
    [
        (
            nodes("Flatten x -> f", "Mul f w -> y"),
            {"w": drawn(1, 12)},
        ),
        (
            nodes("Flatten x -> f", "MatMul f w -> m", "Div t m -> y"),
            {"w": drawn(12, 4), "t": np.array(2.0, F)},
        ),
    ],
)
def test_a_network_without_a_last_layer_is_refused(nodes, arrays):
    made = model(nodes, [tensor("x", shape=["n", 3, 2, 2])], arrays=arrays)
    message = r"the network ends in \w+ \(node 'y'\), expected a Gemm, MatMul or Conv"
    with pytest.raises(UnsupportedError, match=message):
        with_new_head(allotrope.load(made), 7, 0)


# --- the input


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((3, 4, 6), (4, 6, 3)),
        ((4, 6, 3), (4, 6, 3)),
        ((4, 6), (4, 6, 1)),
        ((24,), (4, 6, 1)),
        ((1, 4, 6), (4, 6, 1)),
        ((3, 4, 6), (4, 6, 1)),
    ],
)
def test_an_image_in_each_layout(shape, image):
    data = images(image)
    network = ready(linear(shape), data, mean=(10.0,), std=(20.0,)).network
    assert network.inputs[0].dtype == np.uint8 and network.inputs[0].shape == ("n", *image)
    pixels = (data.test["image"][:3].astype(F) - 10) / 20
    pixels = np.broadcast_to(pixels, (3, 4, 6, 3)) if shape == (3, 4, 6) else pixels
    x = pixels if shape == (4, 6, 3) else np.moveaxis(pixels, 3, 1)
    expected = x.reshape(3, -1) @ drawn(int(np.prod(shape)), 10)
    answers = network.run({network.inputs[0].name: data.test["image"][:3]})["label"]
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-3)


def test_raw_pixels_are_taken_as_they_are():
    made = linear((4, 6, 3), TensorProto.UINT8, [node("Cast", "x", "p", to=TensorProto.FLOAT)])
    tuned = ready(made, images((4, 6, 3)))
    assert [n.operator for n in tuned.network.graph.nodes] == ["Cast", "Flatten", "MatMul"]
    with pytest.raises(UsageError, match="--mean and --std are for a network that takes float32"):
        ready(made, images((4, 6, 3)), mean=(0.0,), std=(1.0,))
    with pytest.raises(UsageError, match="height 5 where it takes 4, width 7 where it takes 6"):
        ready(made, images((5, 7, 3)))


@pytest.mark.parametrize(("shift", "scale"), [(127.0, 1.0), (0.5, 255.0)])
def test_a_network_that_prepares_its_input_gets_what_its_constants_expect(shift, scale):
    made = linear((3, 4, 6), before=[node("Sub", "x m", "p")], m=np.full((3, 1, 1), shift, F))
    tuned = ready(made, images((4, 6, 3)))
    assert tuned.network.graph.constants["pixels.scale"] == pytest.approx(1 / scale)
    assert any("prepares its input itself" in note for note in tuned.notes)
    assert tuned.network.trainable == {"w"}


TWO_INPUTS = model(
    nodes("Flatten x -> a", "Flatten z -> b", "Add a b -> y"),
    [tensor("x", shape=["n", 3, 4, 6]), tensor("z", shape=["n", 3, 4, 6])],
)
AN_IMAGE_OUT = model(
    [node("Conv", "x w", "y")],
    [tensor("x", shape=["n", 3, 4, 6])],
    arrays={"w": drawn(10, 3, 1, 1)},
)
OF_TRUTH_VALUES = linear((3, 4, 6), TensorProto.BOOL, [node("Cast", "x", "p", to=1)])


@pytest.mark.parametrize(
    ("source", "image", "options", "message"),
    [
        (
            linear((3, 4, 6)),
            (8, 8, 3),
            {},
            "height 8 where it takes 4, width 8 where it takes 6. Pictures in class folders",
        ),
        (linear((1, 4, 6)), (4, 6, 3), {}, "channels 3 where it takes 1"),
        (
            linear((7,)),
            (4, 6, 1),
            {},
            r"takes 'x' \['n', 7\], which is no image of 4x6x1; expected one of \[n, c, h, w\]",
        ),
        (OF_TRUTH_VALUES, (4, 6, 3), {}, "expected numbers that pixels can be"),
        (linear((3, 4, 6)), (4, 6, 3), {"mean": (1.0,)}, "--mean and --std belong together"),
        (
            linear((3, 4, 6)),
            (4, 6, 3),
            {"mean": (1.0, 2.0), "std": (1.0, 2.0)},
            "2 means and 2 deviations were given for 3 channels",
        ),
        (
            linear((3, "h", "w"), features=72),
            (9, 9, 3),
            {},
            r"cannot be computed for images of 9x9: MatMul [\s\S]* with --image-size",
        ),
        (TWO_INPUTS, (4, 6, 3), {}, "tells 72 classes"),
        (AN_IMAGE_OUT, (4, 6, 3), {}, "one row of logits an image"),
    ],
)
def test_what_does_not_fit_the_data_is_said(source, image, options, message):
    with pytest.raises((UsageError, allotrope.errors.ModelError), match=message):
        ready(source, images(image), **options)


def test_two_inputs_are_refused():
    two = model(
        nodes("Flatten x -> a", "Flatten z -> b", "Add a b -> c", "MatMul c w -> y"),
        [tensor(name, shape=["n", 3, 4, 6]) for name in "xz"],
        arrays={"w": drawn(72, 10)},
    )
    message = "fit trains networks that take one image; this one takes 'x' float32"
    with pytest.raises(UsageError, match=message):
        ready(two, images((4, 6, 3)))


def test_another_number_of_classes_needs_a_new_head(digits):
    with pytest.raises(UsageError, match="the network tells 5 classes apart, and digits has 10"):
        ready(classifier(arrays=FIVE, classes=5), digits)


SIDES = [
    ((3, 32, 32), 32),
    ((28, 28), 28),
    ((24, 24, 3), 24),
    ((3, 32, 16), None),
    ((3, "h", "w"), None),
]


@pytest.mark.parametrize(("shape", "side"), SIDES)
def test_the_side_that_a_network_is_fixed_to(shape, side):
    assert picture_side(allotrope.load(linear(shape, features=9))) == side
