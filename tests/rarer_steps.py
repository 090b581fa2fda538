"""A network that grows value by value, and rarer steps; `pruned_networks` has the others."""

from __future__ import annotations

import numpy as np

from allotrope.network.build import Builder


class Growing:
    """Grows a network value by value: maps are [n, c, h, w]."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.builder = Builder(f"random_{seed}")
        self.count = 0
        self.side = int(self.random.choice([4, 6]))
        x = self.builder.input("x", np.float32, ("n", 3, self.side, self.side))
        self.maps = [(self.conv(x, 3, 8), 8)]
        # One bias for several layers, as exporters write equal arrays once.
        self.bias = self.weight("shared_bias", 8)

    # --- parts

    def weight(self, name, *shape, trainable=True, positive=False):
        array = self.random.normal(0, 0.5, shape).astype(np.float32)
        if positive:
            array = np.abs(array) + 0.5
        self.count += 1
        return self.builder.weight(f"{name}_{self.count}", array, trainable=trainable)

    def add(self, operator, inputs, attributes=None, **options):
        return self.builder.add(operator, inputs, attributes, **options)

    def ints(self, *values):
        return self.builder.constant(np.array(values, np.int64))

    def conv(self, x, channels, out, groups=1, kernel=3, bias=None):
        w = self.weight("w", out, channels // groups, kernel, kernel)
        inputs = [x, w]
        if bias or self.random.random() < 0.6:
            inputs.append(bias or self.weight("b", out))
        pads = [kernel // 2] * 4
        return self.add("Conv", inputs, {"group": groups, "pads": pads})

    def rows(self, value, c):
        """[n, c, h, w] as [n, h * w, c]."""
        rows = self.add("Reshape", [value, self.ints(0, c, self.side**2)])
        return self.add("Transpose", [rows], {"perm": [0, 2, 1]})

    def map(self, rows, c):
        """And back."""
        back = self.add("Transpose", [rows], {"perm": [0, 2, 1]})
        return self.add("Reshape", [back, self.ints(0, c, self.side, self.side)])

    # --- ends

    def end(self, x, c, name):
        if self.random.random() < 0.5:
            x, size = self.add("Flatten", [x]), c * self.side**2
        else:
            x, size = self.add("ReduceMean", [x, self.ints(2, 3)], {"keepdims": 0}), c
        w, b = self.weight("w", 5, size), self.weight("b", 5)
        self.builder.output(self.add("Gemm", [x, w, b], {"transB": 1}), name)


class StepsByPlaces(Growing):
    """Places that are looked up, left out, turned around, rounded or begun with."""

    def looked_up_one_by_one(self, x, c):
        """Elements of a row each by an index of its own, and put back elsewhere."""
        shape = (1, c, self.side, self.side)
        one = self.add("Slice", [x, self.ints(0), self.ints(1), self.ints(0)])
        places = self.builder.constant(self.random.integers(-self.side, self.side, shape))
        rows = self.add("GatherElements", [one, places], {"axis": int(self.random.choice([2, -1]))})
        order = np.broadcast_to(self.random.permutation(self.side), shape)
        inputs = [rows, self.builder.constant(order.copy()), self.conv(one, c, c)]
        reduction = str(self.random.choice(["none", "add", "mul", "max"]))
        attributes = {"axis": 3, "reduction": reduction}
        return self.add("Add", [x, self.add("ScatterElements", inputs, attributes)]), c

    def by_coordinates(self, x, c):
        """Rows of channels by where they are, some of them changed."""
        rows = self.add("Transpose", [x], {"perm": [2, 3, 0, 1]})
        places = self.random.permutation(self.side**2)[:5]
        named = self.ints(*np.stack(np.divmod(places, self.side), 1).reshape(-1))
        named = self.add("Reshape", [named, self.ints(5, 2)])
        chosen = self.add("Relu", [self.add("GatherND", [rows, named])])
        reduction = str(self.random.choice(["none", "add", "max"]))
        rows = self.add("ScatterND", [rows, named, chosen], {"reduction": reduction})
        return self.add("Transpose", [rows], {"perm": [2, 3, 0, 1]}), c

    def backwards(self, x, c):
        """All channels in the other order, or all but the ends of them."""
        start, end, left = (-1, -(2**40), c), (c + 3, 0, c - 1), (-2, 1, c - 3)
        bounds = [start, end, left][int(self.random.integers(3 if c > 5 else 2))]
        arrays = [self.ints(bounds[0]), self.ints(bounds[1]), self.ints(1), self.ints(-1)]
        return self.add("Slice", [x, *arrays]), bounds[2]

    def with_gaps(self, x, c):
        """Every second or third channel, perhaps from the end on."""
        step = int(self.random.choice([2, 3, -2]))
        start, end = (1, 2**40) if step > 0 else (-1, -(2**40))
        arrays = [self.ints(start), self.ints(end), self.ints(1), self.ints(step)]
        length = len(range(c)[slice(start, end, step)])
        return self.conv(self.add("Slice", [x, *arrays]), length, 4), 4

    def rounded(self, x, c):
        """In fine steps, so that what others add in another order seldom rounds otherwise.

        Never the same twice: means of what was rounded lie halfway between steps.
        """
        steps = self.random.uniform(2e-4, 3e-4, c).astype(np.float32)
        zeros = self.random.integers(-9, 9, c)
        attributes = {"axis": 1}
        if self.random.random() < 0.5:
            steps, zeros, attributes = steps[0], zeros[0], {}
        arrays = [self.builder.constant(np.asarray(one)) for one in (steps, zeros.astype(np.int16))]
        whole = self.add("QuantizeLinear", [x, *arrays], attributes)
        return self.add("DequantizeLinear", [whole, *arrays], attributes), c

    def with_rounded_weights(self, x, c):
        """A step for each filter."""
        steps = self.builder.constant(self.random.uniform(0.005, 0.02, 8).astype(np.float32))
        arrays = [steps, self.builder.constant(np.zeros(8, np.int8))]
        whole = self.add("QuantizeLinear", [self.weight("w", 8, c, 1, 1), *arrays], {"axis": 0})
        w = self.add("DequantizeLinear", [whole, *arrays], {"axis": 0})
        return self.add("Conv", [x, w]), 8

    def begun_with_a_state(self, x, c):
        """States that are repeated for every example: one learned, one the same everywhere."""
        steps = self.add("Transpose", [self.rows(x, c)], {"perm": [1, 0, 2]})
        h = 6
        arrays = [self.weight("w", 1, 4 * h, c), self.weight("r", 1, 4 * h, h)]
        count = self.add("Slice", [self.add("Shape", [x]), self.ints(0), self.ints(1)])
        target = self.add("Concat", [self.ints(1), count, self.ints(h)], {"axis": 0})
        hidden = self.add("Expand", [self.weight("h", 1, 1, h), target])
        number = np.array([self.random.choice([0.0, 0.5])], np.float32)
        if self.random.random() < 0.5:
            cell = self.add("ConstantOfShape", [target], {"value": number})
        else:
            cell = self.add("Expand", [self.builder.constant(number), target])
        inputs = [steps, *arrays, "", "", hidden, cell]
        (y,) = self.add("LSTM", inputs, {"hidden_size": h}, outputs=1)
        y = self.add("Squeeze", [y, self.ints(1)])
        return self.map(self.add("Transpose", [y], {"perm": [1, 0, 2]}), h), h


class RarerSteps(StepsByPlaces):
    """Each takes a map and its channels and gives another."""

    def resized(self, x, c):
        if self.random.random() < 0.5:
            sizes = self.ints(2 * self.side, c, 2 * self.side)
            large = self.add("Resize", [x, "", "", sizes], {"axes": [2, 1, 3]})
        else:
            scales = self.builder.constant(np.array([1, 1, 2, 2], np.float32))
            large = self.add("Resize", [x, "", scales], {"mode": "linear"})
        return self.add("AveragePool", [large], {"kernel_shape": [2, 2], "strides": [2, 2]}), c

    def in_blocks(self, x, c):
        mode = str(self.random.choice(["DCR", "CRD"]))
        wide = self.add("DepthToSpace", [x], {"blocksize": 2, "mode": mode})
        wide = self.conv(wide, c // 4, 2)
        return self.add("SpaceToDepth", [wide], {"blocksize": 2}), 8

    def summed_by_letters(self, x, c):
        w = self.weight("w", c, 6)
        return self.add("Einsum", [x, w], {"equation": "nchw,cd->ndhw"}), 6

    def summed_up(self, x, c):
        total = self.add("ReduceSum", [x, self.ints(1)], {"keepdims": 1})
        return self.add("Mul", [x, self.add("Sigmoid", [total])]), c

    def spread(self, x, c):
        bias = self.weight("w", c, 1, 1)
        return self.add("Add", [x, self.add("Expand", [bias, self.ints(c, 1, self.side)])]), c

    def repeated(self, x, c):
        return self.add("Tile", [x, self.ints(1, 2, 1, 1)]), 2 * c

    def chosen(self, x, c):
        zero = self.builder.constant(np.float32(0))
        is_large = self.add("Greater", [x, zero])
        # Without a step at 0, where rounding would decide.
        below = self.add("Mul", [x, self.weight("slope", c, 1, 1)])
        return self.add("Where", [is_large, x, below]), c

    def of_words(self, x, c):
        words = self.builder.constant(self.random.integers(0, 7, (1, 2)))
        rows = self.add("Gather", [self.weight("embedding", 7, c), words])
        mean = self.add("ReduceMean", [rows, self.ints(1)], {"keepdims": 0})
        return self.add("Add", [x, self.add("Unsqueeze", [mean, self.ints(2, 3)])]), c

    def by_its_own_lengths(self, x, c):
        """A target that the graph computes, as exporters write it."""
        lengths = self.add("Shape", [x])
        parts = [self.add("Gather", [lengths, self.ints(place)]) for place in (0, 1)]
        target = self.add("Concat", [*parts, self.ints(-1)], {"axis": 0})
        flat = self.add("Softplus", [self.add("Reshape", [x, target])])
        back = self.add("Concat", [*parts, self.ints(self.side, self.side)], {"axis": 0})
        return self.add("Reshape", [flat, back]), c

    def queries_keys_and_values(self, x, c):
        """All three by one product, two places a head."""
        heads, places = 3, self.side**2
        whole = self.add("MatMul", [self.rows(x, c), self.weight("w", c, 3 * heads * 2)])
        whole = self.add("Reshape", [whole, self.ints(0, places, 3, heads, 2)])
        whole = self.add("Transpose", [whole], {"perm": [2, 0, 3, 1, 4]})
        q, k, v = (
            self.add("Gather", [whole, self.builder.constant(np.int64(place))], {"axis": 0})
            for place in range(3)
        )
        y = self.add("Attention", [q, k, v])
        y = self.add("Transpose", [y], {"perm": [0, 2, 1, 3]})
        y = self.add("Reshape", [y, self.ints(0, places, -1)])
        return self.map(self.add("MatMul", [y, self.weight("w", heads * 2, c)]), c), c

    def with_shared_keys(self, x, c):
        """Four heads of queries look at two of keys and values."""
        rows = self.rows(x, c)
        q, k, v = (
            self.add("MatMul", [rows, self.weight("w", c, 2 * heads)]) for heads in (4, 2, 2)
        )
        y = self.add("Attention", [q, k, v], {"q_num_heads": 4, "kv_num_heads": 2})
        return self.map(self.add("MatMul", [y, self.weight("w", 8, c)]), c), c

    def in_both_directions(self, x, c):
        steps = self.add("Transpose", [self.rows(x, c)], {"perm": [1, 0, 2]})
        h = 3
        arrays = [
            self.weight("w", 2, 4 * h, c),
            self.weight("r", 2, 4 * h, h),
            self.weight("b", 2, 8 * h),
        ]
        attributes = {"hidden_size": h, "direction": "bidirectional"}
        (y,) = self.add("LSTM", [steps, *arrays], attributes, outputs=1)
        y = self.add("Transpose", [y], {"perm": [2, 0, 1, 3]})
        rows = self.add("Reshape", [y, self.ints(0, self.side**2, 2 * h)])
        return self.map(rows, 2 * h), 2 * h

    def otherwise_one(self, x, c):
        """Normalized over what is no channel."""
        if self.random.random() < 0.5:
            return self.add("MeanVarianceNormalization", [x], {"axes": [2, 3]}), c
        scale = self.weight("s", self.side)
        return self.add("LayerNormalization", [x, scale, self.weight("b", self.side)]), c

    def by_members(self, x, c):
        """Two matrices of one weight, each for a half of the channels."""
        half = c // 2
        rows = self.add("Reshape", [self.rows(x, c), self.ints(0, self.side**2, 2, half)])
        members = self.add("Transpose", [rows], {"perm": [2, 0, 1, 3]})
        w, b = self.weight("w", 2, 1, half, 5), self.weight("b", 2, 1, 1, 5)
        members = self.add("Relu", [self.add("Add", [self.add("MatMul", [members, w]), b])])
        rows = self.add("ReduceMean", [members, self.ints(0)], {"keepdims": 0})
        return self.map(rows, 5), 5
