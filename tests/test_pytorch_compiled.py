"""The compiled forward pass in PyTorch: traced once for each shape of its inputs."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.network import zoo

torch = pytest.importorskip("torch")


def test_each_shape_is_traced_once_and_answers_as_the_module_does():
    from allotrope.frameworks.pytorch.compiled import CompiledForward
    from allotrope.frameworks.pytorch.module import NetworkModule

    vocabulary = np.minimum(np.arange(30), 20).astype(np.int32)
    network = zoo.text_cnn(2, vocabulary, dimension=4, filters=3, dropout=0.0, word_dropout=0.0)
    module = NetworkModule(network).train()
    traced = []
    forward = CompiledForward(module, lambda function: traced.append(function) or function)
    for shape in ((4, 9), (4, 14), (4, 9), (2, 14), (4, 14)):
        words = torch.tensor(np.random.default_rng(0).integers(0, 30, shape), dtype=torch.int32)
        answers, expected = forward({"words": words}), module.outputs({"words": words})
        torch.testing.assert_close(answers["fc"], expected["fc"])
    assert len(traced) == 3
