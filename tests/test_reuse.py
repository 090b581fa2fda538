"""Activations that compute in the array they are given: only if nobody else sees it."""

import numpy as np
import pytest

from allotrope.frameworks.lowering import lowered
from allotrope.frameworks.reference.primitives import ReferencePrimitives
from allotrope.network.build import Builder
from allotrope.operators.interpret import Program
from tested import TESTED

X = np.random.default_rng(5).normal(0, 4, (2, 3, 4, 4)).astype(np.float32)
BOUNDS = {"Relu": (), "Clip": (np.float32(0), np.float32(1))}


def network(operator, other=None, first="Conv"):
    """An activation of what `first` gives; `other` is the second user of the same value."""
    b = Builder()
    x = b.input("x", "float32", X.shape)
    y = {
        "Conv": lambda: b.add(
            "Conv", [x, b.weight("weight", np.eye(3, dtype=np.float32)[:, :, None, None])]
        ),
        "Add": lambda: b.add("Add", [x, x]),
        "Identity": lambda: b.add("Identity", [x]),
        "Reshape": lambda: b.add("Reshape", [b.add("Neg", [x]), b.constant(np.array([2, 3, 16]))]),
    }[first]()
    seen = {
        "output": lambda: y,
        "view": lambda: b.add("Reshape", [y, b.constant(np.array([2, 48]))]),
        "product": lambda: b.add("Mul", [y, y]),
    }.get(other, lambda: None)()
    b.output(b.add(operator, [y, *map(b.constant, BOUNDS[operator])]), "result")
    if seen is not None:
        b.output(seen, "seen")
    return b.network()


def overwriting(network):
    p = ReferencePrimitives()
    return [step.node.operator for step in Program(lowered(network), p, p).steps if step.overwrites]


@pytest.mark.parametrize("operator", BOUNDS)
def test_where_an_array_is_overwritten(operator):
    assert (
        overwriting(network(operator)) == overwriting(network(operator, first="Add")) == [operator]
    )
    for first in ("Identity", "Reshape"):
        assert not overwriting(network(operator, first=first))
    for other in ("output", "view", "product"):
        assert not overwriting(network(operator, other))


@pytest.mark.parametrize("name", TESTED)
@pytest.mark.parametrize("first", ["Conv", "Add", "Identity", "Reshape"])
@pytest.mark.parametrize("other", [None, "output", "view", "product"])
@pytest.mark.parametrize("operator", BOUNDS)
def test_what_others_see_stays(operator, other, first, name):
    tested, x = network(operator, other, first), X.copy()
    outputs, expected = tested.run({"x": x}, name), tested.run({"x": X})
    for key, value in expected.items():
        np.testing.assert_allclose(outputs[key], value, rtol=1e-6, atol=1e-6, err_msg=key)
    np.testing.assert_array_equal(x, X)
    slopes = {key: np.ones_like(value) for key, value in expected.items()}
    gradients = tested.gradients({"x": x}, slopes, name)
    inside = (outputs["result"] > 0) & ((outputs["result"] < 1) | (operator == "Relu"))
    sign = {"Conv": 1, "Add": 2, "Identity": 1, "Reshape": -1}[first]
    of_seen = {None: 0, "output": sign, "view": sign, "product": 2 * sign**2 * X}[other]
    np.testing.assert_allclose(
        gradients["x"], sign * inside.reshape(X.shape) + of_seen, rtol=1e-5, atol=1e-5
    )


@pytest.mark.skipif("pytorch" not in TESTED, reason="PyTorch is not tested")
def test_pytorch_overwrites():
    import torch

    from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives

    p, x = PyTorchPrimitives(), torch.from_numpy(X)
    y = x.clone()
    assert p.overwriting().clip(y, -1.0, 1.0) is y
    assert torch.equal(y, x.clamp(-1, 1))
    assert p.overwriting().relu(y) is y
    assert torch.equal(y, x.clamp(0, 1))
    assert torch.equal(x, torch.from_numpy(X))
    needed = x.clone().requires_grad_() + 0  # the gradient needs what clip is given
    assert p.overwriting().clip(needed, -1.0, 1.0) is not needed
