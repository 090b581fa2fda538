"""The network for rows of a table: numbers in pieces, then several perceptrons at once.

A number is encoded piecewise linearly (Gorishniy et al., "On embeddings for numerical features in
tabular deep learning", NeurIPS 2022, https://arxiv.org/abs/2203.05556, equation 1): each piece
between two quantiles is 0 below, 1 above, and grows in between, so that a layer behind can bend at
each quantile. The number itself goes beside its pieces, and each feature is multiplied by a factor
that is learned fast, as in RealMLP (Holzmüller et al., NeurIPS 2024,
https://arxiv.org/abs/2407.04491). That there are several perceptrons in one network, each with a
loss of its own, is what TabM shows to be worth most (Gorishniy et al., ICLR 2025,
https://arxiv.org/abs/2410.24210, there TabM-packed): their mean is better than the answer of one
of the same cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.build import Builder
from allotrope.network.initialize import Initializer, Shape, draw, fan_in_uniform, zeros
from allotrope.network.network import Network
from allotrope.network.zoo.named_activations import activation_named, elementwise_names

MEMBERS = ".members"
"""What follows a task's name in the output [n, members * size] of each member's own answers."""
FEW_VALUES = 256
"""So many different values of a number are told apart; as many as HistGradientBoosting's bins."""
FASTER = 6.0
"""How many times faster than other weights the factors of features learn, as in RealMLP."""


@dataclass(frozen=True)
class TableStyle:
    """What shapes the network beside its sizes.

    Pieces of a number of many values, and `hidden` units of each of the `members`; `activation` is
    one that bends each number by itself, such as relu or mish.
    """

    members: int = 16
    hidden: tuple[int, ...] = (128, 128)
    pieces: int = 96
    dropout: float = 0.35
    activation: str = "relu"


def table_mlp(
    outputs: Mapping[str, int],
    numbers: int,
    flags: int = 0,
    edges: Sequence[np.ndarray] = (),
    style: TableStyle | None = None,
    seed: int = 0,
) -> Network:
    """x: float32 [n, numbers + flags] to an output [n, size] for each of `outputs`, by name.

    The numbers come first, scaled to about -3 to 3; flags are 0 or 1. `edges` are the ends of the
    pieces of each number, as `quantile_edges` gives them; none: no pieces. An output is the mean of
    what the members answer, and with several of them `NAME.members` [n, members * size] are their
    own answers, which the loss is about.

    Raises: UsageError for sizes that are not above 0, and other activations.
    """
    style = style or TableStyle()
    if not activation_named(style.activation).elementwise:
        raise UsageError(
            f"activation {style.activation} does not fit table_mlp, whose members stand side by "
            f"side: it takes {', '.join(elementwise_names())}."
        )
    sizes = (*outputs.values(), numbers + flags, style.members, *style.hidden)
    if min(sizes) < 1 or not outputs:
        raise UsageError(f"the sizes of a table_mlp must be above 0, found {sizes}.")
    table = _TableNetwork(style, seed)
    x = table.build.input("x", np.float32, ("n", numbers + flags))
    features, count = table.features(x, numbers + flags, edges)
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

    def features(self, x: str, count: int, edges: Sequence[np.ndarray]) -> tuple[str, int]:
        """Pieces, numbers and flags, each times its factor: [n, features], and their count."""
        add = self.build.add
        pieces = sum(max(len(ends) - 1, 0) for ends in edges)
        if pieces:
            x = add("Concat", [self.pieces(x, edges), x], {"axis": 1}, name="features")
            count += pieces
        # Steps of a weight are of one size: one that stands for a multiple learns faster by it.
        factor = self.weight("scale", _constant(1 / FASTER), (count,))
        times = self.build.constant(np.float32(FASTER), "scale.times")
        scale = add("Mul", [factor, times], name="scale.whole")
        return add("Mul", [x, scale], name="scaled"), count

    def pieces(self, x: str, edges: Sequence[np.ndarray]) -> str:
        """How far each number has come through each of its pieces: [n, pieces] from 0 to 1."""
        add, constant = self.build.add, self.build.constant
        counts = [max(len(ends) - 1, 0) for ends in edges]
        places = constant(np.repeat(np.arange(len(edges)), counts), "pieces.places")
        starts = np.concatenate([ends[:-1] for ends in edges]).astype(np.float32)
        widths = np.concatenate([np.diff(ends) for ends in edges]).astype(np.float32)
        own = add("Gather", [x, places], {"axis": 1}, name="pieces.numbers")
        above = add("Sub", [own, constant(starts, "pieces.starts")], name="pieces.above")
        part = add("Mul", [above, constant(1 / widths, "pieces.slopes")], name="pieces.part")
        ends = [constant(np.float32(end), "pieces.end") for end in (0, 1)]
        return add("Clip", [part, *ends], name="pieces")

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
        bend = activation_named(self.style.activation)
        y = self.build.add(bend.operator, [x], bend.attributes, name=f"{name}.active")
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


def quantile_edges(
    numbers: Iterable[np.ndarray], pieces: int, few: int = FEW_VALUES
) -> list[np.ndarray]:
    """The ends of the pieces of each of the columns of `numbers` [n], float32, each once.

    Up to `few` different values are all ends, so that the network can tell each from its
    neighbours as a tree does: on adult, where single sums of capital gain decide, this is worth
    0.5 points of accuracy. Of more, half of the ends are quantiles of all rows and half of the
    values that differ, for a number that is nearly always 0 has little of the first.
    """
    steps = np.linspace(0, 1, pieces // 2 + 1)
    between = (steps[1:] + steps[:-1]) / 2  # so that numbers that all differ have ends of both
    edges = []
    for column in numbers:
        values = np.unique(column)
        if len(values) > few:
            parts = [np.quantile(column, steps), np.quantile(values, between)]
            values = np.concatenate(parts)
        edges.append(np.unique(values.astype(np.float32)))
    return edges


def _constant(value: float) -> Initializer:
    return lambda random, shape: np.full(shape, value, np.float32)


def _uniform(bound: float) -> Initializer:
    return lambda random, shape: random.uniform(-bound, bound, shape)
