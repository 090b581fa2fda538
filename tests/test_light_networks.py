"""The drawn weights of the wheel's networks let a comparison fail: the first layer shows."""

import numpy as np
import pytest

import light_networks as light
from onnx_models import outputs

SMALL = ("light_resnet50", "light_shufflenet", "light_squeezenet")
ALLOWED = 1e-4
"""What is called equal, relative to the largest output, when these networks are compared."""


def difference(one, other):
    return np.abs(one - other).max() / np.abs(one).max()


@pytest.mark.parametrize("name", SMALL)
def test_one_filter_of_the_first_layer_is_seen_and_no_class_takes_all(name):
    model = light.with_weights(name)
    image = light.image(model, np.random.default_rng(1))
    (right,) = outputs(model, **image)
    first = light.kernels(model)[0]
    light.scale(first, [1.1, *[1] * (first.dims[0] - 1)])
    (wrong,) = outputs(model, **image)
    assert difference(right, wrong) > ALLOWED
    assert 0.002 < right.max() < 0.1
