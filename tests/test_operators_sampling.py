"""Sampling, signals, detection and decoding.

Against PyTorch's and NumPy's own functions and ONNX Runtime.
"""

import io

import numpy as np
import pytest
import torch
from onnx import TensorProto
from PIL import Image

from allotrope import load
from allotrope.errors import DataError, ModelError, UnsupportedError
from onnx_models import model, node, nodes, runtime, tensor
from tested import TESTED


def run(source, inputs, framework):
    return next(iter(load(source).run(inputs, framework=framework).values()))


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_grid_sample_as_onnx_runtime(framework, mode, padding, align):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 5, 6)).astype(np.float32)
    grid = rng.uniform(-1.6, 1.6, (2, 4, 7, 2)).astype(np.float32)
    nodes = [
        node("GridSample", "x grid", "y", mode=mode, padding_mode=padding, align_corners=align)
    ]
    source = model(nodes, [tensor("x", shape=x.shape), tensor("grid", shape=grid.shape)])
    expected = runtime(source).run(None, {"x": x, "grid": grid})[0]
    np.testing.assert_allclose(
        run(source, {"x": x, "grid": grid}, framework), expected, rtol=1e-3, atol=1e-4
    )


def test_grid_sample_gradients_as_pytorch():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 5, 6)).astype(np.float32)
    grid = rng.uniform(-0.9, 0.9, (2, 4, 7, 2)).astype(np.float32)
    seed = rng.standard_normal((2, 3, 4, 7)).astype(np.float32)
    network = load(
        model(
            [node("GridSample", "x grid", "y")],
            [tensor("x", shape=x.shape), tensor("grid", shape=grid.shape)],
        )
    )
    gradients = network.gradients({"x": x, "grid": grid}, {"y": seed}, framework="pytorch")
    leaves = [torch.tensor(a, requires_grad=True) for a in (x, grid)]
    y = torch.nn.functional.grid_sample(*leaves, align_corners=False)
    for expected, name in zip(
        torch.autograd.grad(y, leaves, torch.tensor(seed)), ("x", "grid"), strict=True
    ):
        np.testing.assert_allclose(gradients[name], expected.numpy(), rtol=1e-4, atol=1e-5)


def test_grid_with_nan_and_huge_places_reads_nothing_outside(framework):
    grid = np.array([np.nan, np.inf, -np.inf, 1e30, 0.0, 0.0], np.float32).reshape(1, 1, 3, 2)
    x = np.ones((1, 1, 4, 4), np.float32)
    for mode in ("nearest", "linear", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            nodes = [node("GridSample", "x grid", "y", mode=mode, padding_mode=padding)]
            y = run(
                model(nodes, [tensor("x", shape=x.shape), tensor("grid", shape=grid.shape)]),
                {"x": x, "grid": grid},
                framework,
            )
            assert y.shape == (1, 1, 1, 3)
            assert y[0, 0, 0, 2] == pytest.approx(1)


@pytest.mark.parametrize("ratio", [0, 2])
@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("half", ["half_pixel", "output_half_pixel"])
def test_roi_align_as_onnx_runtime(framework, half, mode, ratio):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 9, 11)).astype(np.float32)
    rois = np.array([[1, 2, 7, 8], [0, 0, 3.5, 2], [-2, -2, 12, 10]], np.float32)
    attributes = {
        "output_height": 3,
        "output_width": 2,
        "sampling_ratio": ratio,
        "spatial_scale": 0.9,
        "mode": mode,
    }
    nodes = [
        node("RoiAlign", "x rois images", "y", coordinate_transformation_mode=half, **attributes)
    ]
    inputs = [
        tensor("x", shape=x.shape),
        tensor("rois", shape=rois.shape),
        tensor("images", TensorProto.INT64, (3,)),
    ]
    values = {"x": x, "rois": rois, "images": np.array([1, 0, 1])}
    expected = runtime(model(nodes, inputs)).run(None, values)[0]
    np.testing.assert_allclose(
        run(model(nodes, inputs), values, framework), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", TESTED)
def test_roi_align_shares_the_gradient_of_points_that_only_rounding_parts(name):
    x = np.array([0, 1, 7, 3, 2], np.float32).reshape(1, 1, 1, 5)
    rois = np.array([[2.1, 0.5, 2.9, 1.0]], np.float32)  # its two points are at 1.8 and 2.2
    nodes = [
        node(
            "RoiAlign",
            "x rois images",
            "y",
            mode="max",
            sampling_ratio=2,
            coordinate_transformation_mode="half_pixel",
        )
    ]
    ends = [
        tensor("x", shape=x.shape),
        tensor("rois", shape=rois.shape),
        tensor("images", TensorProto.INT64, (1,)),
    ]
    network, values = load(model(nodes, ends)), {"x": x, "rois": rois, "images": np.array([0])}
    assert network.run(values, framework=name)["y"].item() == pytest.approx(0.8 * 7)
    gradients = network.gradients(values, {"y": np.ones((1, 1, 1, 1), np.float32)}, framework=name)
    np.testing.assert_allclose(gradients["x"].reshape(-1), [0, 0, 0.8, 0, 0], atol=1e-6)
    np.testing.assert_allclose(gradients["rois"][0, ::2], [7 / 4, -7 / 4], rtol=1e-5)
    assert np.isnan(network.run(values | {"x": x * np.nan}, framework=name)["y"]).all()


@pytest.mark.parametrize("centred", [0, 1])
def test_non_max_suppression_as_onnx_runtime(framework, centred):
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 1, (2, 40, 4)).astype(np.float32)
    scores = rng.uniform(0, 1, (2, 3, 40)).astype(np.float32)
    arrays = {
        "most": np.array([9]),
        "iou": np.array([0.4], np.float32),
        "least": np.array([0.2], np.float32),
    }
    nodes = [
        node("NonMaxSuppression", "boxes scores most iou least", "y", center_point_box=centred)
    ]
    ends = [tensor("boxes", shape=boxes.shape), tensor("scores", shape=scores.shape)]
    source = model(nodes, ends, [tensor("y", TensorProto.INT64, None)], arrays)
    inputs = {"boxes": boxes, "scores": scores}
    assert run(source, inputs, framework).tolist() == runtime(source).run(None, inputs)[0].tolist()


@pytest.mark.parametrize("length", [7, 8, 5, 12])
def test_fourier_transforms_as_numpy(framework, length):
    z = np.random.default_rng(0).standard_normal((2, 8, 2)).astype(np.float32)
    numbers = z[..., 0] + 1j * z[..., 1]
    pairs = {
        (0, 0): np.fft.fft(numbers, length),
        (1, 0): np.fft.ifft(numbers, length),
        (1, 1): np.fft.irfft(numbers, length),
    }
    for (inverse, onesided), expected in pairs.items():
        nodes = [node("DFT", "x length", "y", inverse=inverse, onesided=onesided)]
        y = run(
            model(nodes, [tensor("x", shape=z.shape)], arrays={"length": np.array(length)}),
            {"x": z},
            framework,
        )
        wanted = expected[..., None] if onesided else np.stack((expected.real, expected.imag), -1)
        np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)


def test_frames_that_do_not_fit_are_named(framework):
    arrays = {"step": np.array(2), "window": np.ones(9, np.float32)}
    source = model(
        [node("STFT", "x step window", "y")], [tensor("x", shape=(1, 4, 1))], arrays=arrays
    )
    with pytest.raises(ModelError, match="frames of length 9"):
        load(source).run({"x": np.ones((1, 4, 1), np.float32)}, framework=framework)


def test_image_that_cannot_be_decoded_is_named(framework):
    ends = [tensor("x", TensorProto.UINT8, ("n",))], [tensor("y", TensorProto.UINT8, None)]
    network = load(model([node("ImageDecoder", "x", "y")], *ends))
    pixels = np.random.default_rng(0).integers(0, 255, (4, 5, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    raw = np.frombuffer(file.getvalue(), np.uint8)
    assert (network.run({"x": raw}, framework=framework)["y"] == pixels).all()
    for bad in (
        raw[:40],
        np.zeros(0, np.uint8),
        np.frombuffer(b"%!PS-Adobe-3.0 EPSF-3.0", np.uint8),
    ):
        with pytest.raises(DataError, match=f"{bad.size} bytes are no image"):
            network.run({"x": bad}, framework=framework)


@pytest.mark.parametrize("name", TESTED)
def test_gradients_by_values_that_must_be_known_are_refused(name):
    nodes = [node("Resize", "x none scales", "y", mode="linear")]
    source = model(
        nodes,
        [tensor("x", shape=(1, 1, 4, 4)), tensor("scales", shape=(4,))],
        arrays={"none": np.zeros(0, np.float32)},
    )
    inputs = {"x": np.ones((1, 1, 4, 4), np.float32), "scales": np.array([1, 1, 2, 2], np.float32)}
    with pytest.raises(
        UnsupportedError, match=r"Resize \(node 'y'\): there is no gradient by scales"
    ):
        load(source).gradients(inputs, {"y": np.ones((1, 1, 8, 8), np.float32)}, framework=name)


@pytest.mark.parametrize("name", TESTED)
def test_gradients_pass_if_known_values_give_no_floats(name):
    source = model(
        nodes(
            "Mul x x -> square",
            "NonZero square -> places",
            "Transpose places -> rows",
            "GatherND square rows -> y",
        ),
        [tensor("x", shape=(2, 2))],
    )
    gradients = load(source).gradients(
        {"x": np.array([[0, 2], [3, 0]], np.float32)}, {"y": np.ones(2, np.float32)}, framework=name
    )
    assert gradients["x"].tolist() == [[0, 4], [6, 0]]


@pytest.mark.parametrize("name", TESTED)
def test_the_slope_at_a_whole_place_is_the_mean_of_both_sides(name):
    x = np.array([1, 2, 7], np.float32).reshape(1, 1, 1, 3)
    grid = np.zeros((1, 1, 1, 2), np.float32)
    source = model(
        [node("GridSample", "x grid", "y", align_corners=1)],
        [tensor("x", shape=x.shape), tensor("grid", shape=grid.shape)],
    )
    gradients = load(source).gradients(
        {"x": x, "grid": grid}, {"y": np.ones((1, 1, 1, 1), np.float32)}, framework=name
    )
    assert gradients["grid"][0, 0, 0, 0] == pytest.approx((7 - 1) / 2)
