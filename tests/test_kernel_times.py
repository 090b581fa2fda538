"""Times of a network by its parts: with clocks that are made up, and once in ONNX Runtime."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest

from allotrope.errors import UsageError
from allotrope.measure.kernel_timing import kernel_times
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.summary import multiply_adds
from allotrope.shrinking.bare_ends import bare_ends
from allotrope.shrinking.choose_widths import removed_for
from allotrope.shrinking.groups import groups
from allotrope.shrinking.kernel_table import KernelTable
from allotrope.shrinking.kernel_times import KernelTimes, at_shares, fitted_line, steps
from allotrope.shrinking.network_parts import HEAVY, lengths_of, parts, signature, title
from allotrope.shrinking.prune import pruned
from allotrope.shrinking.quantize import quantize_with_onnxruntime
from pruned_networks import random_network
from pruning import inputs_for

IMAGE = (3, 8, 8)
ZOO = {
    "resnet8": lambda: zoo.resnet8(4, IMAGE),
    "whitened_cnn": lambda: zoo.whitened_cnn(4, (3, 32, 32), channels=(8, 12, 12)),
    "mobilenet_v2": lambda: zoo.mobilenet_v2(4, (3, 32, 32), width=0.25),
}


class Clock:
    """A machine whose kernels take time by multiply-adds, in steps of 8 channels.

    It remembers what it was asked; `pace` is how slow it is just now.
    """

    def __init__(self, pace=1.0):
        self.asked, self.pace = [], pace

    def alone(self, networks):
        self.asked.append([signature(network) for network in networks])
        return [self.pace * (5e-6 + 1e-9 * multiply_adds(network)) for network in networks]

    def whole(self, networks):
        return [20e-6 + 0.5e-9 * multiply_adds(network) for network in networks]


def times_of(network, clock, folder=None):
    inputs = inputs_for(network, np.random.default_rng(0), batch=1)
    return KernelTimes(clock.alone, clock.whole, KernelTable(folder, {"cpu": "made up"}), inputs)


def rerun(split, inputs, ends):
    """What the parts give one after the other."""
    values = dict(inputs)
    for part in split:
        taken = {value.name: values[value.name] for value in part.inputs}
        values.update(part.run(taken))
    return {name: values[name] for name in ends}


@pytest.mark.parametrize("name", ZOO)
def test_the_parts_are_the_whole(name):
    network = ZOO[name]()
    inputs = inputs_for(network, np.random.default_rng(0), batch=1)
    split = parts(network, lengths_of(network, inputs))
    assert sum(len(part.graph.nodes) for part in split) == len(network.graph.nodes)
    heavy = [sum(node.operator in HEAVY for node in part.graph.nodes) for part in split]
    assert heavy == [1] * len(split)
    expected = network.run(inputs)
    for end, array in rerun(split, inputs, expected).items():
        np.testing.assert_allclose(array, expected[end], rtol=1e-6, atol=1e-6)


def test_the_parts_of_random_networks_are_the_whole():
    for seed in range(40):
        network = random_network(seed)
        inputs = inputs_for(network, np.random.default_rng(seed), batch=1)
        expected = network.run(inputs)
        split = parts(network, lengths_of(network, inputs))
        for end, array in rerun(split, inputs, expected).items():
            # Networks with roundings are computed in float32, whose sums depend on the order.
            apart = 1e-5 * max(1.0, float(np.abs(expected[end]).max(initial=0.0)))
            np.testing.assert_allclose(array, expected[end], rtol=1e-5, atol=apart)


def test_a_signature_is_that_of_what_takes_time():
    network = ZOO["resnet8"]()
    lengths = {"n": 1}
    keys = [signature(part) for part in parts(network, lengths)]
    others = {name: array + 1 for name, array in network.weights.items()}
    assert [signature(part) for part in parts(network.with_weights(others), lengths)] == keys
    assert [signature(part) for part in parts(network, {"n": 2})] != keys
    known = groups(network)
    narrower = pruned(network, [known.groups[0].number], known)
    assert len(set(keys) & {signature(part) for part in parts(narrower, lengths)}) < len(set(keys))
    first = parts(network, lengths)[0]
    node = first.graph.nodes[0]
    strided = replace(node, attributes={**node.attributes, "strides": (2, 2)})
    other = replace(first.graph, nodes=(strided, *first.graph.nodes[1:]))
    assert signature(first.changed(graph=other)) != signature(first)


def test_a_network_of_unknown_lengths_inside_is_one_part():
    b = Builder()
    x = b.input("x", np.float32, ("n", 4))
    w = b.weight("w", np.ones((4, 4), np.float32))
    first = b.add("MatMul", [x, w])
    sums = b.add("ReduceSum", [first, b.constant(np.array([1]))], {"keepdims": 0})
    some = b.add("Compress", [first, b.add("Cast", [sums], {"to": 9})], {"axis": 0})
    b.output(b.add("MatMul", [some, w]), "y")
    network = b.network()
    split = parts(network, {"n": 1})
    assert [len(part.graph.nodes) for part in split] == [len(network.graph.nodes)]


def test_each_part_is_timed_once_and_kept(tmp_path):
    network, clock = ZOO["resnet8"](), Clock()
    times = times_of(network, clock, tmp_path)
    first = times.seconds(network)
    assert times.seconds(network) == first
    assert len(clock.asked) == 1
    again = times_of(network, clock, tmp_path)
    assert again.seconds(network) == first
    assert len(clock.asked) == 1
    (file,) = tmp_path.iterdir()
    file.write_text("{ no table")
    assert times_of(network, clock, tmp_path).seconds(network) == pytest.approx(first)
    assert len(clock.asked) == 2


@pytest.mark.parametrize(
    "content",
    ["[]", "{}", '{"facts": {"cpu": "made up"}, "seconds": 3}', '{"facts": 1, "seconds": {}}'],
)
def test_a_table_that_is_none_is_empty(tmp_path, content):
    table = KernelTable(tmp_path, {"cpu": "made up"})
    table.path.write_text(content)
    assert KernelTable(tmp_path, {"cpu": "made up"}).seconds == {}


def test_what_is_no_time_in_a_table_is_left_out(tmp_path):
    table = KernelTable(tmp_path, {"cpu": "made up"})
    table.add({"a": 1.5})
    stored = json.loads(table.path.read_text())
    stored["seconds"] |= {"b": -1.0, "c": "x", "d": float("nan"), "e": None}
    table.path.write_text(json.dumps(stored))
    assert KernelTable(tmp_path, {"cpu": "made up"}).seconds == {"a": 1.5}
    assert KernelTable(tmp_path, {"cpu": "another"}).seconds == {}


def test_two_that_write_a_table_lose_nothing(tmp_path):
    first, second = (KernelTable(tmp_path, {"cpu": "made up"}) for _ in range(2))
    first.add({"a": 1.0})
    second.add({"b": 2.0})
    assert KernelTable(tmp_path, {"cpu": "made up"}).seconds == {"a": 1.0, "b": 2.0}


def test_a_slow_minute_does_not_enter_the_table():
    network, clock = ZOO["resnet8"](), Clock()
    times = times_of(network, clock)
    quiet = times.alone(network)
    known = groups(network)
    narrower = pruned(network, [known.groups[0].number], known)
    expected = times_of(network, Clock()).alone(narrower)
    clock.pace = 3.0
    assert times.alone(narrower) == pytest.approx(expected)
    assert times.alone(network) == quiet


def test_the_sum_of_parts_is_brought_to_what_the_whole_takes():
    network, clock = ZOO["resnet8"](), Clock()
    times = times_of(network, clock)
    (whole,) = clock.whole([network])
    assert times.seconds(network) > 1.5 * whole
    left = times.calibrate(network, groups(network))
    assert left < 1e-9
    for other in at_shares(network, groups(network), [1, 0.6, 0.3]):
        assert times.seconds(other) == pytest.approx(clock.whole([other])[0])


def test_the_line_is_not_turned_by_one_slow_network():
    alone = np.array([10.0, 8.0, 6.0, 4.0, 2.0])
    whole = 2 * alone + 3
    assert fitted_line(alone, whole) == pytest.approx((2, 3))
    whole[0] *= 3
    assert fitted_line(alone, whole) == pytest.approx((2, 3))
    assert fitted_line(np.array([5.0, 5.0]), np.array([10.0, 12.0])) == (pytest.approx(2.2), 0.0)
    assert fitted_line(np.array([1.0, 2.0]), np.array([4.0, 2.0])) == (pytest.approx(2.5), 0.0)


def test_steps_are_widths_that_take_less_than_every_wider_one():
    times = {64: 266, 57: 347, 52: 267, 48: 169, 40: 168.5, 32: 93}
    assert steps(times) == (48, 32)
    assert steps({8: 1.0}) == ()
    assert steps({8: 1.0, 4: 0.99, 2: 0.97}) == (2,)


def test_only_measured_steps_are_chosen():
    """A clock that counts each 16 channels begun: the steps are multiples of 16, measured."""
    b = Builder("dense")
    x = b.input("x", np.float32, ("n", 4))
    first = b.weight("w0", np.ones((4, 64), np.float32))
    last = b.weight("w1", np.ones((64, 4), np.float32))
    b.output(b.add("MatMul", [b.add("MatMul", [x, first]), last]), "y")
    network = b.network()
    known = groups(network)

    def seconds(networks):
        widest = [max(max(a.shape) for a in some.weights.values()) for some in networks]
        return [1e-6 * -(-width // 16) for width in widest]

    inputs = inputs_for(network, np.random.default_rng(0), batch=1)
    times = KernelTimes(seconds, seconds, KernelTable(None, {}), inputs)
    widths = times.widths(network, known)
    assert tuple(widths("w0", 64)) == (48, 32, 16)
    assert tuple(widths("another", 64)) == ()
    _, prediction = removed_for(
        network, known, np.ones(64), times.seconds, 0.6 * times.seconds(network), widths=widths
    )
    assert [width.after for width in prediction.widths] == [32]


def test_the_ends_of_a_quantized_part_are_bare(tmp_path):
    network = ZOO["resnet8"]()
    inputs = inputs_for(network, np.random.default_rng(0), batch=1)
    part = next(p for p in parts(network, {"n": 1}) if len(p.inputs) == 2)
    float_file, file = tmp_path / "part.onnx", tmp_path / "int8.onnx"
    part.save(float_file)
    values = {v.name: np.ones([int(n) for n in v.shape], np.float32) for v in part.inputs}
    quantize_with_onnxruntime(float_file, values, file)
    before = onnx.load(file).graph
    bare_ends(file)
    after = onnx.load(file).graph
    operators = [node.op_type for node in after.node]
    assert operators.count("QuantizeLinear") < [n.op_type for n in before.node].count(
        "QuantizeLinear"
    )
    types = {value.type.tensor_type.elem_type for value in (*after.input, *after.output)}
    assert types == {onnx.TensorProto.UINT8}
    onnx.checker.check_model(str(file))
    assert inputs.keys() == {"x"}


def test_titles_are_those_of_layers():
    network = ZOO["resnet8"]()
    names = [title(part) for part in parts(network, {"n": 1})]
    assert names == [node.label for node in network.graph.nodes if node.operator in HEAVY]


@pytest.mark.parametrize(("precision", "form"), [("float32", ""), ("int8", "onnxruntime")])
def test_a_network_is_timed_in_its_runtime(tmp_path, precision, form):
    network = zoo.cnn(4, IMAGE, channels=(8, 16), normalization="batch")
    inputs = inputs_for(network, np.random.default_rng(0), batch=1)
    known = groups(network)
    with kernel_times(inputs, "onnxruntime", precision, form, 1, tmp_path) as times:
        times.calibrate(network, known)
        assert 1e-6 < times.seconds(network) < 0.1
        assert all(seconds > 0 for _, seconds in times.of_parts(network))
    (file,) = tmp_path.iterdir()
    assert len(json.loads(file.read_text())["seconds"]) >= 4


def test_what_a_runtime_cannot_time_is_an_error_that_says_so(tmp_path):
    network = zoo.mlp(4, (1, 5, 5), hidden=(6,))
    inputs = inputs_for(network, np.random.default_rng(0), batch=1)
    with (
        kernel_times(inputs, "onnxruntime", "float32", "no-such", 1, tmp_path) as times,
        pytest.raises(UsageError, match=r"onnxruntime cannot time this network: .*no-such"),
    ):
        times.calibrate(network, groups(network))
