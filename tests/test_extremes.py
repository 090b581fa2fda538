"""The largest and smallest along axes, and their gradient.

Equal elements share it, and compiling must not lose it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from allotrope.frameworks import missing

COMPILING = ("jax", "tensorflow")
X = np.random.default_rng(0).standard_normal((4, 128, 3, 3)).astype(np.float32)


def slopes_in_jax(function: Callable[[Any, Any], Any], x: np.ndarray, compiled: bool) -> np.ndarray:
    import jax

    from allotrope.frameworks.jax import extremes as jax_extremes

    slope = jax.grad(lambda x: function(jax_extremes, x).sum())
    return np.asarray((jax.jit(slope) if compiled else slope)(jax.numpy.asarray(x)))


def slopes_in_tensorflow(
    function: Callable[[Any, Any], Any], x: np.ndarray, compiled: bool
) -> np.ndarray:
    import tensorflow as tf

    from allotrope.frameworks.tensorflow import extremes as tensorflow_extremes

    def slope(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(function(tensorflow_extremes, x))
        return tape.gradient(y, x)

    return np.asarray((tf.function(slope, jit_compile=True) if compiled else slope)(tf.constant(x)))


SLOPES = {"jax": slopes_in_jax, "tensorflow": slopes_in_tensorflow}


@pytest.fixture(params=COMPILING)
def slopes(request: pytest.FixtureRequest) -> Callable[..., np.ndarray]:
    if missing(request.param):
        pytest.skip(missing(request.param))
    return SLOPES[request.param]


def normalized(x: Any) -> Any:
    """x [4, 128, 3, 3] as [4, 3, 3, 128], by its mean and variance.

    In each framework a form that XLA computes again for the gradient.
    """
    if type(x).__module__.startswith("tensorflow"):
        import tensorflow as tf

        x, ones = tf.transpose(x, (0, 2, 3, 1)), tf.ones(x.shape[1])
        return tf.raw_ops.FusedBatchNormV3(
            x=x, scale=ones, offset=0.3 * ones, mean=[], variance=[], epsilon=1e-5
        )[0]
    import jax

    x = x.reshape(4, 3, 3, 128)
    return (x - x.mean((0, 1, 2))) * jax.lax.rsqrt(x.var((0, 1, 2)) + 1e-5)


@pytest.mark.parametrize("extreme", ["largest", "smallest"])
def test_compiling_does_not_lose_the_gradient(slopes, extreme):
    weights = np.random.default_rng(1).standard_normal((4, 128)).astype(np.float32)
    gradient, expected = (
        slopes(
            lambda made, x: getattr(made, extreme)(normalized(x), (1, 2), False) * weights,
            X,
            compiled,
        )
        for compiled in (True, False)
    )
    np.testing.assert_allclose(gradient, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("axes", [None, (0,), (-1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [True, False])
def test_equal_elements_share_the_gradient(slopes, axes, keepdims, compiled):
    x = np.random.default_rng(2).integers(0, 3, (3, 4, 5)).astype(np.float32)
    ties = x == x.max(axes, keepdims=True)
    gradient = slopes(lambda made, x: made.largest(x, axes, keepdims), x, compiled)
    np.testing.assert_allclose(gradient, ties / ties.sum(axes, keepdims=True), rtol=1e-6)
    ties = x == x.min(axes, keepdims=True)
    gradient = slopes(lambda made, x: made.smallest(x, axes, keepdims), x, compiled)
    np.testing.assert_allclose(gradient, ties / ties.sum(axes, keepdims=True), rtol=1e-6)


def test_a_nan_loses_no_gradient_and_no_axes_pass_it_on(slopes):
    x = np.array([[1.0, np.nan, 3.0], [2.0, 1.0, 2.0]], np.float32)
    np.testing.assert_array_equal(
        slopes(lambda made, x: made.largest(x, (1,), False), x, True).sum(1), [1, 1]
    )
    np.testing.assert_array_equal(
        slopes(lambda made, x: made.largest(x, (), False), x, True), np.ones((2, 3))
    )
