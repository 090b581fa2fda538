"""What a trainer computes beside the gradients, over the primitives `p` of any framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.errors import TrainingError, UnsupportedError
from allotrope.frameworks.contract import TrainingPlan
from allotrope.frameworks.primitives import Array

_SINGLE = np.dtype(np.float32)


def loss_of(
    p: Any,
    plan: TrainingPlan,
    outputs: Mapping[str, Array],
    targets: Mapping[str, Array],
    weights: Mapping[str, Array],
) -> Array:
    """The plan's loss, each output in the dtype of its target if it has one."""
    # A teacher's targets belong to no output: the loss alone knows of which they are.
    fitting = {
        name: p.cast(outputs[name], p.dtype(target))
        for name, target in targets.items()
        if name in outputs
    }
    return plan.loss(p, {**outputs, **fitting}, targets, weights)


def nothing_to_learn() -> UnsupportedError:
    """That no weight has a gradient, which a framework finds when it takes them."""
    return UnsupportedError(
        "Nothing can be learned: no trainable weight has a gradient, as the outputs depend on them "
        "through operators alone that have none (ArgMax, Hardmax, OneHot, casts to integers). "
        "Give a network whose outputs come before those."
    )


def single(p: Any, outputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs as `Trainer.evaluate` gives them: floats as float32."""
    return {
        name: p.cast(y, _SINGLE) if "float" in p.dtype(y).name else y for name, y in outputs.items()
    }


def clipped(p: Any, gradients: Sequence[Array], bound: float | None) -> list[Array]:
    """Gradients made smaller, all alike, if their common norm is above the bound.

    1e-6 as in PyTorch's clip_grad_norm_.
    """
    if bound is None or not gradients:
        return list(gradients)
    squares = [p.sum(p.multiply(g, g)) for g in gradients]
    factor = p.minimum(bound / (p.sqrt(sum(squares[1:], squares[0])) + 1e-6), 1.0)
    return [p.multiply(g, factor) for g in gradients]


def climbed(
    p: Any, weights: Sequence[Array], gradients: Sequence[Array], far: float
) -> list[Array]:
    """The weights `far` up the gradient, by the norm of all of it: where the loss is highest near.

    Equation 2 of sharpness-aware minimization, Foret et al. 2021
    (https://arxiv.org/abs/2010.01412); 1e-12 keeps no gradient from being a division by 0.
    """
    squares = [p.sum(p.multiply(g, g)) for g in gradients]
    factor = far / (p.sqrt(sum(squares[1:], squares[0])) + 1e-12)
    return [p.add(w, p.multiply(g, factor)) for w, g in zip(weights, gradients, strict=True)]


def updated(
    p: Any,
    plan: TrainingPlan,
    name: str,
    weight: Array,
    gradient: Array,
    slots: dict[str, Array],
    learning_rate: Any,
    step: Any,
) -> tuple[Array, dict[str, Array]]:
    """The weight of this name and its slots after a step, with its own learning rate and decay.

    `step` counts from 1.
    """
    scaled = learning_rate * plan.learning_rate_scale.get(name, 1.0)
    decay = plan.weight_decay.get(name, 0.0)
    return plan.optimizer.update(p, weight, gradient, slots, scaled, decay, step)


def averaging_share(p: Any, average: float | None, step: Array) -> Any:
    """How far the moving average goes toward the weights in this step; all of it without one.

    See `TrainingPlan.average`.
    """
    if average is None:
        return 1.0
    return 1 - p.minimum((1 + step) / (10 + step), average)


def delivered(
    p: Any, plan: TrainingPlan, weights: Mapping[str, Array], slots: Mapping[str, Any]
) -> dict[str, Array]:
    """What the average follows of the trained weights that have these slots.

    Themselves, unless the optimizer has others to deliver.
    """
    if not plan.optimizer.delivers_another:
        return {}
    return {name: plan.optimizer.delivered(p, weights[name], own) for name, own in slots.items()}


def check_state(shapes: Mapping[str, Sequence[int]], state: Mapping[str, np.ndarray]) -> None:
    """Raises: one TrainingError for what a saved state lacks, has beside, or misshapes."""
    there = shapes.keys() & state.keys()
    wrong = sorted(set(shapes) ^ set(state))
    wrong += [name for name in shapes if name in there and tuple(shapes[name]) != state[name].shape]
    if wrong:
        listed = ", ".join(wrong[:20])
        raise TrainingError(
            "the checkpoint does not fit this network and recipe; "
            f"names or shapes differ for: {listed}."
        )
