"""PyTorch's clip against torch.clamp: the same numbers and the same gradient.

At, next to and beyond the bounds.
"""

import math

import pytest

from allotrope.frameworks import missing

if missing("pytorch") is not None:
    pytest.skip("PyTorch is not installed", allow_module_level=True)

import torch

from allotrope.frameworks.pytorch.clip import beyond, clip

BOUNDS = [
    (0.0, 6.0),
    (-1.0, 1.0),
    (0.5, 4.0),
    (-3.0, -2.0),
    (0.1, 0.7),
    (-math.inf, 6.0),
    (0.0, math.inf),
    (2.0, 1.0),
    (1.0, 1.0),
]


def around(bounds, dtype):
    """Numbers at each finite bound, its neighbours and farther away."""
    finite = torch.tensor([bound for bound in bounds if math.isfinite(bound)], dtype=dtype)
    wide = torch.full_like(finite, math.inf)
    near = [
        finite,
        torch.nextafter(finite, wide),
        torch.nextafter(finite, -wide),
        finite + 1,
        finite - 1,
    ]
    return torch.cat(near)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("bounds", BOUNDS, ids=str)
def test_numbers_and_gradients_are_those_of_clamp(bounds, dtype):
    x = around(bounds, dtype)
    x = x[(x == 0) | (x.abs() >= torch.finfo(dtype).tiny)]  # numbers this near to 0 count as 0
    results = []
    for function in (clip, torch.clamp):
        leaf = x.clone().requires_grad_()
        y = function(leaf, *bounds)
        results.append((y.detach(), torch.autograd.grad(y, leaf, torch.full_like(y, 3.0))[0]))
    for clipped, clamped in zip(*results, strict=True):
        assert torch.equal(clipped, clamped)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("bound", [6.0, 4.0, 1.0, 0.5, -1.0, -3.0])
def test_beyond_is_the_next_number(bound, dtype):
    for sign in (1, -1):
        expected = torch.nextafter(
            torch.tensor(bound, dtype=dtype), torch.tensor(sign * math.inf, dtype=dtype)
        )
        assert beyond(bound, sign, dtype) == expected.item()


def test_a_bound_that_is_no_number_of_the_dtype():
    assert beyond(0.1, 1, torch.bfloat16) is None
    assert beyond(math.inf, 1, torch.float32) is None


def test_numbers_that_are_none_stay_so():
    x = torch.tensor([math.nan], requires_grad=True)
    assert clip(x, 0.0, 6.0).isnan().all()


def test_gradients_of_gradients_and_vmap():
    x = torch.tensor([-1.0, 3.0, 7.0], dtype=torch.float32, requires_grad=True)
    (first,) = torch.autograd.grad((clip(x, 0.0, 6.0) ** 2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert second.tolist() == [0.0, 2.0, 0.0]
    per_row = torch.func.vmap(torch.func.grad(lambda row: clip(row, 0.0, 6.0).sum()))(
        x.detach()[:, None]
    )
    assert per_row[:, 0].tolist() == [0.0, 1.0, 0.0]
