"""Activations by name: what each means in every framework, and where networks take it.

In float64: outputs and gradients are those of PyTorch's own functions, and where other frameworks
have one of that name, of theirs.
"""

from __future__ import annotations

import numpy as np
import pytest

from allotrope import recipe_choices
from allotrope.errors import UsageError
from allotrope.frameworks.widening import widened
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.initialize import draw, glorot_uniform, he_normal, lecun_normal
from allotrope.network.zoo.named_activations import (
    ACTIVATIONS,
    activated,
    activation_named,
    gated_names,
)

torch = pytest.importorskip("torch")
functional = torch.nn.functional
CHANNELS = 6
X = np.random.default_rng(0).normal(0, 3, (5, CHANNELS, 4))


def halves(z):
    return z[:, : CHANNELS // 2], z[:, CHANNELS // 2 :]


def gate(bend):
    return lambda z: halves(z)[0] * bend(halves(z)[1])


def selu(z):
    """With ONNX's constants, which are rounded to float32: 3e-8 off those of PyTorch and JAX."""
    alpha, gamma = 1.67326319217681884765625, 1.05070102214813232421875
    return gamma * torch.where(z > 0, z, alpha * torch.expm1(z))


PYTORCH = {
    "gelu-tanh": lambda z: functional.gelu(z, approximate="tanh"),
    # Written out: the gradient of PyTorch's own takes a sixth in float32, 5e-9 off.
    "hard-sigmoid": lambda z: functional.relu6(z + 3) / 6,
    "hard-swish": functional.hardswish,
    "leaky-relu": functional.leaky_relu,
    "log-softmax": lambda z: functional.log_softmax(z, 1),
    "prelu": lambda z: functional.prelu(z, torch.full((CHANNELS,), 0.25, dtype=z.dtype)),
    "selu": selu,
    "softmax": lambda z: functional.softmax(z, 1),
    # Written out: beyond 20 PyTorch's own takes softplus for the identity, a difference of 2e-9.
    "softplus": lambda z: torch.logaddexp(z, torch.zeros_like(z)),
    "mish": lambda z: z * torch.tanh(torch.logaddexp(z, torch.zeros_like(z))),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "glu": lambda z: functional.glu(z, 1),
    "reglu": gate(functional.relu),
    "geglu": gate(functional.gelu),
    "swiglu": gate(functional.silu),
}


def every_activation():
    """A network of one input and an output for each activation."""
    builder = Builder()
    x = builder.input("x", np.float32, ("n", CHANNELS, 4))

    def weight(name, shape, initializer):
        return builder.weight(name, draw(initializer, 0, name, shape))

    for name, activation in ACTIVATIONS.items():
        own = builder.add("Mul", [x, builder.constant(np.float32(1))], name=f"{name}.x")
        y = activated(builder, own, activation, CHANNELS, weight, behind=1)
        builder.output(y, name)
    return widened(builder.network())


def own_answers():
    """Outputs and the gradient of x by PyTorch's own functions, each alone."""
    answers = {}
    for name in ACTIVATIONS:
        x = torch.tensor(X, requires_grad=True)
        y = PYTORCH.get(name, getattr(functional, name, None))(x)
        seed = torch.linspace(-1, 1, y.numel(), dtype=y.dtype).reshape(y.shape)
        (y * seed).sum().backward()
        answers[name] = y.detach().numpy(), seed.numpy(), x.grad.numpy()
    return answers


def test_outputs_are_those_of_pytorchs_own_functions(framework):
    outputs = every_activation().run({"x": X}, framework)
    for name, (expected, _, _) in own_answers().items():
        np.testing.assert_allclose(outputs[name], expected, rtol=1e-10, atol=1e-10, err_msg=name)


def test_gradients_are_those_of_pytorchs_own_functions(framework):
    if framework == "reference":
        pytest.skip("the reference has outputs only")
    network, expected = every_activation(), own_answers()
    seeds = {name: seed for name, (_, seed, _) in expected.items()}
    gradients = network.gradients({"x": X}, seeds, framework)
    total = sum(gradient for _, _, gradient in expected.values())
    np.testing.assert_allclose(gradients["x"], total, rtol=1e-10, atol=1e-10)
    below = np.minimum(X, 0) * seeds["prelu"]
    slopes = gradients["prelu.x.prelu.weight"]
    np.testing.assert_allclose(slopes[:, 0], below.sum(axis=(0, 2)), rtol=1e-10)


def test_a_planted_difference_is_found():
    outputs = every_activation().run({"x": X}, "reference")
    expected = own_answers()
    assert np.abs(outputs["gelu"] - expected["gelu-tanh"][0]).max() > 1e-4


JAX_NAMES = {
    **{name: name for name in ("celu", "elu", "mish", "relu", "relu6", "silu", "sigmoid")},
    "hard-sigmoid": "hard_sigmoid",
    "hard-swish": "hard_swish",
    "leaky-relu": "leaky_relu",
    "softsign": "soft_sign",
    "softplus": "softplus",
}


def test_they_are_those_of_jax_nn():
    """`jax.nn.gelu` is by tanh unless it is told otherwise."""
    jax = pytest.importorskip("jax")
    outputs = every_activation().run({"x": X}, "reference")
    with jax.enable_x64(True):
        for name, theirs in JAX_NAMES.items():
            expected = getattr(jax.nn, theirs)(X)
            np.testing.assert_allclose(outputs[name], expected, atol=1e-10, err_msg=name)
        np.testing.assert_allclose(outputs["gelu-tanh"], jax.nn.gelu(X), atol=1e-10)
        np.testing.assert_allclose(outputs["gelu"], jax.nn.gelu(X, approximate=False), atol=1e-10)


@pytest.mark.parametrize(
    ("name", "initializer"),
    [("relu", he_normal), ("gelu", he_normal), ("selu", lecun_normal), ("tanh", glorot_uniform)],
)
def test_weights_begin_as_suits_the_activation(name, initializer):
    network = zoo.cnn(3, (2, 8, 8), channels=(4,), hidden=(), activation=name)
    drawn = draw(initializer, 0, "conv1.weight", (4, 2, 3, 3))
    np.testing.assert_array_equal(network.weights["conv1.weight"], drawn)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_layers_take_every_activation(name, activation):
    network = zoo.network(name)(3, (1, 8, 8), activation=activation, width=0.25)
    assert network.outputs[0].shape == ("n", 3)
    assert network.run({"x": np.ones((2, 1, 8, 8), np.float32)})["logits"].shape == (2, 3)


def test_networks_that_cannot_gate_say_which_can():
    for name in gated_names():
        with pytest.raises(UsageError, match=f"activation {name} halves .* mlp, cnn, cnn_3d"):
            zoo.resnet8(3, (3, 8, 8), activation=name)


@pytest.mark.parametrize("name", ["swiglu", "prelu", "hard-swish"])
@pytest.mark.parametrize("family", ["text_cnn", "transformer"])
def test_networks_for_texts_take_them(family, name):
    vocabulary = np.arange(8, dtype=np.int32)
    network = zoo.TEXT_NETWORKS[family](2, vocabulary, activation=name)
    (output,) = network.run({"words": np.array([[1, 2, 3, 0]], np.int32)}).values()
    assert output.shape == (1, 2)


def test_tables_take_what_bends_each_number_by_itself():
    style = zoo.TableStyle(members=2, hidden=(4,), pieces=0, activation="hard-swish")
    network = zoo.table_mlp({"y": 1}, 3, style=style)
    assert "HardSwish" in {node.operator for node in network.graph.nodes}
    other = zoo.TableStyle(members=2, hidden=(4,), activation="softmax")
    with pytest.raises(UsageError, match="activation softmax does not fit table_mlp"):
        zoo.table_mlp({"y": 1}, 3, style=other)


def test_options_offer_each():
    assert set(recipe_choices.ACTIVATIONS) == set(ACTIVATIONS)


def test_names_are_read_as_they_are_written_elsewhere():
    assert activation_named("GELU") is ACTIVATIONS["gelu"]
    assert activation_named("leaky_relu") is ACTIVATIONS["leaky-relu"]
    assert activation_named("swish") is ACTIVATIONS["silu"]
    with pytest.raises(UsageError, match=r"unknown activation 'geluu'\. Did you mean 'gelu'"):
        activation_named("geluu")
