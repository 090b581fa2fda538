"""What a converted PyTorch module is, beside equal.

Names, gradients, shared and frozen weights, statistics, shapes.
"""

from __future__ import annotations

import numpy as np
import pytest

import converted
from allotrope.conversion.pytorch.target import ATTRIBUTES, write
from allotrope.network.build import Builder
from convert_networks import NETWORKS, Weights, recurrent, zoo
from tested import TESTED

pytestmark = pytest.mark.skipif(
    "pytorch" not in TESTED, reason="PyTorch is not among the frameworks that are tested"
)


@pytest.fixture
def opened(tmp_path):
    """The model of a network, from its source in a folder."""

    def open_it(network):
        write(network, tmp_path)
        return converted.module(tmp_path).load()

    return open_it


def tensors(network, count=3):
    import torch

    random = np.random.default_rng(4)
    arrays = []
    for value in network.inputs:
        shape = [
            length if isinstance(length, int) else count + 2 * axis
            for axis, length in enumerate(value.shape)
        ]
        array = (
            random.integers(0, 10, shape)
            if value.dtype.kind in "iu"
            else random.standard_normal(shape)
        )
        arrays.append(torch.from_numpy(array.astype(value.dtype)))
    return arrays


def test_keys_are_the_names_in_the_onnx_file(opened):
    network = zoo("resnet8")
    state = {
        name: value
        for name, value in opened(network).state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert state.keys() == network.weights.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(value.numpy(), network.weights[name], err_msg=name)


@pytest.mark.parametrize("name", ["groups", "layers", "mobilenet_v2", "transformer"])
def test_gradients_are_the_networks(opened, name):
    import torch

    network = NETWORKS[name]()
    model, inputs = opened(network), tensors(network)
    expected = network.gradients(
        {value.name: x.numpy() for value, x in zip(network.inputs, inputs, strict=True)},
        {network.outputs[0].name: np.ones_like(model(*inputs).detach().numpy())},
        framework="pytorch",
    )
    gradients = torch.autograd.grad(model(*inputs).sum(), list(model.parameters()))
    sizes = sorted((g.numel(), float(g.double().square().sum())) for g in gradients)
    wanted = sorted(
        (g.size, float(np.square(g.astype(np.float64)).sum()))
        for n, g in expected.items()
        if n in network.trainable
    )
    assert [size for size, _ in sizes] == [size for size, _ in wanted]
    np.testing.assert_allclose([s for _, s in sizes], [s for _, s in wanted], rtol=1e-3, atol=1e-6)


def test_a_shared_weight_is_one_parameter(opened):
    network = NETWORKS["transformer"]()
    assert len(list(opened(network).parameters())) == len(network.trainable)


def test_a_weight_shared_in_another_order_is_still_one(opened):
    b = Builder()
    w = Weights(b)("fc.weight", 4, 4)
    x = b.input("x", "float32", ("n", 4))
    y = b.add("MatMul", [b.add("Relu", [b.add("MatMul", [x, w])]), w])
    b.output(b.add("MatMul", [y, b.add("Transpose", [w])]), "y")
    model, (x,) = opened(b.network()), tensors(b.network())
    assert len(list(model.parameters())) == 1
    np.testing.assert_allclose(
        model(x).detach().numpy(), b.network().run({"x": x.numpy()})["y"], rtol=1e-4
    )


def test_frozen_weights_do_not_learn(opened):
    network = NETWORKS["whitened_cnn"]()
    learning = {
        name for name, parameter in opened(network).named_parameters() if parameter.requires_grad
    }
    assert learning == network.trainable


def test_momentum_is_the_complement_of_onnxs(opened):
    network = NETWORKS["whitened_cnn"]()
    assert opened(network).layer1.norm1.momentum == pytest.approx(1 - 0.6)
    assert "n / (n - 1)" in type(opened(network)).__doc__


def test_shapes_that_are_computed_become_lengths(opened):
    """The batch and the length of a sequence, taken from the input and put together again."""
    b = Builder()
    x = b.input("x", "float32", ("n", "t", 6))
    shape = b.add("Shape", [x])
    n, t = (b.add("Gather", [shape, b.constant(np.array([axis]))]) for axis in (0, 1))
    apart = b.add("Concat", [n, t, b.constant(np.array([2, 3]))], {"axis": 0})
    y = b.add("Transpose", [b.add("Reshape", [x, apart])], {"perm": (0, 2, 1, 3)})
    flat = b.add(
        "Concat",
        [b.add("Mul", [n, b.constant(np.array([2]))]), t, b.constant(np.array([3]))],
        {"axis": 0},
    )
    b.output(b.add("Reshape", [y, flat]), "y")
    model, (x,) = opened(b.network()), tensors(b.network())
    np.testing.assert_array_equal(model(x).numpy(), b.network().run({"x": x.numpy()})["y"])


def test_a_layer_with_another_meaning_is_spelled_out(opened, tmp_path):
    """nn.GRU has its reset gate after the matrix only.

    The weights stay parameters by their names.
    """
    network = recurrent("GRU", 3)
    model, (tokens,) = opened(network), tensors(network)
    assert "operators.gru(" in (tmp_path / "model.py").read_text()
    assert {"rnn.W", "rnn.R", "rnn.B"} <= dict(model.named_parameters()).keys()
    answers, expected = model(tokens), network.run({"tokens": tokens.numpy()})
    for one, other in zip(answers, expected.values(), strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other, rtol=1e-4, atol=1e-5)


def test_no_submodule_is_called_after_an_attribute():
    from torch import nn

    own = {
        name
        for module in (nn.Module(), nn.ModuleList(), nn.ModuleDict())
        for name in dir(module)
        if not name.startswith("_")
    }
    assert own <= ATTRIBUTES
