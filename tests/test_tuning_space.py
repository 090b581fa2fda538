"""The space, what settings make of a recipe and a network, and the rungs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from allotrope.architectures.choose import choose
from allotrope.config import Recipe, Target
from allotrope.data.reader import read
from allotrope.network.summary import parameters
from allotrope.shrinking.stripped import strip
from allotrope.tasks.metric import ACCURACY, RMSE
from allotrope.tuning.network_sizes import WIDENED, depths, sized
from allotrope.tuning.rungs import is_promoted, rungs_below
from allotrope.tuning.space import Tunable, space_for, usual_of
from allotrope.tuning.tried_recipe import tried_recipe
from allotrope.verbs.pipeline.untrained_costs import UntrainedCosts, unlike_arrays


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A small table of numbers and a class."""
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    lines = [f"{number},{number % 7},{'ab'[number % 2]}" for number in range(300)]
    path.write_text("\n".join(["length,width,kind", *lines]))
    return read(path, target="kind")


def test_trial_0_changes_nothing(digits):
    choice = choose(digits, "whitened_cnn", epochs=3)
    space = space_for(Tunable(digits, choice.recipe, choice.name, choice.arguments), {})
    usual = usual_of(space)
    assert tried_recipe(choice.recipe, usual, len(digits.train)) == choice.recipe
    assert sized(choice.name, choice.arguments)[0] == choice.name


def test_the_space_suits_the_data(digits, rows):
    pictured = space_for(Tunable(digits, Recipe(), "whitened_cnn", {"width": 0.5}), {})
    tabular = space_for(Tunable(rows, Recipe(augmentation="none"), "table_mlp"), {})
    assert {"augmentation", "width", "depth", "label_smoothing"} <= pictured.keys()
    assert "augmentation" not in tabular and {"width", "depth"} <= tabular.keys()
    of_a_file = space_for(Tunable(digits, Recipe(), "model", sized=False), {})
    assert not {"width", "depth"} & of_a_file.keys()


def test_what_was_asked_for_is_not_searched(digits):
    asked = {"optimizer": "adamw", "learning_rate": 0.01}
    space = space_for(Tunable(digits, Recipe(**asked), "cnn"), asked)
    assert not asked.keys() & space.keys()


def test_the_default_is_in_the_space_whatever_it_is(digits):
    recipe = Recipe(optimizer="rmsprop", warmup=0.7, schedule="step")
    space = space_for(Tunable(digits, recipe, "cnn"), {})
    assert "rmsprop" in space["optimizer"].choices and space["warmup"].high == 0.7
    assert usual_of(space)["schedule"] == "step"


def test_factors_are_of_the_defaults_numbers():
    default = Recipe(learning_rate=0.1, weight_decay=1e-3, batch_size=64)
    usual = {"learning_rate": 1.0, "weight_decay": 1.0, "batch_size": 1.0}
    twice = {**usual, "learning_rate": 2.0, "batch_size": 2.0}
    changed = tried_recipe(default, twice, 10_000)
    assert changed.batch_size == 128 and changed.learning_rate == pytest.approx(0.4)
    adamw = {**usual, "optimizer": "adamw", "batch_size": 2.0}
    by_root = tried_recipe(default, adamw, 10_000)
    assert by_root.learning_rate == pytest.approx(4e-3 * math.sqrt(2))
    assert by_root.decay_kind == "decoupled"
    few = tried_recipe(default, {**usual, "batch_size": 2.0}, 70)
    assert few.batch_size == 70
    asked = tried_recipe(default, {"batch_size": 2.0, "optimizer": "adamw"}, 10_000)
    assert (asked.learning_rate, asked.weight_decay) == (0.1, 1e-3)


@pytest.mark.parametrize("name", ["mlp", "cnn", "whitened_cnn", "resnet8", "table_mlp"])
def test_every_width_and_depth_is_a_network(name, digits, rows):
    assert name in WIDENED
    data = {"table_mlp": rows}.get(name, digits)
    choice = choose(data, name, {"batch_size": 16}, epochs=1)
    usual = parameters(choice.network)
    for steps in depths(name, choice.arguments):
        other, shape = sized(name, choice.arguments, 1.4, steps)
        wider = choose(data, other, {"batch_size": 16}, epochs=1, arguments=shape)
        assert parameters(wider.network) != usual
    same, shape = sized(name, choice.arguments)
    assert parameters(choose(data, same, epochs=1, arguments=shape).network) == usual


def test_rungs_are_thirds_of_the_longest_and_none_too_short():
    assert rungs_below(90.0, False).lengths == pytest.approx((10.0, 30.0, 90.0))
    assert rungs_below(10.0, False).lengths == pytest.approx((10 / 3, 10.0))
    assert rungs_below(0.3, True).lengths == (0.3,)
    recipe = rungs_below(90.0, False).recipe(Recipe(epochs=40.0), 1)
    assert (recipe.budget, recipe.epochs) == (30.0, 40.0)
    by_epochs = rungs_below(9.0, True).recipe(Recipe(budget=5.0), 0)
    assert (by_epochs.budget, by_epochs.epochs) == (None, 1.0)


def test_the_best_third_is_promoted():
    others = [0.1 * number for number in range(8)]
    assert is_promoted(0.55, others, ACCURACY)
    assert not is_promoted(0.25, others, ACCURACY)
    assert is_promoted(0.15, others, RMSE)
    assert not is_promoted(math.nan, [], ACCURACY)
    assert is_promoted(0.5, [], ACCURACY) and not is_promoted(0.4, [0.5], ACCURACY)


def test_a_file_is_as_large_untrained_as_it_will_be(digits, tmp_path):
    """Arrays that are equal before training are written once, and would make it too small."""
    network = choose(digits, "whitened_cnn", epochs=1, arguments={"depth": 3}).network
    rng = np.random.default_rng(1)
    trained = network.with_weights(
        {
            name: x + rng.normal(0, 0.1, x.shape).astype(x.dtype)
            for name, x in network.weights.items()
        }
    )
    sizes = {}
    for name, one in (("plain", network), ("unlike", unlike_arrays(network)), ("then", trained)):
        one.save(tmp_path / f"{name}.onnx")
        strip(tmp_path / f"{name}.onnx", tmp_path / f"{name}.onnx")
        sizes[name] = (tmp_path / f"{name}.onnx").stat().st_size
    assert sizes["plain"] < 0.9 * sizes["then"]
    assert sizes["unlike"] == sizes["then"]


@pytest.mark.parametrize(
    ("latency", "size", "beyond", "why"),
    [
        (0.04, 90e3, False, None),
        (0.06, 90e3, True, ": not within the limits"),
        (0.04, 120e3, True, ": not within the limits"),
        (0.0475, 90e3, True, "within the limits by less than clocks"),
        (0.04, 99.5e3, True, "within the limits by less than clocks"),
    ],
)
def test_what_is_not_trained_says_whether_it_was_over_a_limit_or_near_to_it(
    latency, size, beyond, why
):
    costs = UntrainedCosts(latency, size, "onnxruntime", "int8")
    target = Target(max_latency=0.05, max_size=100e3)
    assert (max(costs.beyond(target).values()) > 0) == beyond
    assert why is None or why in costs.why_not(target)
