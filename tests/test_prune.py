"""Groups of weights that can only be removed together, and networks without them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.network import zoo
from allotrope.network.build import Builder
from allotrope.network.reading.read import load
from allotrope.network.rewriting.quantized.rounding_pairs import with_rounding_pairs
from allotrope.shrinking.groups import groups
from allotrope.shrinking.prune import masked, pruned
from planned import batch_for, planned
from pruned_networks import STEPS, random_network
from pruning import inputs_for, problems, pruned_as_far, some_of, stirred
from tested import TESTED

IMAGE = (3, 8, 8)
NETWORKS = {
    "mlp": lambda: zoo.mlp(4, IMAGE, hidden=(12, 8)),
    "cnn": lambda: zoo.cnn(4, IMAGE, channels=(4, 8), normalization="batch"),
    "whitened_cnn": lambda: zoo.whitened_cnn(4, (3, 32, 32), channels=(8, 12, 12)),
    "resnet8": lambda: zoo.resnet8(4, IMAGE),
    "resnet20": lambda: zoo.resnet20(4, IMAGE, shortcut="padding"),
    "mobilenet_v2": lambda: zoo.mobilenet_v2(4, (3, 32, 32), width=0.25),
    "cnn_3d": lambda: zoo.cnn_3d(4, (1, 8, 8, 8), channels=(4, 8)),
}


def third_of_each(known):
    """A third of the groups of each layer."""
    return [group.number for layer in known.alike() for group in layer[: len(layer) // 3]]


def small(seed=0):
    """A ResNet of which a third is gone, over normalized maps."""
    network = stirred(zoo.resnet8(4, IMAGE), np.random.default_rng(seed))
    return network, third_of_each(groups(network))


@pytest.mark.parametrize("first", range(0, 240, 40))
def test_random_networks_equal_the_masked_ones(first):
    wrong, removed_in_all = {}, 0
    for seed in range(first, first + 40):
        network, random = random_network(seed), np.random.default_rng(seed)
        known = groups(network)
        chosen = some_of(known, random, random.choice([0.1, 0.4, 0.7]))
        result, removed = pruned_as_far(network, chosen, known)
        removed_in_all += len(removed)
        lines = problems(network, removed, result, inputs_for(network, random), known)
        if lines:
            wrong[seed] = lines
    assert wrong == {}
    assert removed_in_all > 100


@pytest.mark.parametrize("name", NETWORKS)
def test_the_zoo_equals_the_masked_one(name):
    random = np.random.default_rng(1)
    network = stirred(NETWORKS[name](), random)
    known = groups(network)
    removed = third_of_each(known)
    result = pruned(network, removed, known)
    assert problems(network, removed, result, inputs_for(network, random), known) == []
    assert sum(array.size for array in result.weights.values()) < 0.7 * sum(
        array.size for array in network.weights.values()
    )


@pytest.mark.parametrize("step", sorted({*STEPS} - {"without_a_rule"}))
def test_every_part_can_be_cut(step):
    """Behind it stand convolutions, so that nothing need be frozen but the network's ends."""
    network = random_network(3, steps=(step,))
    known = groups(network)
    assert len(known) >= 2
    assert known.unknown == ()


def test_the_comparer_finds_what_is_wrong():
    network, removed = small()
    known, inputs = groups(network), inputs_for(network, np.random.default_rng(0))
    right = pruned(network, removed, known)
    assert problems(network, removed, right, inputs, known) == []
    others = [layer[-1].number for layer in known.alike()]
    # The last layer's: a scale further in front may be small, or be normalized away.
    name = next(node.inputs[1] for node in right.graph.nodes if node.operator == "Gemm")
    moved = right.with_weights({name: right.weights[name] * 1.001})
    value, known_value = next(iter(right.graph.values.items()))
    untrue = {**right.graph.values, value: replace(known_value, shape=(7,))}
    wrong = {
        "other groups": pruned(network, others, known),
        "fewer groups": pruned(network, removed[1:], known),
        "a weight": moved,
        "nothing": network,
        "shapes": right.changed(graph=replace(right.graph, values=untrue)),
        "what learns": right.changed(trainable=right.trainable - {name}),
    }
    for what, result in wrong.items():
        assert problems(network, removed, result, inputs, known), what


def test_groups_hold_all_that_a_channel_is_made_of_and_goes_to():
    known = groups(zoo.cnn(4, IMAGE, channels=(4, 8), normalization="batch"))
    axes = {frozenset(layer[0].axes) for layer in known.alike()}
    assert [len(layer) for layer in known.alike()] == [4, 8, 128]
    weights = {(weight, axis) for each in axes for weight, axis in each}
    assert {axis for weight, axis in weights if weight.endswith("weight")} == {0, 1}
    assert any("running_var" in weight for weight, _ in weights)
    first = known.groups[0]
    assert first.size == sum(len(part.positions) for part in first.slices)
    assert {frozen.reason.operator for frozen in known.frozen} >= {"input", "output"}


def test_residual_layers_go_together():
    known = groups(zoo.resnet8(4, IMAGE))
    joined = max(known.alike(), key=lambda layer: len(layer[0].axes))
    assert len({weight for weight, _ in joined[0].axes}) > 4


def test_the_places_of_a_flattened_channel_are_a_run():
    b = Builder()
    x = b.input("x", np.float32, ("n", 1, 4, 4))
    w = b.weight("w", np.ones((2, 1, 3, 3), np.float32))
    conv = b.add("Conv", [x, w])
    v = b.weight("v", np.ones((8, 3), np.float32))
    b.output(b.add("MatMul", [b.add("Flatten", [conv]), v]), "y")
    known = groups(b.network())
    runs = [part.positions for group in known for part in group.slices if part.weight == "v"]
    assert runs == [(0, 1, 2, 3), (4, 5, 6, 7)]


def test_what_has_no_rule_freezes_and_is_named():
    network = random_network(3, steps=("without_a_rule",))
    known = groups(network)
    assert known.unknown == ("LRN",)
    assert len(known) == 0
    assert any(frozen.reason.operator == "LRN" for frozen in known.frozen)


def rounded_layers(*, trains_steps=False, integers=()):
    """Convolution, rounding with a step a channel, convolution; `integers` are stored kernels."""
    random = np.random.default_rng(5)
    b = Builder("rounded_layers")
    x = b.input("x", np.float32, ("n", 3, 4, 4))
    steps = random.uniform(0.01, 0.1, 6).astype(np.float32)
    step = b.weight("step", steps) if trains_steps else b.constant(steps)

    def kernel(name, *shape):
        array = random.normal(size=(*shape, 1, 1)).astype(np.float32)
        if name not in integers:
            return b.weight(name, array)
        whole = b.constant(np.round(40 * array).clip(-128, 127).astype(np.int8))
        return b.add("DequantizeLinear", [whole, b.constant(np.float32(0.025))])

    y = b.add("Conv", [x, kernel("w", 6, 3)])
    zero = b.constant(random.integers(100, 150, 6).astype(np.uint8))
    whole = b.add("QuantizeLinear", [y, step, zero], {"axis": 1})
    y = b.add("DequantizeLinear", [whole, step, zero], {"axis": 1})
    b.output(b.add("Conv", [y, kernel("v", 4, 6)]), "y")
    return b.network()


def test_rounding_as_one_step_is_cut_as_the_two_nodes_are():
    two = rounded_layers()
    one = two.changed(graph=with_rounding_pairs(two.graph, two.weights))
    assert any(node.operator == "QuantizeDequantize" for node in one.graph.nodes)
    x = inputs_for(two, np.random.default_rng(0))
    expected = masked(two, removed := [group.number for group in groups(two)][:2]).run(x)
    assert len(groups(one)) == len(groups(two)) == 6
    for network, numbers in ((two, removed), (one, [g.number for g in groups(one)][:2])):
        result = pruned(network, numbers)
        assert result.weights["w"].shape == (4, 3, 1, 1)
        np.testing.assert_allclose(result.run(x)["y"], expected["y"], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"trains_steps": True}, "QuantizeLinear .*its steps learn, and are no steps at 0"),
        ({"integers": ("v",)}, "Conv .*what is removed would count in its sum"),
    ],
)
def test_what_cannot_be_0_freezes_and_is_named(how, why):
    known = groups(rounded_layers(**how))
    assert len(known) == 0
    assert any(re.search(why, str(frozen.reason)) for frozen in known.frozen)


def test_integers_in_front_of_a_layer_that_learns_are_cut_with_it():
    network = rounded_layers(integers=("w",))
    known, inputs = groups(network), inputs_for(network, np.random.default_rng(0))
    removed = [group.number for group in known][:2]
    result = pruned(network, removed, known)
    assert problems(network, removed, result, inputs, known) == []
    assert any(array.shape == (4, 3, 1, 1) for array in result.graph.constants.values())


def test_gaps_on_two_axes_at_once_stay():
    b = Builder()
    x = b.input("x", np.float32, ("n", 3, 6, 6))
    y = b.add("Conv", [x, b.weight("w", np.ones((8, 3, 1, 1), np.float32))])
    bounds = [np.array(each, np.int64) for each in ([0, 0], [8, 6], [1, 2], [2, 2])]
    y = b.add("Slice", [y, *map(b.constant, bounds)])
    b.output(b.add("Conv", [y, b.weight("v", np.ones((4, 4, 1, 1), np.float32))]), "y")
    known = groups(b.network())
    assert len(known) == 0
    assert "Slice" in {frozen.reason.operator for frozen in known.frozen}


def test_an_array_of_two_layers_is_copied_and_a_tied_weight_is_not():
    network = random_network(3, steps=("with_shared_bias",))
    bias = next(name for name in network.weights if name.startswith("shared"))
    known = groups(network)
    removed = [next(group for group in layer).number for layer in known.alike()[:-1]]
    result = pruned(network, removed, known)
    assert sum(name.startswith(bias) for name in result.weights) > 1
    assert result.trainable == result.weights.keys()
    tied = random_network(3, steps=("twice",))
    without = pruned(tied, [groups(tied).groups[0].number])
    assert not any(name.startswith("w_") for name in without.weights.keys() - tied.weights.keys())
    shared = next(n for n in tied.weights if sum(n in node.inputs for node in tied.graph.nodes) > 1)
    assert without.weights[shared].shape == (7, 7, 3, 3)


def test_numbers_of_no_group_and_all_of_a_layer_are_refused():
    network, _ = small()
    known = groups(network)
    with pytest.raises(UsageError, match="no groups 999999"):
        pruned(network, [999999], known)
    with pytest.raises(UsageError, match=r"nothing would be left of .*leave at least one"):
        pruned(network, [group.number for group in known.alike()[0]], known)
    with pytest.raises(UsageError, match="no groups 999999"):
        masked(network, [999999], known)


def test_nothing_removed_is_the_same_network():
    network, _ = small()
    result = pruned(network, [])
    assert (result.graph.nodes, result.outputs) == (network.graph.nodes, network.outputs)
    assert all(result.weights[name] is network.weights[name] for name in network.weights)


def test_numbers_are_the_same_after_saving(tmp_path):
    network, removed = small()
    network.save(tmp_path / "network.onnx")
    again = load(tmp_path / "network.onnx")
    assert [group.number for group in groups(again)] == [group.number for group in groups(network)]
    pruned(again, removed).save(tmp_path / "pruned.onnx")
    assert load(tmp_path / "pruned.onnx").trainable == pruned(network, removed).trainable


def test_what_is_pruned_can_be_pruned_again():
    network, removed = small()
    once = pruned(network, removed)
    again = third_of_each(groups(once))
    twice = pruned(once, again)
    assert problems(once, again, twice, inputs_for(once, np.random.default_rng(0))) == []


def small_and_plain():
    """Two normalized convolutions, which every framework compiles quickly, without a third."""
    network = stirred(NETWORKS["cnn"](), np.random.default_rng(0))
    return network, third_of_each(groups(network))


def test_frameworks_answer_as_the_reference(framework):
    network, removed = small_and_plain()
    result, x = pruned(network, removed), inputs_for(network, np.random.default_rng(0))
    expected, answers = masked(network, removed).run(x), result.run(x, framework)
    for name, array in expected.items():
        np.testing.assert_allclose(answers[name], array, atol=1e-4 * np.abs(array).max())


@pytest.mark.parametrize("name", [name for name in TESTED if name != "pytorch"])
def test_frameworks_learn_alike(name):
    """Losses of steps on what is left, and the statistics that it keeps."""
    result = pruned(*small_and_plain())
    random = np.random.default_rng(2)
    x = random.normal(size=(12, *IMAGE)).astype(np.float32)
    targets = np.eye(4, dtype=np.float32)[np.arange(12) % 4]
    plan = planned(result, Recipe(learning_rate=0.05, average=None), np.full(4, 3))
    losses, weights = {}, {}
    for each in ("pytorch", name):
        trainer = find_framework(each).trainer(result, plan, Settings())
        batch = batch_for(result, x, targets)
        losses[each] = [float(trainer.step(batch, 0.02, step)) for step in (1, 2, 3)]
        weights[each] = trainer.weights()
    np.testing.assert_allclose(losses[name], losses["pytorch"], rtol=1e-3)
    means = [key for key in result.weights if key.endswith("running_mean")]
    assert means
    for key in means:
        assert np.abs(weights[name][key] - result.weights[key]).max() > 1e-3
        np.testing.assert_allclose(weights[name][key], weights["pytorch"][key], atol=2e-3)
