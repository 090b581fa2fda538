"""The activations that recurrent layers name, with ONNX's default constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from allotrope.errors import ModelError, unknown_name
from allotrope.operators.elementwise import (
    elu,
    hard_sigmoid,
    leaky_relu,
    softsign,
    thresholded_relu,
)

_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "Relu": lambda p, x: p.relu(x),
    "Tanh": lambda p, x: p.tanh(x),
    "Sigmoid": lambda p, x: p.sigmoid(x),
    "Softsign": softsign,
    "Softplus": lambda p, x: p.softplus(x),
}
_WITH_ALPHA: dict[str, tuple[float, Callable[[Any, Any, float], Any]]] = {
    "LeakyRelu": (0.01, lambda p, x, a: leaky_relu(p, x, alpha=a)),
    "ThresholdedRelu": (1.0, lambda p, x, a: thresholded_relu(p, x, alpha=a)),
    "Elu": (1.0, lambda p, x, a: elu(p, x, alpha=a)),
}
_WITH_BOTH: dict[str, tuple[float, float, Callable[[Any, Any, float, float], Any]]] = {
    "Affine": (1.0, 0.0, lambda p, x, a, b: p.add(p.multiply(x, a), b)),
    "ScaledTanh": (1.0, 1.0, lambda p, x, a, b: p.multiply(p.tanh(p.multiply(x, b)), a)),
    "HardSigmoid": (0.2, 0.5, lambda p, x, a, b: hard_sigmoid(p, x, alpha=a, beta=b)),
}
_NAMES = {name.lower(): name for name in (*_PLAIN, *_WITH_ALPHA, *_WITH_BOTH)}


@dataclass(frozen=True, slots=True)
class Activation:
    """A function of one array, with the name that ONNX has for it."""

    name: str
    function: Callable[[Any], Any]

    def __call__(self, x: Any) -> Any:
        """The function of x."""
        return self.function(x)


def activations_of(
    p: Any,
    names: Sequence[str] | None,
    usual: tuple[str, ...],
    directions: int,
    alpha: Sequence[float],
    beta: Sequence[float],
    clip: float | None,
) -> list[list[Activation]]:
    """The activations of each direction, which first clip what they get to -clip..clip.

    Constants are consumed in order by those that have any. Raises: ModelError where the names are
    too few, UsageError for unknown ones.
    """
    names = list(names or usual * directions)
    if len(names) != len(usual) * directions:
        raise ModelError(
            f"{directions} directions need {len(usual) * directions} activations; "
            f"{len(names)} are given: {', '.join(names)}."
        )
    alphas, betas = iter(alpha), iter(beta)
    # LSTM's third activation, of the cell, is not clipped: ONNX Runtime does so too.
    clips = (clip, clip, None)
    rows = [names[d * len(usual) : (d + 1) * len(usual)] for d in range(directions)]
    return [
        [
            _activation(p, name, alphas, betas, bound)
            for name, bound in zip(row, clips, strict=False)
        ]
        for row in rows
    ]


def _activation(
    p: Any, wanted: str, alphas: Iterator[float], betas: Iterator[float], clip: float | None
) -> Activation:
    name = _NAMES.get(wanted.lower())
    if name is None:
        raise unknown_name("activation", wanted, sorted(_NAMES.values()))
    function = _function(p, name, alphas, betas)
    if not clip:
        return Activation(name, function)
    return Activation(name, lambda x: function(p.clip(x, -clip, clip)))


def _function(
    p: Any, name: str, alphas: Iterator[float], betas: Iterator[float]
) -> Callable[[Any], Any]:
    if name in _PLAIN:
        plain = _PLAIN[name]
        return lambda x: plain(p, x)
    if name in _WITH_ALPHA:
        usual, with_alpha = _WITH_ALPHA[name]
        a = next(alphas, usual)
        return lambda x: with_alpha(p, x, a)
    usual_alpha, usual_beta, with_both = _WITH_BOTH[name]
    a, b = next(alphas, usual_alpha), next(betas, usual_beta)
    return lambda x: with_both(p, x, a, b)
