"""Files that torch exported with a batch of 1, by both exporters: run and learn with any batch."""

import numpy as np
import pytest
import torch

import allotrope
import torch_exports
from tested import TESTED
from torch_exports import exported

BY_DYNAMO = (
    "resnet",
    "mobilenet-linear",
    "shufflenet",
    "unet",
    "vit",
    "swin",
    "lstm",
    "gru-time-first",
    "bert",
    "gpt",
)
"""An export takes seconds; what torch's default exporter does elsewhere it does in one of these."""
EXPORTS = [
    *((name, "dynamo") for name in BY_DYNAMO),
    *((name, "torchscript") for name in torch_exports.NETWORKS),
]


@pytest.mark.parametrize(("name", "exporter"), EXPORTS)
def test_a_batch_of_one_becomes_any(name, exporter):
    lines = []
    network = allotrope.load(exported(name, exporter), report=lines.append)
    assert all("n" in value.shape for value in (*network.inputs, *network.outputs))
    assert "is free" in lines[-1] and "tried with 2" in lines[-1]
    for count in (1, 2, 7):
        inputs = torch_exports.example(name, count, seed=count)
        answers = network.run(inputs)
        for output, wanted in torch_exports.expected(name, inputs).items():
            np.testing.assert_allclose(answers[output], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("framework", TESTED)
def test_what_was_freed_learns_as_it_does_in_torch(framework, name="swin"):
    """Gradients of the sum of all outputs for a batch of 3 are torch's own."""
    network = allotrope.load(exported(name, "torchscript"))
    inputs = torch_exports.example(name, 3)
    made = torch_exports.module(name)
    made(torch.from_numpy(inputs["x"])).sum().backward()
    gradients = network.gradients(
        inputs, {"y": np.ones((3, *network.outputs[0].shape[1:]), np.float32)}, framework
    )
    wanted = {key: parameter.grad.numpy() for key, parameter in made.named_parameters()}
    shared = wanted.keys() & gradients.keys()
    assert shared and network.trainable == gradients.keys() - {"x"}
    for key in shared:
        np.testing.assert_allclose(gradients[key], wanted[key], rtol=1e-3, atol=1e-4, err_msg=key)
