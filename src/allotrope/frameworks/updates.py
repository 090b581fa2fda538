"""What a trainer computes of a plan beside the gradients, written once over the primitives `p` of any framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.errors import TrainingError
from allotrope.frameworks.contract import TrainingPlan
from allotrope.frameworks.primitives import Array


def clipped(p: Any, gradients: Sequence[Array], bound: float | None) -> list[Array]:
    """Gradients made smaller, all alike, where their common norm is above the bound; 1e-6 as in PyTorch's clip_grad_norm_."""
    if bound is None or not gradients:
        return list(gradients)
    squares = [p.sum(p.multiply(g, g)) for g in gradients]
    factor = p.minimum(bound / (p.sqrt(sum(squares[1:], squares[0])) + 1e-6), 1.0)
    return [p.multiply(g, factor) for g in gradients]


def updated(
    p: Any, plan: TrainingPlan, name: str, weight: Array, gradient: Array, slots: dict[str, Array], learning_rate: Any, step: Any
) -> tuple[Array, dict[str, Array]]:
    """The weight of this name and its slots after a step, with its own learning rate and decay; `step` counts from 1."""
    scaled = learning_rate * plan.learning_rate_scale.get(name, 1.0)
    return plan.optimizer.update(p, weight, gradient, slots, scaled, plan.weight_decay.get(name, 0.0), step)


def averaging_share(p: Any, average: float, step: Array) -> Array:
    """How far the moving average goes toward the weights in this step; see `TrainingPlan.average`."""
    return 1 - p.minimum((1 + step) / (10 + step), average)


def check_state(shapes: Mapping[str, Sequence[int]], state: Mapping[str, np.ndarray]) -> None:
    """Raises: one TrainingError that names what a saved state lacks, has beside, or has in another shape."""
    wrong = sorted(set(shapes) ^ set(state)) + [n for n, shape in shapes.items() if n in state and tuple(shape) != state[n].shape]
    if wrong:
        listed = ", ".join(wrong[:20])
        raise TrainingError(f"the checkpoint does not fit this network and recipe; names or shapes differ for: {listed}.")
