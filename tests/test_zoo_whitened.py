"""The whitening network: its filters whiten, its frozen parts do not train.

Its shape is the record's.
"""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from allotrope.errors import UsageError
from allotrope.network import zoo
from allotrope.network.rewriting.compose import with_preprocessing

MEAN, STD = (125.0, 120.0, 110.0), (60.0, 60.0, 65.0)


def smooth_pictures(n=40):
    """Neighbouring pixels and channels alike, as in photographs."""
    random = np.random.default_rng(0)
    noise = (
        random.standard_normal((n, 33, 33, 3)).cumsum(axis=1).cumsum(axis=2)
        + random.standard_normal((n, 1, 1, 1)) * 10
    )
    return np.clip(noise[:, 1:, 1:] * 4 + 120, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def filters():
    return zoo.whitening_filters(smooth_pictures(), MEAN, STD, epsilon=0.0)


def test_filters_decorrelate_patches(filters):
    assert filters.shape == (24, 3, 2, 2) and filters.dtype == np.float32
    np.testing.assert_array_equal(filters[12:], -filters[:12])
    x = ((smooth_pictures() - np.array(MEAN)) / np.array(STD)).transpose(0, 3, 1, 2)
    corners = [x[:, :, i : i + 31, j : j + 31] for i in range(2) for j in range(2)]
    patches = np.stack(corners, axis=2)  # n, c, 4, 31, 31
    whitened = np.einsum("ock,nckhw->onhw", filters[:12].reshape(12, 3, 4), patches).reshape(12, -1)
    np.testing.assert_allclose(whitened @ whitened.T / whitened.shape[1], np.eye(12), atol=2e-3)


def test_directions_in_which_the_images_hold_nothing_are_left_out():
    grey = np.repeat(smooth_pictures()[..., :1], 3, axis=3)
    filters = zoo.whitening_filters(grey, MEAN[:1] * 3, STD[:1] * 3)
    assert filters.shape == (8, 3, 2, 2)
    np.testing.assert_allclose(filters, np.repeat(filters[:, :1], 3, axis=1), atol=1e-4)
    assert np.isfinite(zoo.whitening_filters(np.zeros_like(grey), (0, 0, 0), STD)).all()


def test_whitening_uses_a_spread_of_the_images():
    images = np.concatenate([smooth_pictures(20), 255 - smooth_pictures(20)])
    every_second = zoo.whitening_filters(images, MEAN, STD, limit=20)
    np.testing.assert_array_equal(every_second, zoo.whitening_filters(images[::2], MEAN, STD))


def test_airbench94_has_its_published_shape(filters):
    """1.97 M weights for CIFAR-10.

    https://github.com/KellerJordan/cifar10-airbench/blob/master/airbench94.py
    """
    network = zoo.whitened_cnn(10, (3, 32, 32), filters=filters)
    np.testing.assert_array_equal(network.weights["whiten.weight"], filters)
    frozen = {name for name in network.weights if name not in network.trainable}
    groups = range(1, 4)
    states = {
        f"layer{g}.norm{n}.{part}"
        for g in groups
        for n in (1, 2)
        for part in ("weight", "running_mean", "running_var")
    }
    assert frozen == {"whiten.weight"} | states
    convolutions = [24, 64, 64, 64, 64, 256, 256, 256, 256, 256, 256, 256]
    expected = (
        sum(9 * i * o for i, o in zip(convolutions[::2], convolutions[1::2], strict=True))
        + 2560
        + 24
        + 2 * (64 + 256 + 256)
    )
    assert sum(network.weights[name].size for name in network.trainable) == expected == 1_971_352
    shapes = {name: value.shape for name, value in network.graph.values.items()}
    assert [shapes[f"layer{g}.pool"][2] for g in groups] == [15, 7, 3]


def test_group_of_three_has_a_shortcut_and_runs():
    network = zoo.whitened_cnn(10, (3, 32, 32), depth=3, channels=(8, 16))
    assert [node.name for node in network.graph.nodes if node.operator == "Add"] == [
        "layer1.add",
        "layer2.add",
    ]
    whole = with_preprocessing(network, MEAN, STD)
    session = onnxruntime.InferenceSession(
        whole.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert np.isfinite(session.run(None, {"image": smooth_pictures(3)})[0]).all()


def test_wrong_filters_and_depth_are_said_at_once(filters):
    with pytest.raises(UsageError) as raised:
        zoo.whitened_cnn(10, (1, 28, 28), filters=filters, depth=4)
    assert "filters must be [o, 1, k, k], found [24, 3, 2, 2]" in str(raised.value)
    assert "depth must be 2 or 3, found 4" in str(raised.value)
