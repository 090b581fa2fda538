"""Published weights load by name; whatever does not fit is said at once."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from allotrope.errors import ModelError
from allotrope.network import zoo

# The names that torchvision's files have, written out, for one block with and one without
# projection.
RESNET18_NAMES = """
conv1.weight
bn1.weight
bn1.bias
bn1.running_mean
bn1.running_var
layer1.0.conv1.weight
layer1.0.bn1.weight
layer1.1.conv2.weight
layer1.1.bn2.running_var
layer2.0.conv1.weight
layer2.0.downsample.0.weight
layer2.0.downsample.1.weight
layer2.0.downsample.1.bias
layer2.0.downsample.1.running_mean
layer2.0.downsample.1.running_var
layer4.1.bn2.bias
fc.weight
fc.bias
"""
MOBILENET_NAMES = """
features.0.0.weight
features.0.1.running_mean
features.1.conv.0.0.weight
features.1.conv.0.1.bias
features.1.conv.1.weight
features.1.conv.2.weight
features.2.conv.0.0.weight
features.2.conv.0.1.weight
features.2.conv.1.0.weight
features.2.conv.1.1.weight
features.2.conv.2.weight
features.2.conv.3.running_var
features.17.conv.3.bias
features.18.0.weight
features.18.1.weight
classifier.1.weight
classifier.1.bias
"""


def small():
    return zoo.resnet8(10, (3, 32, 32))


def stand_in(tmp_path, change=lambda weights: None):
    """A file as a publisher would make it: other numbers, PyTorch's counters among them."""
    weights = {
        name: np.full(array.shape, 0.5, np.float32) for name, array in small().weights.items()
    }
    weights["bn1.num_batches_tracked"] = np.array(7, np.int64)
    change(weights)
    save_file(weights, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_names_are_torchvisions():
    resnet = zoo.resnet18(3, (3, 32, 32), width=0.1)
    assert set(RESNET18_NAMES.split()) <= set(resnet.weights)
    # resnet18's state_dict has 122 entries, 20 of them num_batches_tracked.
    assert len(resnet.weights) == 102
    mobilenet = zoo.mobilenet_v2(3, (3, 32, 32), width=0.1)
    assert set(MOBILENET_NAMES.split()) <= set(mobilenet.weights)
    # mobilenet_v2's state_dict has 314 entries, 52 of them num_batches_tracked.
    assert len(mobilenet.weights) == 262


def test_running_statistics_are_state():
    network = zoo.resnet18(3, (3, 32, 32), width=0.1)
    assert {name for name in network.weights if name not in network.trainable} == {
        name for name in network.weights if "running_" in name
    }
    node = next(node for node in network.graph.nodes if node.operator == "BatchNormalization")
    assert node.inputs[1:] == ("bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var")
    assert (node.attributes["epsilon"], node.attributes["momentum"]) == (1e-5, 0.9)


def test_weights_load_by_name(tmp_path):
    network = zoo.load_safetensors(small(), stand_in(tmp_path))
    assert network.trainable == small().trainable
    assert all(
        (array == 0.5).all() and array.dtype == np.float32 for array in network.weights.values()
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float64, ml_dtypes.bfloat16])
def test_other_precisions_are_brought_to_the_networks(tmp_path, dtype):
    path = stand_in(tmp_path, lambda weights: weights.update({"fc.bias": np.full(10, 0.25, dtype)}))
    bias = zoo.load_safetensors(small(), path).weights["fc.bias"]
    assert bias.dtype == np.float32 and (bias == 0.25).all()


def spoil(weights):
    del weights["fc.bias"], weights["bn1.bias"]
    weights["head.weight"] = np.zeros((2, 2), np.float32)
    weights["fc.weight"] = np.zeros((1000, 64), np.float32)
    weights["conv1.weight"] = np.zeros((16, 3, 3, 3), np.int8)


def test_all_that_does_not_fit_is_said_at_once(tmp_path):
    with pytest.raises(ModelError) as raised:
        zoo.load_safetensors(small(), stand_in(tmp_path, spoil))
    message = str(raised.value)
    assert "2 missing: bn1.bias, fc.bias" in message
    assert "1 unexpected: head.weight [2, 2]" in message
    assert "2 of another shape or type" in message
    assert "fc.weight is float32 [1000, 64] and must be float32 [10, 64]" in message
    assert "conv1.weight is int8 [16, 3, 3, 3] and must be float32 [16, 3, 3, 3]" in message


def test_without_strict_what_fits_is_loaded_and_the_rest_stays(tmp_path):
    network = zoo.load_safetensors(small(), stand_in(tmp_path, spoil), strict=False)
    assert (network.weights["layer1.0.conv1.weight"] == 0.5).all()
    for name in ("fc.weight", "fc.bias", "conv1.weight"):
        np.testing.assert_array_equal(network.weights[name], small().weights[name])


def test_file_in_which_nothing_fits_is_refused(tmp_path):
    save_file({"other": np.zeros(3, np.float32)}, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match="1 unexpected: other"):
        zoo.load_safetensors(small(), tmp_path / "weights.safetensors", strict=False)


@pytest.mark.parametrize("content", [b"", b"\0" * 20, b"\xff" * 64])
def test_broken_file_is_refused(tmp_path, content):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.safetensors"):
        zoo.load_safetensors(small(), path)


def test_truncated_file_and_missing_file_and_folder_are_refused(tmp_path):
    path = stand_in(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    for wrong in (path, tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(ModelError, match=wrong.name):
            zoo.load_safetensors(small(), wrong)
