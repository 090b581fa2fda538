"""TensorFlow's two ways to normalize by the batch: one kernel, and single steps."""

import numpy as np
import pytest

from allotrope.frameworks import missing

if missing("tensorflow") is not None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

from allotrope.frameworks.tensorflow import neural
from allotrope.frameworks.tensorflow.arrays import to_numpy
from allotrope.frameworks.tensorflow.importing import tf
from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives

RANDOM = np.random.default_rng(3)
WAYS = (neural.normalize_by_batch, neural.normalize_by_sums)


def arrays(channels, dtype="float32"):
    """x [n, h, w, c] far from 0, scale, bias and the slope of the result."""
    x = tf.constant(RANDOM.normal(30, 2, (5, 4, 3, channels)), dtype)
    scale, bias = (tf.constant(RANDOM.normal(size=channels), tf.float32) for _ in range(2))
    return x, scale, bias, tf.constant(RANDOM.normal(size=x.shape), dtype)


def results_and_slopes(way, x, scale, bias, slope):
    with tf.GradientTape() as tape:
        tape.watch([x, scale, bias])
        results = way(x, scale, bias, 1e-3)
    slopes = tape.gradient(results[0], [x, scale, bias], output_gradients=slope)
    return [to_numpy(each) for each in (*results, *slopes)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_both_ways_are_one(channels, dtype):
    taken = arrays(channels, dtype)
    by_kernel, by_sums = (results_and_slopes(way, *taken) for way in WAYS)
    tolerance = 2e-2 if dtype == "bfloat16" else 2e-5
    for one, other in zip(by_kernel, by_sums, strict=True):
        assert one.dtype == other.dtype
        wide = other.astype(np.float32)
        np.testing.assert_allclose(one.astype(np.float32), wide, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("channels", "steps"), [(58, 0), (57, 0), (60, 1)])
def test_the_kernel_is_taken_where_its_vectors_are_filled(channels, steps):
    @tf.function
    def normalized(x, scale, bias):
        return TensorFlowPrimitives().batch_normalize(x, scale, bias, 1e-5)

    x = tf.zeros((2, channels, 3, 3))
    graph = normalized.get_concrete_function(x, tf.ones(channels), tf.zeros(channels)).graph
    kernels = [each for each in graph.get_operations() if each.type == "FusedBatchNormV3"]
    if tf.config.list_logical_devices("GPU"):
        steps = 1
    assert len(kernels) == steps
