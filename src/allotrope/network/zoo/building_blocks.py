"""The building blocks of every family: one way to convolve, normalize, activate, pool, connect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.errors import UsageError, unknown_name
from allotrope.network import initialize
from allotrope.network.build import Builder
from allotrope.network.initialize import Initializer
from allotrope.network.network import Network
from allotrope.network.zoo.named_activations import activated, activation_named, gated_names
from allotrope.recipe_choices import NORMALIZATIONS

Image = tuple[int, int, int]
"""Channels, height and width of one picture."""
Volume = tuple[int, int, int, int]
"""Channels, depth, height and width of one volume."""

POOLINGS = ("average", "max")


@dataclass(frozen=True, slots=True)
class Features:
    """A value of the network that is being built: its name and shape.

    [c, h, w], [c, d, h, w] or [features].
    """

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Style:
    """What every family takes: how it activates, normalizes and drops out, its width, its seed.

    `dropout` is the fraction that is dropped, `width` a factor on the number of channels.
    """

    activation: str = "relu"
    normalization: str = "batch"
    dropout: float = 0.0
    width: float = 1.0
    seed: int = 0

    def problems(self) -> list[str]:
        """Everything that is wrong with it."""
        wrong = []
        try:
            activation_named(self.activation)
        except UsageError as error:
            wrong.append(str(error))
        if self.normalization not in NORMALIZATIONS:
            wrong.append(str(unknown_name("normalization", self.normalization, NORMALIZATIONS)))
        if not 0 <= self.dropout < 1:
            wrong.append(f"dropout must be at least 0 and below 1, found {self.dropout}.")
        if not (self.width > 0 and math.isfinite(self.width)):
            wrong.append(f"width must be above 0, found {self.width}.")
        if self.seed < 0:
            wrong.append(f"seed must be at least 0, found {self.seed}.")
        return wrong


class Blocks:
    """A network in the making, whose layers are added in order.

    Raises: UsageError that lists every argument that is wrong. `smallest` is the least side of a
    picture or volume that the network can take; `problems` are what the family itself found wrong
    with its own arguments. Layers have as many axes as `image` has sides. `gates`: its layers can
    make twice the channels for an activation that halves them.
    """

    def __init__(
        self,
        family: str,
        classes: int,
        image: Image | Volume,
        style: Style,
        *,
        smallest: int = 1,
        problems: list[str] | None = None,
        axes: tuple[str, ...] = ("height", "width"),
        gates: bool = False,
    ) -> None:
        wrong = [*(problems or []), *style.problems(), *_problems(classes, image, smallest, axes)]
        if not gates:
            wrong += _ungated(style.activation)
        if wrong:
            raise UsageError(f"network '{family}' cannot be built: {' '.join(wrong)}")
        self.classes = classes
        self.style = style
        self.builder = Builder(family)
        self.builder.input("x", np.float32, ("n", *image))
        self.input = Features("x", tuple(image))
        self.bend = activation_named(style.activation)
        self.initializer: Initializer = self.bend.initializer

    def scaled(self, channels: int) -> int:
        """`channels` times the width, at least 1."""
        return max(1, round(channels * self.style.width))

    def before_activation(self, channels: int) -> int:
        """How many channels a layer has to make for `channels` behind the activation."""
        if self.bend.gated:
            return 2 * channels
        return channels

    def weight(
        self, name: str, shape: tuple[int, ...], initializer: Initializer, *, trainable: bool = True
    ) -> str:
        """Add a weight, drawn from the stream of its name."""
        return self.builder.weight(
            name, initialize.draw(initializer, self.style.seed, name, shape), trainable=trainable
        )

    def convolution(
        self,
        x: Features,
        name: str,
        channels: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        padding: int | tuple[int, ...] | None = None,
        groups: int = 1,
        bias: bool | None = None,
        initializer: Initializer | None = None,
        trainable: bool = True,
    ) -> Features:
        """Convolve [c, h, w] to [channels, h', w'], or volumes alike.

        Without `padding` the sides stay as they are at stride 1; a tuple is ONNX's `pads`. Without
        `bias` there is one where no normalization follows.
        """
        axes = len(x.shape) - 1
        shape = (channels, x.shape[0] // groups, *(kernel,) * axes)
        inputs = [
            x.name,
            self.weight(
                f"{name}.weight", shape, initializer or self.initializer, trainable=trainable
            ),
        ]
        if bias is None:
            bias = self.style.normalization == "none"
        if bias:
            inputs.append(self.weight(f"{name}.bias", (channels,), initialize.zeros))
        if padding is None:
            pads = ((kernel - 1) // 2,) * axes + (kernel // 2,) * axes
        elif isinstance(padding, int):
            pads = (padding,) * (2 * axes)
        else:
            pads = padding
        attributes = {
            "kernel_shape": (kernel,) * axes,
            "strides": (stride,) * axes,
            "pads": pads,
            "group": groups,
            "dilations": (1,) * axes,
        }
        around = zip(x.shape[1:], pads[:axes], pads[axes:], strict=True)
        sides = [(side + before + after - kernel) // stride + 1 for side, before, after in around]
        return Features(self.builder.add("Conv", inputs, attributes, name=name), (channels, *sides))

    def normalization(
        self,
        x: Features,
        name: str,
        *,
        scale_trainable: bool = True,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
    ) -> Features:
        """Normalize per channel.

        `momentum` is ONNX's: running = momentum * running + (1 - momentum) * batch.

        Values of rank [features] have no places to average over: there all but `batch` mean layer
        normalization.
        """
        kind = self.style.normalization
        if kind == "none":
            return x
        channels = x.shape[0]
        if kind == "rms":
            return self._root_mean_square(x, name, epsilon, scale_trainable)
        scale = self.weight(
            f"{name}.weight", (channels,), initialize.ones, trainable=scale_trainable
        )
        inputs = [x.name, scale, self.weight(f"{name}.bias", (channels,), initialize.zeros)]
        attributes: dict[str, Any] = {"epsilon": epsilon}
        if kind == "batch":
            inputs.append(
                self.weight(f"{name}.running_mean", (channels,), initialize.zeros, trainable=False)
            )
            inputs.append(
                self.weight(f"{name}.running_var", (channels,), initialize.ones, trainable=False)
            )
            operator, attributes["momentum"] = "BatchNormalization", momentum
        elif len(x.shape) == 1:
            operator, attributes["axis"] = "LayerNormalization", -1
        elif kind == "instance":
            operator = "InstanceNormalization"
        else:
            # Over all channels together it is what is called layer normalization of pictures.
            operator, attributes["num_groups"] = "GroupNormalization", 1
            if kind != "layer":
                attributes["num_groups"] = _groups(channels)
        return Features(self.builder.add(operator, inputs, attributes, name=name), x.shape)

    def _root_mean_square(
        self, x: Features, name: str, epsilon: float, scale_trainable: bool
    ) -> Features:
        """Divide each example by the root of its mean square, with a scale for each channel.

        Zhang and Sennrich 2019 (https://arxiv.org/abs/1910.07467): nothing is subtracted or added.
        """
        shape = (x.shape[0], *(1 for _ in x.shape[1:]))
        scale = self.weight(f"{name}.weight", shape, initialize.ones, trainable=scale_trainable)
        attributes = {"axis": 1, "epsilon": epsilon}
        y = self.builder.add("RMSNormalization", [x.name, scale], attributes, name=name)
        return Features(y, x.shape)

    def activation(self, x: Features, kind: str | None = None) -> Features:
        """Apply the activation of the style, or the one named; a gated one halves the channels."""
        bend = activation_named(kind or self.style.activation)
        channels, *sides = x.shape
        y = activated(self.builder, x.name, bend, channels, self.weight, behind=len(sides))
        if bend.gated:
            channels //= 2
        return Features(y, (channels, *sides))

    def pooling(
        self,
        x: Features,
        name: str,
        kind: str = "max",
        kernel: int = 2,
        *,
        stride: int | None = None,
        padding: int = 0,
        ceil: bool = False,
    ) -> Features:
        """The largest or mean of each window of side `kernel`, `stride` or `kernel` apart.

        A side that is shorter than the window stays as it is. With `ceil` the last window may
        reach over the edge.
        """
        fits = [side + 2 * padding >= kernel for side in x.shape[1:]]
        windows = tuple(kernel if enough else 1 for enough in fits)
        steps = tuple((stride or kernel) if enough else 1 for enough in fits)
        around = tuple(padding if enough else 0 for enough in fits)
        attributes: dict[str, Any] = {
            "kernel_shape": windows,
            "strides": steps,
            "pads": around * 2,
        }
        if ceil:
            attributes["ceil_mode"] = 1
        operator = "AveragePool"
        if kind == "max":
            operator = "MaxPool"
        sides = [
            (side + 2 * more - window + (step - 1 if ceil else 0)) // step + 1
            for side, more, window, step in zip(x.shape[1:], around, windows, steps, strict=True)
        ]
        return Features(
            self.builder.add(operator, [x.name], attributes, name=name), (x.shape[0], *sides)
        )

    def global_pooling(self, x: Features, name: str, kind: str = "average") -> Features:
        """The mean or largest of each channel: [c, h, w] to [c]."""
        operator = "GlobalMaxPool"
        if kind == "average":
            operator = "GlobalAveragePool"
        single = (x.shape[0], *(1 for _ in x.shape[1:]))
        return self.flatten(Features(self.builder.add(operator, [x.name], name=name), single))

    def flatten(self, x: Features) -> Features:
        """[c, h, w] to [c * h * w]; what is flat stays as it is."""
        if len(x.shape) == 1:
            return x
        return Features(
            self.builder.add("Flatten", [x.name], {"axis": 1}, name=f"{x.name}.flat"),
            (math.prod(x.shape),),
        )

    def dense(
        self,
        x: Features,
        name: str,
        features: int,
        *,
        bias: bool = True,
        initializer: Initializer | None = None,
    ) -> Features:
        """Connect every input with every output: [i] to [features]; the weight is [features, i]."""
        inputs = [
            x.name,
            self.weight(f"{name}.weight", (features, x.shape[0]), initializer or self.initializer),
        ]
        if bias:
            inputs.append(self.weight(f"{name}.bias", (features,), initialize.zeros))
        return Features(self.builder.add("Gemm", inputs, {"transB": 1}, name=name), (features,))

    def dropout(self, x: Features, name: str) -> Features:
        """Drop the style's fraction of the elements in training.

        Nothing where the fraction is 0.
        """
        if not self.style.dropout:
            return x
        ratio = self.builder.constant(np.float32(self.style.dropout), f"{name}.ratio")
        return Features(self.builder.add("Dropout", [x.name, ratio], name=name), x.shape)

    def hidden_layers(self, x: Features, sizes: tuple[int, ...]) -> Features:
        """Dense layers fc1, fc2, … of `sizes` times the width, each normalized and activated."""
        x = self.flatten(x)
        for number, size in enumerate(sizes, 1):
            units = self.before_activation(self.scaled(size))
            x = self.dense(x, f"fc{number}", units, bias=self.style.normalization == "none")
            x = self.activation(self.normalization(x, f"fc{number}_bn"))
            x = self.dropout(x, f"fc{number}_dropout")
        return x

    def add(self, x: Features, y: Features, name: str) -> Features:
        """The sum of two values of one shape."""
        return Features(self.builder.add("Add", [x.name, y.name], name=name), x.shape)

    def classifier(self, x: Features, name: str = "fc") -> Network:
        """The last dense layer, as wide as there are classes, whose output is `logits`.

        And the finished network.

        It begins as PyTorch's Linear does: small logits keep the first loss near log(classes).
        """
        return self.finish(self.dense(x, name, self.classes, initializer=initialize.fan_in_uniform))

    def finish(self, x: Features) -> Network:
        """The network whose output `logits` is `x`."""
        self.builder.output(x.name, "logits")
        return self.builder.network()


def positive(name: str, values: tuple[int, ...]) -> list[str]:
    """The problem, if there is one, of sizes that must be whole numbers above 0."""
    wrong = [value for value in values if value < 1 or value != int(value)]
    if wrong:
        return [f"{name} must be whole numbers above 0, found {wrong}."]
    return []


def _problems(
    classes: int, image: Image | Volume, smallest: int, axes: tuple[str, ...]
) -> list[str]:
    wrong = []
    what, parts = ("image", "pixels") if len(axes) == 2 else ("volume", "voxels")
    if classes < 2:
        wrong.append(f"at least 2 classes are needed, found {classes}.")
    if len(image) != 1 + len(axes) or min(image) < 1:
        wrong.append(
            f"{what} must be (channels, {', '.join(axes)}), each above 0, found {tuple(image)}."
        )
    elif min(image[1:]) < smallest:
        sides = " x ".join(map(str, image[1:]))
        wrong.append(
            f"the {what} {sides} is too small: this network needs "
            f"{' x '.join([str(smallest)] * len(axes))} {parts} at the least."
        )
    return wrong


def _ungated(name: str) -> list[str]:
    """The problem of an activation that halves the channels, if it is one."""
    if name.lower() not in gated_names():
        return []
    return [
        f"activation {name.lower()} halves the channels that it takes, and the layers of this "
        "network make no more of them for it. Take another, or mlp, cnn, cnn_3d, text_cnn or "
        "transformer."
    ]


def _groups(channels: int) -> int:
    """At most 32 groups (Wu and He 2018, arxiv.org/abs/1803.08494), each of 4 channels or more."""
    most = max(1, min(32, channels // 4))
    return next(groups for groups in range(most, 0, -1) if channels % groups == 0)
