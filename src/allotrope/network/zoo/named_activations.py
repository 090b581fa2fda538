"""Activations by name, each with the initialization of weights that suits it.

Whoever adds a layer adds its activation with `activated`: channels may be any axis, so that
pictures [n, c, h, w], rows [n, c] and words [n, w, c] have the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.errors import unknown_name
from allotrope.network.build import Builder
from allotrope.network.initialize import (
    Initializer,
    Shape,
    glorot_uniform,
    he_normal,
    lecun_normal,
)

AddWeight = Callable[[str, Shape, Initializer], str]
"""Adds a weight of this name and shape, and answers what it is called."""


@dataclass(frozen=True)
class NamedActivation:
    """An operator of ONNX with its attributes, and how weights in front of it begin.

    `along_channels`: it looks at all channels of a place at once. `times_input`: the result is
    multiplied by what went in. `gated`: half of the channels are multiplied by it of the others.
    """

    operator: str
    attributes: dict[str, Any] = field(default_factory=dict)
    initializer: Initializer = he_normal
    along_channels: bool = False
    times_input: bool = False
    gated: bool = False

    @property
    def elementwise(self) -> bool:
        """Whether each number is bent by itself, by one operator, without weights."""
        several = self.along_channels or self.times_input or self.gated
        return not several and self.operator not in ("PRelu", "Clip")


ACTIVATIONS: dict[str, NamedActivation] = {
    "celu": NamedActivation("Celu"),
    "elu": NamedActivation("Elu"),
    "gelu": NamedActivation("Gelu"),
    "gelu-tanh": NamedActivation("Gelu", {"approximate": "tanh"}),
    "hard-sigmoid": NamedActivation("HardSigmoid", {"alpha": 1 / 6}, glorot_uniform),
    "hard-swish": NamedActivation("HardSwish"),
    "leaky-relu": NamedActivation("LeakyRelu", {"alpha": 0.01}),
    "log-softmax": NamedActivation("LogSoftmax", {}, glorot_uniform, along_channels=True),
    "mish": NamedActivation("Mish"),
    "prelu": NamedActivation("PRelu"),
    "relu": NamedActivation("Relu"),
    "relu6": NamedActivation("Clip"),
    # LeCun's variance is what keeps SELU's outputs normalized (Klambauer et al. 2017).
    "selu": NamedActivation("Selu", {}, lecun_normal),
    "sigmoid": NamedActivation("Sigmoid", {}, glorot_uniform),
    "silu": NamedActivation("Sigmoid", {}, times_input=True),
    "softmax": NamedActivation("Softmax", {}, glorot_uniform, along_channels=True),
    "softplus": NamedActivation("Softplus"),
    "softsign": NamedActivation("Softsign", {}, glorot_uniform),
    "tanh": NamedActivation("Tanh", {}, glorot_uniform),
    # Dauphin et al. 2017 (https://arxiv.org/abs/1612.08083), Shazeer 2020
    # (https://arxiv.org/abs/2002.05202).
    "glu": NamedActivation("Sigmoid", {}, glorot_uniform, gated=True),
    "reglu": NamedActivation("Relu", {}, glorot_uniform, gated=True),
    "geglu": NamedActivation("Gelu", {}, glorot_uniform, gated=True),
    "swiglu": NamedActivation("Sigmoid", {}, glorot_uniform, times_input=True, gated=True),
}
OTHER_NAMES = {"hardsigmoid": "hard-sigmoid", "hardswish": "hard-swish", "swish": "silu"}
SLOPE = 0.25
"""Below 0, PReLU begins with this slope, one a channel (He et al. 2015, arxiv.org/abs/1502.01852).
"""


def activation_named(name: str) -> NamedActivation:
    """The activation of this name; underscores and capitals do not count.

    Raises: UsageError for an unknown one.
    """
    plain = name.lower().replace("_", "-")
    known = OTHER_NAMES.get(plain, plain)
    if known not in ACTIVATIONS:
        raise unknown_name("activation", name, ACTIVATIONS)
    return ACTIVATIONS[known]


def gated_names() -> list[str]:
    """Those that halve the channels."""
    return [name for name, activation in ACTIVATIONS.items() if activation.gated]


def elementwise_names() -> list[str]:
    """Those of one operator that bend each number by itself."""
    return [name for name, activation in ACTIVATIONS.items() if activation.elementwise]


def activated(
    builder: Builder,
    x: str,
    activation: NamedActivation,
    channels: int,
    weight: AddWeight,
    *,
    axis: int = 1,
    behind: int = 0,
) -> str:
    """Activate x, whose `channels` are the axis `axis` with `behind` axes after it.

    `weight` adds PReLU's slopes. A gated one gives half of the channels.
    """
    if not activation.gated:
        return _bent(builder, x, activation, channels, weight, axis, behind)
    halves = builder.constant(np.array([channels // 2] * 2), f"{x}.halves")
    passed, gate = builder.add("Split", [x, halves], {"axis": axis}, name=f"{x}.split", outputs=2)
    opened = _bent(builder, gate, activation, channels // 2, weight, axis, behind)
    return builder.add("Mul", [passed, opened], name=f"{x}.gated")


def _bent(
    builder: Builder,
    x: str,
    activation: NamedActivation,
    channels: int,
    weight: AddWeight,
    axis: int,
    behind: int,
) -> str:
    operator, attributes = activation.operator, activation.attributes
    if activation.along_channels:
        attributes = {**attributes, "axis": axis}
    inputs = [x]
    if operator == "PRelu":
        inputs.append(weight(f"{x}.prelu.weight", (channels, *(1,) * behind), _slopes))
    if operator == "Clip":
        inputs += _limits(builder, x, (0, 6))
    y = builder.add(operator, inputs, attributes, name=f"{x}.{operator.lower()}")
    if not activation.times_input:
        return y
    return builder.add("Mul", [x, y], name=f"{x}.silu")


def _limits(builder: Builder, x: str, limits: Iterable[int]) -> list[str]:
    return [builder.constant(np.float32(limit), f"{x}.limit") for limit in limits]


def _slopes(random: np.random.Generator, shape: Shape) -> np.ndarray:
    return np.full(shape, SLOPE, np.float32)
