"""What a training minimizes: the losses of all tasks together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allotrope.frameworks.contract import Loss

OutputLoss = Callable[[Any, Any, Any, Any], Any]
"""loss(p, output: [n, k], target: [n, k], weight or None) -> an array without dimensions.

The mean over the examples, each as often as its weight says; the plain mean if there is none.
"""


def loss_over(losses: Mapping[str, OutputLoss], shares: Mapping[str, float] | None = None) -> Loss:
    """The sum of the losses of outputs by name, each as often as `shares` says, by default once."""

    def compute(p: Any, outputs: Any, targets: Any, weights: Any) -> Any:
        total = None
        for name, of_output in losses.items():
            part = of_output(p, outputs[name], targets[name], weights.get(name))
            share = (shares or {}).get(name, 1.0)
            if share != 1:
                part = p.multiply(part, share)
            total = part if total is None else p.add(total, part)
        return total

    return compute
