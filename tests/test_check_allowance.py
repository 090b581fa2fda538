"""What float32 is allowed: kernels that add in a row agree, and wrong answers do not hide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agreeing import TOLERANCES, quiet
from allotrope.frameworks.disturbed import DisturbedPrimitives
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.measure.agreement.comparer import compare_outputs
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.fitting import fitted
from allotrope.measure.agreement.oracle import values
from allotrope.measure.agreement.prepare import prepare
from allotrope.network.build import Builder

LANES = 8
"""Rows that a vector unit adds at once, float32 in 256 bits."""


class InARow(ReferencePrimitives):
    """NumPy's primitives, which really add one number after the other in each of some lanes."""

    def sum(self, x, axes=None, keepdims=False):
        axes = tuple(range(x.ndim)) if axes is None else tuple(axis % x.ndim for axis in axes)
        rest = [axis for axis in range(x.ndim) if axis not in axes]
        rows = x.transpose(*axes, *rest).reshape(math.prod(x.shape[a] for a in axes), -1)
        shape = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
        lanes = np.zeros((-(-len(rows) // LANES) * LANES, rows.shape[1]), x.dtype)
        lanes[: len(rows)] = rows
        lanes = np.cumsum(lanes.reshape(-1, LANES, rows.shape[1]), 0, x.dtype)[-1]
        y = np.cumsum(lanes, 0, x.dtype)[-1].reshape(shape)
        return y if keepdims else np.squeeze(y, axes)

    def mean(self, x, axes=None, keepdims=False):
        y = self.sum(x, axes, keepdims)
        return (y / np.asarray(x.size // y.size, x.dtype)).astype(x.dtype)

    def matmul(self, x, y):
        z = np.zeros(np.matmul(x[..., :1], y[..., :1, :]).shape, x.dtype)
        for k in range(x.shape[-1]):
            z += x[..., k : k + 1] * y[..., k : k + 1, :]
        return z

    def softmax(self, x, axis):
        powers = np.exp(x - np.max(x, axis=axis, keepdims=True))
        return powers / self.sum(powers, (axis,), True)

    def convolution(self, x, weight, bias, strides, pads, dilations, groups):
        y = np.float32(0)
        for c in range(weight.shape[1]):
            for i, j in np.ndindex(*weight.shape[2:]):
                one = np.zeros_like(weight)
                one[:, c, i, j] = weight[:, c, i, j]
                y = y + super().convolution(x, one, None, strides, pads, dilations, groups)
        return y if bias is None else y + bias.reshape(-1, 1, 1)

    def layer_normalize(self, x, scale, bias, shape, epsilon):
        axes = tuple(range(x.ndim - len(shape), x.ndim))
        mean = self.mean(x, axes, True)
        variance = self.mean(np.square(x - mean), axes, True)
        return (x - mean) / np.sqrt(variance + np.float32(epsilon)) * scale + (
            0 if bias is None else bias
        )

    def batch_normalize(self, x, scale, bias, epsilon):
        axes, by_channel = (0, *range(2, x.ndim)), (-1, *[1] * (x.ndim - 2))
        mean = self.mean(x, axes)
        variance = self.mean(np.square(x - mean.reshape(by_channel)), axes)
        return self.normalize(x, scale, bias, mean, variance, epsilon), mean, variance


class Unbiased(InARow):
    """BatchNorm by the variance of a sample, in place of the population's."""

    def batch_normalize(self, x, scale, bias, epsilon):
        _, mean, variance = super().batch_normalize(x, scale, bias, epsilon)
        count = x.size // x.shape[1]
        variance = variance * np.float32(count / (count - 1))
        return self.normalize(x, scale, bias, mean, variance, epsilon), mean, variance


def drawn(b, name, *shape):
    random = np.random.default_rng(len(name))
    return b.weight(name, (random.standard_normal(shape) / 3).astype(np.float32))


def batch_norm(side=16, epsilon=1e-5):
    b, channels = Builder(), 4
    x = b.add("Relu", [b.input("x", "float32", ("n", channels, side, side))])
    state = [b.weight("m", np.zeros(4, np.float32)), b.weight("v", np.ones(4, np.float32))]
    affine = [drawn(b, "scale", channels), drawn(b, "bias", channels)]
    x = b.add("BatchNormalization", [x, *affine, *state], {"epsilon": epsilon, "training_mode": 0})
    b.output(b.add("Relu", [x]), "y")
    return b.network()


def layer_norm(epsilon=1e-5):
    b = Builder()
    x = b.input("x", "float32", ("n", 3, 768))
    b.output(
        b.add(
            "LayerNormalization",
            [x, drawn(b, "scale", 768), drawn(b, "bias", 768)],
            {"epsilon": epsilon},
        ),
        "y",
    )
    return b.network()


def convolution(turned=False, dropped=False):
    b = Builder()
    kernel = np.random.default_rng(0).standard_normal((8, 32, 3, 3)).astype(np.float32)
    kernel = np.swapaxes(kernel, 2, 3) if turned else kernel
    if dropped:
        kernel = kernel.copy()
        kernel[:, 17, 1, 2] = 0
    x = b.add(
        "Conv",
        [b.input("x", "float32", ("n", 32, 9, 9)), b.weight("w", kernel)],
        {"pads": (1, 1, 1, 1)},
    )
    b.output(b.add("Relu", [x]), "y")
    return b.network()


def product(length=512, dropped=False, scale=1.0):
    b = Builder()
    weight = np.random.default_rng(0).standard_normal((length, 8)).astype(np.float32)
    if dropped:
        weight = weight.copy()
        weight[length // 2] = 0
    x = b.add("MatMul", [b.input("x", "float32", ("n", length)), b.weight("w", weight)])
    b.output(b.add("Softmax", [b.add("Mul", [x, b.constant(np.float32(scale / 8))])]), "y")
    return b.network()


def resized(mode="half_pixel"):
    b = Builder()
    x = b.input("x", "float32", ("n", 2, 8, 8))
    how = {"mode": "linear", "coordinate_transformation_mode": mode}
    b.output(b.add("Resize", [x, "", b.constant(np.array([1, 1, 2, 2], np.float32))], how), "y")
    return b.network()


def pooled(padding=0, kernel=3):
    b = Builder()
    x = b.input("x", "float32", ("n", 2, 8, 8))
    how = {"kernel_shape": (kernel, kernel), "pads": (1, 1, 1, 1), "count_include_pad": padding}
    b.output(b.add("AveragePool", [x], how), "y")
    return b.network()


def averaged(axes=(2, 3)):
    b = Builder()
    x = b.input("x", "float32", ("n", 4, 64, 64))
    b.output(
        b.add("ReduceMean", [b.add("Abs", [x]), b.constant(np.array(axes))], {"keepdims": 1}), "y"
    )
    return b.network()


def bent(approximate="none"):
    b = Builder()
    b.output(b.add("Gelu", [b.input("x", "float32", ("n", 64))], {"approximate": approximate}), "y")
    return b.network()


def expectation(network, folder, batch=8):
    file = folder / "network.onnx"
    network.save(file)
    computation = Computation(str(file), "float32", batch, {"n": batch}, 0, 0.1)
    return prepare(fitted(computation, {}, (), quiet), TOLERANCES, False, quiet).expected


def judged(expected, network, p, training):
    """The comparison of float32 outputs that `p` computes of a network, right or wrong."""
    computation = expected.computation
    computed = values(network, computation.probes, computation.inputs(), training, p)
    wanted = expected.training_outputs if training else expected.outputs
    noise = expected.training_noise if training else expected.noise
    return compare_outputs(
        computation.network.graph.nodes, computed, wanted, expected.tolerance.outputs, noise
    )


RIGHT = {
    "batch norm of 512 numbers": batch_norm(8),
    "batch norm of 32,768 numbers": batch_norm(64),
    "batch norm of 131,072 numbers": batch_norm(128),
    "layer norm": layer_norm(),
    "convolution": convolution(),
    "product of 512": product(),
    "product of 8,192": product(8192),
    "mean of 4,096 numbers of one sign": averaged(),
    "average pool": pooled(),
    "resize": resized(),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_a_kernel_that_adds_in_a_row_agrees(name, training, tmp_path):
    expected = expectation(RIGHT[name], tmp_path)["float32"]
    assert judged(expected, expected.computation.network, InARow(), training).departures == ()


WRONG = {
    "epsilon of batch norm": (batch_norm(64), batch_norm(64, 1e-3), InARow, True),
    "epsilon of batch norm, half as small": (batch_norm(8), batch_norm(8, 1e-4), InARow, True),
    "epsilon of layer norm": (layer_norm(), layer_norm(1e-3), InARow, False),
    "variance of a sample of 512": (batch_norm(8), batch_norm(8), Unbiased, True),
    "variance of a sample of 2,048": (batch_norm(16), batch_norm(16), Unbiased, True),
    "statistics of the past": (batch_norm(64), batch_norm(64), None, True),
    "a kernel transposed": (convolution(), convolution(turned=True), InARow, False),
    "a term of a convolution dropped": (convolution(), convolution(dropped=True), InARow, False),
    "a term of 512 dropped": (product(), product(dropped=True), InARow, False),
    "a term of 8,192 dropped": (product(8192), product(8192, dropped=True), InARow, False),
    "a scale, off by a ten-thousandth": (product(), product(scale=1.0001), InARow, False),
    "half a pixel": (resized(), resized("asymmetric"), InARow, False),
    "corners aligned": (resized(), resized("align_corners"), InARow, False),
    "padding counted": (pooled(), pooled(padding=1), InARow, False),
    "gelu by tanh": (bent(), bent("tanh"), InARow, False),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_in_float32_is_caught(name, tmp_path):
    right, wrong, p, training = WRONG[name]
    expected = expectation(right, tmp_path)["float32"]
    verdict = judged(expected, wrong, (p or InARow)(), training and p is not None)
    if p is None:  # evaluation's answer instead of training's
        computation = expected.computation
        computed = values(wrong, computation.probes, computation.inputs(), False, InARow())
        nodes, tolerance = computation.network.graph.nodes, expected.tolerance.outputs
        verdict = compare_outputs(
            nodes, computed, expected.training_outputs, tolerance, expected.training_noise
        )
    assert verdict.departures, verdict


def test_what_float32_cannot_tell_float64_does(tmp_path):
    """Of 131,072 numbers the variance of a sample is 1 / 131,071 more, less than sums round."""
    network = batch_norm(128)
    expected = expectation(network, tmp_path)
    assert judged(
        expected["float32"], expected["float32"].computation.network, Unbiased(), True
    ).agrees
    assert judged(
        expected["float64"], expected["float64"].computation.network, Unbiased(), True
    ).departures


@pytest.mark.parametrize("count", [64, 4096, 262144])
def test_the_allowance_grows_with_the_root_of_the_count(count):
    """Four times the disturbance, which is about epsilon times the root."""
    x = np.abs(np.random.default_rng(0).standard_normal((50, count))).astype(np.float32)
    off = np.abs(DisturbedPrimitives(0).sum(x, (1,)) / x.astype(np.float64).sum(1) - 1)
    assert off.max() == pytest.approx(math.sqrt(count) * 2**-23, rel=0.3)


def test_whole_numbers_are_counted_exactly():
    mask = np.ones((3, 1000), np.float32)
    p = DisturbedPrimitives(0)
    assert (p.sum(mask, (1,)) == 1000).all() and (p.matmul(mask, mask.T) == 1000).all()
    assert p.cumulative_sum(mask, 1)[0, -1] == 1000


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_every_dtype_stays_what_it_is(dtype):
    import ml_dtypes

    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    x = np.linspace(1, 3, 12).reshape(3, 4).astype(kind)
    p = DisturbedPrimitives(0)
    assert {y.dtype for y in (p.sum(x, (0,)), p.mean(x, (0,)), p.cumulative_sum(x, 0))} == {kind}


def test_a_choice_that_disturbed_sums_would_turn_is_judged_by_numpy(tmp_path):
    """Where a sum is compared with what it is exactly, disturbed sums would say nothing."""
    b = Builder()
    x = b.input("x", "float32", ("n", 64))
    halves = b.add("Mul", [b.add("Sign", [x]), b.constant(np.float32(0.5))])
    total = b.add("ReduceSum", [b.add("Abs", [halves]), b.constant(np.array([1]))], {"keepdims": 0})
    b.output(b.add("Equal", [total, b.constant(np.float32(32))]), "y")
    expected = expectation(b.network(), tmp_path)["float32"]
    assert expected.outputs["y"].all()
    wrong = {**expected.outputs, "y": ~expected.outputs["y"]}
    nodes = expected.computation.network.graph.nodes
    assert compare_outputs(nodes, wrong, expected.outputs, 1e-5, expected.noise).departures
