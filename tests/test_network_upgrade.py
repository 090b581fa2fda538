"""Old opsets: what a node meant then, ONNX Runtime computes of it now."""

import numpy as np
import pytest
from onnx import TensorProto

import allotrope
from allotrope.errors import ModelError, UnsupportedError
from onnx_models import model, node, outputs, runtime, tensor

X = np.random.default_rng(0).standard_normal((2, 4, 6, 6)).astype(np.float32)
SCALES = np.array([1, 1, 2, 2], np.float32)
SHRINK = np.array([1, 1, 0.4, 0.6], np.float32)
INDICES = np.array([[[[0]]]], np.int64)
STATISTICS = {
    name: np.random.default_rng(1).random(4, dtype=np.float32) + 0.5
    for name in ("s", "b", "m", "v")
}

CASES = [
    (7, node("Clip", "x", "y", min=-0.5, max=0.5), {}),
    (7, node("Clip", "x", "y", max=0.5), {}),
    (7, node("Clip", "x", "y"), {}),
    (7, node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 2, 0], value=1.5), {}),
    (7, node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 2, 0], mode="reflect"), {}),
    (7, node("Slice", "x", "y", starts=[1, 0], ends=[3, -1], axes=[1, 2]), {}),
    (7, node("Slice", "x", "y", starts=[1], ends=[9]), {}),
    (7, node("TopK", "x", "y i", k=3), {}),
    (7, node("Split", "x", "y z", axis=1, split=[1, 3]), {}),
    (7, node("Split", "x", "y z", axis=1), {}),
    (13, node("Split", "x", "y z", axis=2), {}),
    (7, node("Unsqueeze", "x", "y", axes=[0, 5]), {}),
    (11, node("Unsqueeze", "x", "y", axes=[-1]), {}),
    (7, node("ReduceSum", "x", "y", axes=[1, -1], keepdims=0), {}),
    (11, node("ReduceSum", "x", "y"), {}),
    (13, node("ReduceMean", "x", "y", axes=[2, 3]), {}),
    (13, node("ReduceL2", "x", "y"), {}),
    (7, node("Softmax", "x", "y"), {}),
    (7, node("Softmax", "x", "y", axis=3), {}),
    (11, node("Softmax", "x", "y", axis=-2), {}),
    (11, node("LogSoftmax", "x", "y", axis=2), {}),
    (11, node("Hardmax", "x", "y", axis=1), {}),
    (7, node("Upsample", "x", "y", scales=[1.0, 1.0, 2.0, 3.0]), {}),
    (9, node("Upsample", "x s", "y", mode="linear"), {"s": SCALES}),
    (9, node("Upsample", "x s", "y"), {"s": SCALES}),
    (10, node("Resize", "x s", "y"), {"s": SCALES}),
    (10, node("Resize", "x s", "y"), {"s": SHRINK}),
    (10, node("Resize", "x s", "y", mode="linear"), {"s": SHRINK}),
    (11, node("Resize", "x r s", "y", mode="cubic"), {"r": np.zeros(0, np.float32), "s": SCALES}),
    (
        9,
        node("Scatter", "x i u", "y", axis=3),
        {"i": INDICES, "u": np.ones((1, 1, 1, 1), np.float32)},
    ),
    (7, node("Dropout", "x", "y", ratio=0.3), {}),
    (10, node("Dropout", "x", "y"), {}),
    (7, node("BatchNormalization", "x s b m v", "y"), STATISTICS),
    (9, node("BatchNormalization", "x s b m v", "y", epsilon=0.01), STATISTICS),
    (7, node("MaxPool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"), {}),
    (7, node("AveragePool", "x", "y", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), {}),
    (
        16,
        node("GridSample", "x g", "y", mode="bilinear"),
        {"g": np.random.default_rng(2).random((2, 3, 3, 2), dtype=np.float32)},
    ),
    (
        16,
        node("GridSample", "x g", "y", mode="bicubic"),
        {"g": np.random.default_rng(2).random((2, 3, 3, 2), dtype=np.float32)},
    ),
    (17, node("DFT", "u", "y", axis=2, onesided=1), {"u": X[..., None]}),
    (
        10,
        node("RoiAlign", "x r i", "y", output_height=2, output_width=2),
        {"r": np.array([[0.0, 1, 4, 5]], np.float32), "i": np.array([1])},
    ),
    (10, node("Mod", "k k", "y"), {"k": np.array([3, -4])}),
]


@pytest.mark.parametrize(
    ("opset", "made", "arrays"),
    CASES,
    ids=[f"{made.op_type}-{opset}-{i}" for i, (opset, made, _) in enumerate(CASES)],
)
def test_means_the_same_as_before(opset, made, arrays):
    kinds = {"mask": TensorProto.BOOL, "i": TensorProto.INT64}
    results = [
        tensor(name, kinds.get(name, TensorProto.INT64 if "k" in arrays else 1), None)
        for name in made.output
    ]
    extra = [] if "x" in made.input else [node("Shape", "x", "shape")]
    old = model([made, *extra], [tensor("x", shape=[2, 4, 6, 6])], results, arrays, opset)
    new = allotrope.load(old, repair=False)
    for before, after in zip(outputs(old, x=X), outputs(new.to_onnx(), x=X), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-6)
        assert after.dtype == before.dtype
    assert [y.name for y in new.outputs] == list(made.output)


C, P = np.arange(1, 5, dtype=np.float32), np.arange(1, 25, dtype=np.float32).reshape(4, 6)
S, B, M, V = (STATISTICS[name][:, None, None] for name in "sbmv")
NORMAL = (X - M) / np.sqrt(V + 1e-5) * S + B
OF_OPSET_6 = [
    (node("Add", "x c", "y", broadcast=1, axis=1), {"c": C}, X + C[:, None, None]),
    (node("Mul", "x p", "y", broadcast=1, axis=-3), {"p": P}, X * P[:, :, None]),
    (node("Sub", "x c", "y", broadcast=1), {"c": P[0]}, X - P[0]),
    (node("Div", "x x", "y"), {}, X / X),
    (node("PRelu", "x c", "y"), {"c": C}, np.where(X < 0, X * C[:, None, None], X)),
    (node("PRelu", "x c", "y"), {"c": C[:1] / 3}, np.where(X < 0, X / 3, X)),
    (
        node("Gemm", "u w c", "y", broadcast=1),
        {"u": X[0, 0], "w": X[0, 1, :, :4], "c": C},
        X[0, 0] @ X[0, 1, :, :4] + C,
    ),
    (node("BatchNormalization", "x s b m v", "y", is_test=1), STATISTICS, NORMAL),
    (node("Dropout", "x", "y", ratio=0.3, is_test=1), {}, X),
    (
        node("Upsample", "x", "y", width_scale=3.0, height_scale=2.0),
        {},
        X.repeat(2, 2).repeat(3, 3),
    ),
    (
        node("AveragePool", "x", "y", kernel_shape=[6, 3], strides=[6, 3]),
        {},
        X.reshape(2, 4, 1, 6, 2, 3).mean((3, 5)),
    ),
]
"""What ONNX Runtime cannot compute any more, with what ONNX says of it, in NumPy."""


@pytest.mark.parametrize(("made", "arrays", "expected"), OF_OPSET_6)
def test_opset_6_means_what_onnx_said(made, arrays, expected):
    old = model([made], [tensor("x", shape=[2, 4, 6, 6])], arrays=arrays, opset=6)
    y = allotrope.load(old, repair=False).run({"x": X})["y"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


def test_an_axis_of_unknown_rank_is_refused_by_name():
    nodes = [node("Reshape", "x s", "h"), node("Add", "h c", "y", name="sum", broadcast=1, axis=1)]
    old = model(
        nodes,
        [tensor("x", shape=[2, 12]), tensor("s", TensorProto.INT64, ["k"])],
        arrays={"c": C},
        opset=6,
    )
    with pytest.raises(UnsupportedError, match=r"'sum'.*number of axes of 'h' is not known"):
        allotrope.load(old)


def test_a_softmax_of_unknown_rank():
    nodes = [node("Reshape", "x s", "h"), node("Softmax", "h", "y")]
    old = model(
        nodes, [tensor("x", shape=[2, 12]), tensor("s", TensorProto.INT64, ["k"])], opset=11
    )
    x, shape = np.random.default_rng(0).random((2, 12), dtype=np.float32), np.array([2, 3, 4])
    after = runtime(allotrope.load(old).to_onnx()).run(None, {"x": x, "s": shape})[0]
    np.testing.assert_allclose(after, runtime(old).run(None, {"x": x, "s": shape})[0], rtol=1e-6)


def test_a_softmax_that_needs_no_change_stays_one_node():
    for axis, shape in ((1, ["n", 10]), (-1, None), (1, ["n", 10, 1, 1])):
        network = allotrope.load(
            model([node("Softmax", "x", "y", axis=axis)], [tensor("x", shape=shape)], opset=11)
        )
        assert [n.operator for n in network.graph.nodes] == ["Softmax"]


def test_group_normalization_by_group_becomes_by_channel():
    arrays = {"s": np.array([1.0, 2.0], np.float32), "b": np.array([0.5, -0.5], np.float32)}
    old = model(
        [node("GroupNormalization", "x s b", "y", num_groups=2)],
        [tensor("x", shape=[2, 4, 6, 6])],
        arrays=arrays,
        opset=18,
    )
    network = allotrope.load(old)
    assert network.trainable == {"s", "b"}
    groups = X.reshape(2, 2, -1)
    plain = (groups - groups.mean(-1, keepdims=True)) / np.sqrt(
        groups.var(-1, keepdims=True) + 1e-5
    )
    expected = (plain * arrays["s"][:, None] + arrays["b"][:, None]).reshape(X.shape)
    np.testing.assert_allclose(outputs(network.to_onnx(), x=X)[0], expected, rtol=1e-4, atol=1e-5)


def test_the_mask_of_an_old_dropout_is_a_number():
    old = model(
        [node("Dropout", "x", "y mask"), node("Add", "y mask", "z")],
        outputs=[tensor("z", shape=None)],
        opset=7,
    )
    assert outputs(allotrope.load(old).to_onnx(), x=np.ones((1, 3), np.float32))[0].tolist() == [
        [2, 2, 2]
    ]


def test_a_clip_of_float64_keeps_its_type():
    old = model(
        [node("Clip", "x", "y", max=0.5)],
        [tensor("x", TensorProto.DOUBLE)],
        [tensor("y", TensorProto.DOUBLE, None)],
        opset=7,
    )
    assert outputs(allotrope.load(old).to_onnx(), x=np.ones((1, 3)))[0].dtype == np.float64


@pytest.mark.parametrize(
    ("opset", "made", "word"),
    [
        (9, node("BatchNormalization", "x s b m v", "y a b2 c y2", name="bn"), "saved_mean"),
    ],
)
def test_what_has_no_equal_is_refused_by_name(opset, made, word):
    results = [tensor(name, shape=None) for name in made.output]
    with pytest.raises(UnsupportedError, match=rf"'bn'.*{word}"):
        allotrope.load(model([made], [tensor("x", shape=[2, 4, 6, 6])], results, STATISTICS, opset))


def test_an_axis_that_is_not_there():
    with pytest.raises(ModelError, match="axis 9 of 2"):
        allotrope.load(model([node("Softmax", "x", "y", axis=9)], opset=11))


def test_new_names_do_not_collide():
    arrays = {"y/pads": np.zeros(3, np.float32)}
    nodes = [
        node("Pad", "x", "p", name="y", pads=[0, 0, 0, 1], value=1.0),
        node("Gather", "p i", "q"),
        node("Add", "q y/pads", "y"),
    ]
    old = model(nodes, [tensor("x", shape=[1, 2])], arrays={**arrays, "i": np.array([0])}, opset=10)
    assert outputs(allotrope.load(old).to_onnx(), x=np.zeros((1, 2), np.float32))[0].tolist() == [
        [0, 0, 1]
    ]
