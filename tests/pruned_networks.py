"""Random networks of everything that has a rule for cutting, and comparisons of what was cut."""

from __future__ import annotations

import inspect

import numpy as np

from rarer_steps import RarerSteps

ACTIVATIONS = ("Relu", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Elu", "Gelu", "LeakyRelu")


class RandomNetwork(RarerSteps):
    """What most networks are made of."""

    # --- steps: each takes a map and its channels and gives another

    def plain(self, x, c):
        out = int(self.random.choice([4, 8, 12]))
        return self.conv(x, c, out, kernel=int(self.random.choice([1, 3]))), out

    def with_shared_bias(self, x, c):
        return self.conv(x, c, 8, bias=self.bias), 8

    def grouped(self, x, c):
        return self.conv(x, c, 8, groups=int(self.random.choice([2, 4]))), 8

    def depthwise(self, x, c):
        out = c * int(self.random.choice([1, 2]))
        return self.conv(x, c, out, groups=c), out

    def transposed(self, x, c):
        groups = int(self.random.choice([1, 2, c]))
        out = 2 if groups == c else 4
        w = self.weight("w", c, out, 1, 1)
        b = self.weight("b", out * groups)
        return self.add("ConvTranspose", [x, w, b], {"group": groups}), out * groups

    def batch_normalized(self, x, c):
        trained = [self.weight("scale", c), self.weight("shift", c)]
        state = [
            self.weight("mean", c, trainable=False),
            self.weight("var", c, trainable=False, positive=True),
        ]
        return self.add("BatchNormalization", [x, *trained, *state]), c

    def otherwise_normalized(self, x, c):
        trained = [self.weight("scale", c), self.weight("shift", c)]
        if self.random.random() < 0.5:
            return self.add("InstanceNormalization", [x, *trained]), c
        groups = int(self.random.choice([2, c // 2]))
        return self.add("GroupNormalization", [x, *trained], {"num_groups": groups}), c

    def activated(self, x, c):
        return self.add(str(self.random.choice(ACTIVATIONS)), [x]), c

    def spelled_swish(self, x, c):
        three, six = (self.builder.constant(np.float32(number)) for number in (3, 6))
        zero = self.builder.constant(np.float32(0))
        gate = self.add("Clip", [self.add("Add", [x, three]), zero, six])
        return self.add("Div", [self.add("Mul", [x, gate]), six]), c

    def pooled(self, x, c):
        operator = str(self.random.choice(["AveragePool", "MaxPool"]))
        attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        return self.add(operator, [x], attributes), c

    def gated(self, x, c):
        squeezed = self.add("GlobalAveragePool", [x])
        inner = self.add("Relu", [self.conv(squeezed, c, 4, kernel=1)])
        gate = self.add("Sigmoid", [self.conv(inner, 4, c, kernel=1)])
        return self.add("Mul", [x, gate]), c

    def residual(self, x, c):
        inner = self.add("Relu", [self.conv(x, c, 6)])
        return self.add("Add", [self.conv(inner, 6, c), x]), c

    def padded_shortcut(self, x, c):
        pads = self.ints(0, 2, 0, 0, 0, 2, 0, 0)
        return self.add("Add", [self.conv(x, c, c + 4), self.add("Pad", [x, pads])]), c + 4

    def joined(self, x, c):
        other, more = self.maps[int(self.random.integers(len(self.maps)))]
        return self.add("Concat", [x, other], {"axis": int(self.random.choice([1, -3]))}), c + more

    def parted(self, x, c):
        first = c // 4
        if self.random.random() < 0.5 and c % 2 == 0:
            left, right = self.add("Split", [x], {"axis": 1, "num_outputs": 2}, outputs=2)
            return self.add("Mul", [left, self.add("Sigmoid", [right])]), c // 2
        lengths = self.ints(first, c - first)
        left, right = self.add("Split", [x, lengths], {"axis": 1}, outputs=2)
        left = self.conv(left, first, first)
        return self.add("Concat", [right, left], {"axis": 1}), c

    def sliced(self, x, c):
        bounds = [self.ints(1), self.ints(int(self.random.choice([-1, c]))), self.ints(1)]
        length = c - 1 if self.builder._constants[bounds[1]][0] == c else c - 2
        return self.add("Slice", [x, *bounds]), length

    def picked(self, x, c):
        order = self.random.permutation(c)[: max(c - 2, 2)]
        order = np.where(self.random.random(order.size) < 0.3, order - c, order)
        return self.add("Gather", [x, self.ints(*order)], {"axis": 1}), order.size

    def shuffled(self, x, c):
        h = self.side
        parts = self.add("Reshape", [x, self.ints(0, 2, c // 2, h, h)])
        turned = self.add("Transpose", [parts], {"perm": [0, 2, 1, 3, 4]})
        return self.add("Reshape", [turned, self.ints(-1, c, h, h)]), c

    def scaled(self, x, c):
        array = self.random.normal(1, 0.3, (c, 1, 1)).astype(np.float32)
        if self.random.random() < 0.5:
            return self.add("Div", [x, self.builder.constant(array)]), c
        operator = str(self.random.choice(["Add", "Mul", "PRelu"]))
        return self.add(operator, [x, self.weight("scale", c, 1, 1)]), c

    def mixed_by_token(self, x, c):
        """[n, c, h, w] as [n, h * w, c], through two dense layers and back."""
        places = self.side**2
        rows = self.add("Reshape", [x, self.ints(0, c, places)])
        rows = self.add("Transpose", [rows], {"perm": [0, 2, 1]})
        if self.random.random() < 0.3:
            rows = self.add("LayerNormalization", [rows, self.weight("s", c), self.weight("b", c)])
        inner = self.add("MatMul", [rows, self.weight("w", c, 10)])
        inner = self.add("Gelu", [self.add("Add", [inner, self.weight("b", 10)])])
        rows = self.add("MatMul", [inner, self.weight("w", 10, c)])
        back = self.add("Transpose", [rows], {"perm": [0, 2, 1]})
        return self.add("Reshape", [back, self.ints(0, c, self.side, self.side)]), c

    def attended(self, x, c):
        """Heads of three places, spelled out or as one node."""
        places, heads = self.side**2, 4
        rows = self.add("Reshape", [x, self.ints(0, c, places)])
        rows = self.add("Transpose", [rows], {"perm": [0, 2, 1]})
        q, k, v = (self.add("MatMul", [rows, self.weight("w", c, 3 * heads)]) for _ in "qkv")
        if self.random.random() < 0.5:
            counts = {"q_num_heads": heads, "kv_num_heads": heads}
            y = self.add("Attention", [q, k, v], counts)
        else:
            y = self._spelled_attention([q, k, v], heads)
        rows = self.add("MatMul", [y, self.weight("w", 3 * heads, c)])
        back = self.add("Transpose", [rows], {"perm": [0, 2, 1]})
        return self.add("Reshape", [back, self.ints(0, c, self.side, self.side)]), c

    def _spelled_attention(self, parts, heads):
        places = self.side**2
        split = [self.add("Reshape", [p, self.ints(0, places, heads, 3)]) for p in parts]
        orders = ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3])
        q, k, v = (
            self.add("Transpose", [part], {"perm": order})
            for part, order in zip(split, orders, strict=True)
        )
        seen = self.add("Softmax", [self.add("MatMul", [q, k])])
        turned = self.add("Transpose", [self.add("MatMul", [seen, v])], {"perm": [0, 2, 1, 3]})
        return self.add("Reshape", [turned, self.ints(0, places, 3 * heads)])

    def recurrent(self, x, c):
        """Columns one after the other through a layer with gates."""
        operator, gates = [("LSTM", 4), ("GRU", 3), ("RNN", 1)][int(self.random.integers(3))]
        rows = self.add("Reshape", [x, self.ints(0, c, self.side**2)])
        steps = self.add("Transpose", [rows], {"perm": [2, 0, 1]})
        h = 6
        arrays = [
            self.weight("w", 1, gates * h, c),
            self.weight("r", 1, gates * h, h),
            self.weight("b", 1, 2 * gates * h),
        ]
        y = self.add(operator, [steps, *arrays], {"hidden_size": h})
        rows = self.add("Transpose", [self.add("Squeeze", [y, self.ints(1)])], {"perm": [1, 2, 0]})
        return self.add("Reshape", [rows, self.ints(0, h, self.side, self.side)]), h

    def without_a_rule(self, x, c):
        return self.add("LRN", [x], {"size": 3}), c

    def twice(self, x, c):
        """The same filters twice: they stay one parameter."""
        w = self.weight("w", c, c, 3, 3)
        for _ in range(2):
            x = self.add("Relu", [self.add("Conv", [x, w], {"pads": [1, 1, 1, 1]})])
        return x, c


STEPS = tuple(
    name
    for name, step in inspect.getmembers(RandomNetwork)
    if callable(step)
    and not name.startswith("_")
    and step.__code__.co_varnames[1:3] == ("x", "c")
    and name not in ("end", "conv")
)

OF_FOURS = (
    "by_members",
    "grouped",
    "in_blocks",
    "otherwise_normalized",
    "parted",
    "shuffled",
    "transposed",
)
"""Steps that want a number of channels that can be parted."""


def random_network(seed, steps=STEPS):
    """A network of three to eight random steps, the same for the same seed."""
    network = RandomNetwork(seed)
    for _ in range(int(network.random.integers(3, 9))):
        x, c = network.maps[-1]
        # Now and then a branch begins earlier.
        if network.random.random() < 0.2:
            x, c = network.maps[int(network.random.integers(len(network.maps)))]
        step = str(network.random.choice(steps))
        if c % 4 == 0 or step not in OF_FOURS:
            network.maps.append(getattr(network, step)(x, c))
    network.end(*network.maps[-1], "y")
    if network.random.random() < 0.3:
        network.end(*network.maps[len(network.maps) // 2], "z")
    return network.builder.network()
