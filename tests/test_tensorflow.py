"""What is TensorFlow's own: where its layout has transposes, and the traps of its kernels."""

import numpy as np
import pytest

from allotrope import networks
from allotrope.frameworks import missing

if missing("tensorflow"):
    pytest.skip(missing("tensorflow"), allow_module_level=True)


def test_activations_are_not_transposed_between_convolutions():
    from allotrope.frameworks import framework
    from allotrope.frameworks.tensorflow.importing import tf

    model = framework("tensorflow").native(networks.NETWORKS["resnet8"](classes=4, image=(3, 8, 8)))
    traced = tf.function(model).get_concrete_function(tf.zeros((2, 3, 8, 8)))
    used, waiting = {}, [traced.outputs[0].op]
    while waiting:  # what TensorFlow keeps: all that the output needs
        operation = waiting.pop()
        if operation.name not in used:
            used[operation.name] = operation.type
            waiting += [x.op for x in operation.inputs]
    kinds = list(used.values())
    convolutions, transposes = kinds.count("Conv2D"), kinds.count("Transpose")
    # Of the nine, the two of one place are products of matrices, as the last layer is.
    assert (convolutions, kinds.count("MatMul")) == (7, 3)
    # One a kernel; the images; what the last layer reads, and its weight.
    assert transposes <= convolutions + 3


def test_batch_normalization_has_the_given_epsilon_and_the_population_variance():
    from allotrope.frameworks.tensorflow.primitives import TensorFlowPrimitives

    p = TensorFlowPrimitives()
    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype(np.float32) * 1e-4
    ones, zeros = p.constant(np.ones(3, np.float32)), p.constant(np.zeros(3, np.float32))
    y, _, variance = (p.to_host(z) for z in p.batch_normalize(p.constant(x), ones, zeros, 1e-8))
    expected = (x - x.mean((0, 2, 3), keepdims=True)) / np.sqrt(
        x.var((0, 2, 3), keepdims=True) + 1e-8
    )
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, x.var((0, 2, 3)), rtol=1e-4)
