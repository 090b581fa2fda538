"""Running statistics by PyTorch's kernel, against NumPy's.

The kernel's variance is not the population's.
"""

import numpy as np
import pytest

from allotrope.frameworks import missing

if missing("pytorch") is not None:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

import torch

from allotrope.frameworks.pytorch.primitives import PyTorchPrimitives, to_numpy
from allotrope.frameworks.reference.primitives import ReferencePrimitives

RANDOM = np.random.default_rng(11)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (2, 3), (4, 3, 5, 5)], ids=str)
def test_running_statistics_are_the_populations(shape, momentum, dtype):
    x = RANDOM.normal(2, 3, shape).astype(np.float32)
    scale, bias, mean = RANDOM.normal(0, 1, (3, 3)).astype(np.float32)
    variance = RANDOM.uniform(0.5, 4, 3).astype(np.float32)
    expected = ReferencePrimitives().batch_normalize_tracked(
        x, scale, bias, mean, variance, momentum, 1e-5
    )
    tensors = [
        torch.tensor(a, dtype=getattr(torch, dtype)) for a in (x, scale, bias, mean, variance)
    ]
    before = [tensor.clone() for tensor in tensors]
    results = PyTorchPrimitives().batch_normalize_tracked(*tensors, momentum, 1e-5)
    tolerance = 5e-2 if dtype == "bfloat16" else 2e-4
    for y, wanted, name in zip(results, expected, ("y", "mean", "variance"), strict=True):
        np.testing.assert_allclose(
            to_numpy(y.float()), wanted, rtol=tolerance, atol=tolerance, err_msg=name
        )
    assert all(map(torch.equal, tensors, before))


def test_a_narrower_input_than_its_statistics():
    x = torch.from_numpy(RANDOM.normal(2, 3, (8, 3, 4, 4))).to(torch.bfloat16)
    ones, zeros = torch.ones(3), torch.zeros(3)
    y, mean, variance = PyTorchPrimitives().batch_normalize_tracked(
        x, ones, zeros, zeros, ones, 0.5, 1e-5
    )
    assert (y.dtype, mean.dtype, variance.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    torch.testing.assert_close(mean, 0.5 * x.float().mean((0, 2, 3)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        variance, 0.5 + 0.5 * x.float().var((0, 2, 3), unbiased=False), rtol=1e-3, atol=1e-3
    )


def test_statistics_that_were_computed_from_weights_keep_their_gradients():
    x = torch.from_numpy(RANDOM.normal(2, 3, (4, 3, 5, 5)).astype(np.float32))
    ones, zeros = torch.ones(3), torch.zeros(3)
    weights = [torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)]
    statistics = [2 * weight for weight in weights]
    primitives = PyTorchPrimitives()
    _, *running = primitives.batch_normalize_tracked(x, ones, zeros, *statistics, 0.75, 1e-5)
    for statistic, weight in zip(running, weights, strict=True):
        (gradient,) = torch.autograd.grad(statistic.sum(), weight)
        torch.testing.assert_close(gradient, torch.full((3,), 1.5))
