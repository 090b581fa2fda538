"""Repair on import as a whole: its switches and what it reports.

And what it finds in files that PyTorch exports.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import fields

import numpy as np
import pytest

import allotrope
from allotrope.config import Repair
from allotrope.errors import UsageError
from onnx_models import ints, node, tensor
from repaired import IMAGE, KERNEL, PIXELS, X, of, operators, same


def test_every_switch_is_known_and_an_unknown_one_is_not():
    names = {field.name for field in fields(Repair)}
    for name in names:
        assert [n for n in names if not getattr(Repair.without([name]), n)] == [name]
    assert Repair.without(["all"]) == Repair.none() and not any(vars(Repair.none()).values())
    with pytest.raises(UsageError, match=r"unknown repair 'gelo'\. Did you mean 'gelu'"):
        Repair.without(["gelo"])


def test_the_batch_has_a_switch_and_a_line():
    made = of(
        [node("Conv", "x w", "c"), node("Reshape", "c shape", "y")],
        {**KERNEL, "shape": ints(1, 48)},
        [tensor("x", shape=[1, 3, 4, 4])],
    )
    mended, lines = same(made, PIXELS[:1])
    assert mended.inputs[0].shape == ("n", 3, 4, 4)
    assert mended.run({"x": PIXELS})["y"].shape == (
        5,
        48,
    )
    (line,) = lines
    assert line.startswith(
        "repair: the batch of 1 that was fixed in x is free, which Reshape y spelled out; tried "
        "with 2"
    )
    assert allotrope.load(made, repair=Repair.without(["batch"])).inputs[0].shape == (1, 3, 4, 4)


def test_nothing_to_repair_is_no_line():
    lines = []
    network = allotrope.load(
        of([node("Conv", "x w", "c"), node("Relu", "c", "y")], KERNEL, IMAGE), report=lines.append
    )
    assert not lines and operators(network) == ["Conv", "Relu"]


# --- what PyTorch writes


def exported(module, *inputs):
    torch = pytest.importorskip("torch")
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            inputs,
            file,
            dynamo=False,
            opset_version=14,
            input_names=["x"],
            output_names=["y"],
        )
    return file.getvalue()


@pytest.mark.parametrize(
    ("make", "operator"),
    [
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.GELU()), "Gelu"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.GELU(approximate="tanh")), "Gelu"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.SiLU()), "Swish"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.Hardswish()), "HardSwish"),
        (lambda nn: nn.Sequential(nn.Linear(6, 6), nn.LayerNorm(6)), "LayerNormalization"),
    ],
)
def test_what_pytorch_exports(make, operator):
    torch = pytest.importorskip("torch")
    module = make(torch.nn)
    file = exported(module, torch.zeros(1, 4, 6))
    network = allotrope.load(file)
    assert operators(network).count(operator) == 1
    expected = module(torch.from_numpy(X[:1])).detach().numpy()
    np.testing.assert_allclose(network.run({"x": X[:1]})["y"], expected, rtol=1e-4, atol=1e-5)


def test_attention_that_pytorch_exports():
    torch = pytest.importorskip("torch")

    class Attention(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.Linear(8, 24)

        def forward(self, x):
            q, k, v = self.mix(x).reshape(-1, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
            return ((q @ k.transpose(-2, -1)) / 2.0).softmax(-1) @ v

    module = Attention()
    x = torch.randn(1, 5, 8)
    network = allotrope.load(exported(module, x))
    assert operators(network).count("Attention") == 1
    np.testing.assert_allclose(
        network.run({"x": x.numpy()})["y"], module(x).detach().numpy(), rtol=1e-4, atol=1e-5
    )
