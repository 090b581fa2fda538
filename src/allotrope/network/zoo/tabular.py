"""The network for rows of a table: numbers embedded one by one, then several perceptrons at once.

Numbers get periodic embeddings (Gorishniy et al., "On embeddings for numerical features in tabular
deep learning", NeurIPS 2022, https://arxiv.org/abs/2203.05556): cosines of frequencies that are
learned, then a dense layer for each number alone. A number by itself goes beside them, as in
RealMLP (Holzmüller et al., NeurIPS 2024, https://arxiv.org/abs/2407.04491), which also multiplies
each feature by a factor that is learned fast. That there are several perceptrons in one network,
each with a loss of its own, is TabM's idea (Gorishniy et al., ICLR 2025,
https://arxiv.org/abs/2410.24210): the embeddings are theirs together, and what they answer on
average is better than what a single one of the same cost answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.build import Builder
from allotrope.network.initialize import Initializer, Shape, draw, fan_in_uniform, zeros
from allotrope.network.network import Network

MEMBERS = ".members"
"""What follows a task's name in the output [n, members * size] of each member's own answers."""
FASTER = 6.0
"""How many times faster than other weights the factors of features learn, as in RealMLP."""


@dataclass(frozen=True)
class TableStyle:
    """What shapes the network beside its sizes.

    `frequencies` of each number, whose first values are normal with deviation `sigma`; numbers in
    each one's `embedding`; `hidden` units of each of the `members`.
    """

    members: int = 8
    hidden: tuple[int, ...] = (128, 128)
    embedding: int = 8
    frequencies: int = 16
    sigma: float = 0.5
    dropout: float = 0.2


def table_mlp(
    outputs: Mapping[str, int],
    numbers: int,
    flags: int = 0,
    style: TableStyle | None = None,
    seed: int = 0,
) -> Network:
    """x: float32 [n, numbers + flags] to an output [n, size] for each of `outputs`, by name.

    The numbers come first, scaled to about -3 to 3; flags are 0 or 1. An output is the mean of what
    the members answer, and with several of them `NAME.members` [n, members * size] are their own
    answers, which the loss is about.

    Raises: UsageError for sizes that are not above 0.
    """
    style = style or TableStyle()
    sizes = (*outputs.values(), numbers + flags, style.members, *style.hidden)
    if min(sizes) < 1 or not outputs:
        raise UsageError(f"the sizes of a table_mlp must be above 0, found {sizes}.")
    table = _TableNetwork(style, seed)
    x = table.build.input("x", np.float32, ("n", numbers + flags))
    features, count = table.features(x, numbers, flags)
    h, units = table.first(features, count, style.hidden[0]), style.hidden[0]
    for number, wider in enumerate(style.hidden[1:], 2):
        h, units = table.layer(h, f"fc{number}", units, wider), wider
    for name, size in outputs.items():
        table.head(h, name, units, size)
    return table.build.network()


class _TableNetwork:
    """A network that is being built; values of members are [members, n, …]."""

    def __init__(self, style: TableStyle, seed: int) -> None:
        self.style, self.seed = style, seed
        self.build = Builder("table_mlp")

    def weight(self, name: str, initializer: Initializer, shape: Shape) -> str:
        return self.build.weight(name, draw(initializer, self.seed, name, shape))

    # --- features

    def features(self, x: str, numbers: int, flags: int) -> tuple[str, int]:
        """Embeddings, numbers and flags, each times its factor [n, features], and their count."""
        add, count = self.build.add, numbers + flags
        if numbers and self.style.embedding:
            only = x
            if flags:
                places = self.build.constant(np.arange(numbers), "numbers.places")
                only = add("Gather", [x, places], {"axis": 1}, name="numbers")
            x = add("Concat", [self.embedded(only, numbers), x], {"axis": 1}, name="features")
            count += numbers * self.style.embedding
        # Steps of a weight are of one size: one that stands for a multiple learns faster by it.
        factor = self.weight("scale", _constant(1 / FASTER), (count,))
        times = self.build.constant(np.float32(FASTER), "scale.times")
        scale = add("Mul", [factor, times], name="scale.whole")
        return add("Mul", [x, scale], name="scaled"), count

    def embedded(self, x: str, numbers: int) -> str:
        """Periodic embeddings [n, numbers * embedding] of x [n, numbers]."""
        add, style = self.build.add, self.style
        bound = 1 / math.sqrt(style.frequencies)
        # [numbers, n, 1]: a dense layer for each number is then a product of stacked matrices.
        turned = add("Transpose", [x], {"perm": [1, 0]}, name="embedding.turned")
        axis = self.build.constant(np.array([2]), "embedding.axis")
        single = add("Unsqueeze", [turned, axis], name="embedding.single")
        shape = (numbers, 1, style.frequencies)
        frequency = self.weight("embedding.frequency", _normal(2 * math.pi * style.sigma), shape)
        phase = self.weight("embedding.phase", _uniform(math.pi), shape)
        angle = add("Mul", [single, frequency], name="embedding.angle")
        waves = add("Cos", [add("Add", [angle, phase], name="embedding.shifted")], name="waves")
        shape = (numbers, style.frequencies, style.embedding)
        matrix = self.weight("embedding.weight", _uniform(bound), shape)
        bias = self.weight("embedding.bias", _uniform(bound), (numbers, 1, style.embedding))
        dense = add("MatMul", [waves, matrix], name="embedding.dense")
        active = add("Relu", [add("Add", [dense, bias], name="embedding.biased")], name="embedding")
        back = add("Transpose", [active], {"perm": [1, 0, 2]}, name="embedding.back")
        return add("Flatten", [back], {"axis": 1}, name="embedding.flat")

    # --- members

    def first(self, x: str, count: int, units: int) -> str:
        """The first layer of all members in one product, which is the largest there is."""
        members, add = self.style.members, self.build.add
        weight = self.weight("fc1.weight", fan_in_uniform, (members * units, count))
        bias = self.weight("fc1.bias", zeros, (members * units,))
        y = add("Gemm", [x, weight, bias], {"transB": 1}, name="fc1")
        y = self.active(y, "fc1")
        if members == 1:
            return y
        shape = self.build.constant(np.array([0, members, units]), "fc1.shape")
        apart = add("Reshape", [y, shape], name="fc1.apart")
        return add("Transpose", [apart], {"perm": [1, 0, 2]}, name="fc1.members")

    def layer(self, x: str, name: str, count: int, units: int) -> str:
        """A dense layer of each member's own, activated."""
        return self.active(self.dense(x, name, count, units), name)

    def active(self, x: str, name: str) -> str:
        y = self.build.add("Relu", [x], name=f"{name}.relu")
        if not self.style.dropout:
            return y
        ratio = self.build.constant(np.float32(self.style.dropout), f"{name}.ratio")
        return self.build.add("Dropout", [y, ratio], name=f"{name}.dropout")

    def dense(self, x: str, name: str, count: int, units: int) -> str:
        members, add = self.style.members, self.build.add
        if members == 1:
            weight = self.weight(f"{name}.weight", fan_in_uniform, (units, count))
            bias = self.weight(f"{name}.bias", zeros, (units,))
            return add("Gemm", [x, weight, bias], {"transB": 1}, name=name)
        bound = 1 / math.sqrt(count)
        weight = self.weight(f"{name}.weight", _uniform(bound), (members, count, units))
        bias = self.weight(f"{name}.bias", zeros, (members, 1, units))
        y = add("MatMul", [x, weight], name=name)
        return add("Add", [y, bias], name=f"{name}.biased")

    def head(self, x: str, name: str, count: int, size: int) -> None:
        """An output, and that of the members' own answers if there are several."""
        y = self.dense(x, f"head.{name}", count, size)
        if self.style.members == 1:
            self.build.output(y, name)
            return
        axes = self.build.constant(np.array([0]), f"head.{name}.axes")
        mean = self.build.add("ReduceMean", [y, axes], {"keepdims": 0}, name=f"head.{name}.mean")
        self.build.output(mean, name)
        rows = self.build.add("Transpose", [y], {"perm": [1, 0, 2]}, name=f"head.{name}.rows")
        flat = self.build.add("Flatten", [rows], {"axis": 1}, name=f"head.{name}.flat")
        self.build.output(flat, f"{name}{MEMBERS}")


def _constant(value: float) -> Initializer:
    return lambda random, shape: np.full(shape, value, np.float32)


def _normal(deviation: float) -> Initializer:
    return lambda random, shape: deviation * random.standard_normal(shape)


def _uniform(bound: float) -> Initializer:
    return lambda random, shape: random.uniform(-bound, bound, shape)
