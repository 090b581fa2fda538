"""From a recipe to what each weight gets."""

import numpy as np

from allotrope.config import Recipe
from allotrope.network import zoo
from allotrope.training.plan import layer_places, normalization_biases, without_decay
from planned import planned

COUNTS = np.array([5, 5, 5])
NETWORK = zoo.cnn(3, (1, 8, 8), channels=(4,), hidden=(6,), normalization="batch")


def test_biases_and_normalization_are_not_decayed():
    plan = planned(NETWORK, Recipe(weight_decay=0.1), COUNTS)
    matrices = {name for name in NETWORK.trainable if NETWORK.weights[name].ndim > 1}
    assert len(matrices) == 3
    assert dict(plan.weight_decay) == dict.fromkeys(matrices, 0.1)
    assert without_decay(NETWORK) == NETWORK.trainable - matrices


def test_slopes_of_prelu_are_not_decayed():
    bending = zoo.cnn(3, (1, 8, 8), channels=(4,), hidden=(6,), activation="prelu")
    slopes = {node.inputs[1] for node in bending.graph.nodes if node.operator == "PRelu"}
    assert slopes and slopes <= bending.trainable
    assert not slopes & planned(bending, Recipe(weight_decay=0.1), COUNTS).weight_decay.keys()


def test_all_are_decayed_when_asked():
    plan = planned(NETWORK, Recipe(weight_decay=0.1, decay_all=True), COUNTS)
    assert plan.weight_decay.keys() == NETWORK.trainable


def test_no_decay_is_no_decay():
    assert planned(NETWORK, Recipe(weight_decay=0.0, decay_all=True), COUNTS).weight_decay == {}


def test_bias_scale_is_for_the_biases_of_normalization_alone_and_their_decay_is_lowered_as_much():
    biases = normalization_biases(NETWORK)
    plan = planned(NETWORK, Recipe(weight_decay=0.1, decay_all=True, bias_scale=50.0), COUNTS)
    assert biases and all("bn" in name and name.endswith("bias") for name in biases)
    assert dict(plan.learning_rate_scale) == dict.fromkeys(biases, 50.0)
    assert all(plan.weight_decay[name] * plan.learning_rate_scale[name] == 0.1 for name in biases)


def test_frozen_weights_are_frozen_and_not_decayed():
    frozen = frozenset({"conv1.weight"})
    plan = planned(NETWORK, Recipe(), COUNTS, frozen)
    assert plan.frozen == frozen and "conv1.weight" not in plan.weight_decay


def test_a_bias_that_is_added_by_a_node_of_its_own_is_a_bias():
    from allotrope.network.build import Builder

    build = Builder()
    x = build.input("x", "float32", ("n", 4))
    product = build.add("MatMul", [x, build.weight("w", np.zeros((4, 3), np.float32))])
    build.output(build.add("Add", [product, build.weight("b", np.zeros((1, 3), np.float32))]), "y")
    assert without_decay(build.network()) == {"b"}


def test_options_are_passed_on():
    plan = planned(NETWORK, Recipe(clip_norm=2.0, average=0.9, seed=7, optimizer="adam"), COUNTS)
    assert (plan.clip_norm, plan.average, plan.seed, plan.optimizer.options.name) == (
        2.0,
        0.9,
        7,
        "adam",
    )


def test_the_first_layer_learns_at_the_layer_decay_and_those_between_by_equal_factors():
    places = layer_places(NETWORK)
    assert set(places) == NETWORK.trainable
    assert places["conv1.weight"] == places["bn1.bias"] == 0
    assert places["fc1.weight"] == places["fc1_bn.weight"] == 0.5
    assert places["fc.weight"] == places["fc.bias"] == 1
    rates = planned(NETWORK, Recipe(layer_decay=0.01), COUNTS).learning_rate_scale
    expected = {"conv1.weight": 0.01, "bn1.bias": 0.01, "fc1.weight": 0.1, "fc.bias": 1.0}
    assert {name: round(rates[name], 9) for name in expected} == expected
    slowed = planned(NETWORK, Recipe(layer_decay=0.01, backbone_rate=0.5), COUNTS)
    assert round(slowed.learning_rate_scale["fc1.weight"], 9) == 0.05
    assert slowed.learning_rate_scale["fc.weight"] == 1.0
