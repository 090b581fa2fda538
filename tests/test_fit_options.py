"""What `fit` accepts, refuses and remembers."""

from __future__ import annotations

import pytest

from allotrope import fit
from allotrope.config import DataOptions, Target
from allotrope.errors import MissingDependencyError, UsageError
from allotrope.verbs.offered import FIT
from allotrope.verbs.request import (
    asked_for,
    command_line,
    defaults,
    fit_options,
    layouts_apart,
)

USUAL = {**defaults(fit), "data": "digits"}


def test_units_become_numbers():
    options = fit_options(
        {
            **USUAL,
            "budget": "10m",
            "max_latency": "2ms",
            "max_size": "1.5MB",
            "max_drop": 1.0,
            "seed": 7,
        }
    )
    assert options.budget == 600
    assert options.target == Target(max_latency=2.0, max_size=1_500_000, max_drop=1.0)
    assert options.data == DataOptions(seed=7)


def test_files_are_timed_with_as_many_threads_as_train_unless_it_is_said():
    assert fit_options(USUAL).measuring_threads is None
    assert fit_options({**USUAL, "threads": 2}).measuring_threads == 2
    apart = fit_options({**USUAL, "threads": 2, "measure_threads": 1})
    assert apart.measuring_threads == 1 and apart.settings.threads == 2
    with pytest.raises(UsageError, match="measure_threads is 0"):
        fit_options({**USUAL, "measure_threads": 0})


def test_only_what_was_asked_for_replaces_the_recipe():
    assert fit_options(USUAL).recipe == {}
    assert fit_options({**USUAL, "batch_size": 64, "flip": False}).recipe == {
        "batch_size": 64,
        "flip": False,
    }


def test_every_recipe_option_is_a_field():
    from dataclasses import fields

    from allotrope.config import Recipe

    recipe = {option.name for option in FIT if option.recipe}
    assert recipe <= {field.name for field in fields(Recipe)}
    assert len(recipe) > 10


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("network", "mobilenet", "unknown network 'mobilenet'. Did you mean 'mobilenet_v2'?"),
        ("framework", "pytroch", "unknown framework 'pytroch'. Did you mean 'pytorch'?"),
        ("framework", "reference", "unknown framework 'reference'."),
        ("optimizer", "adan", "unknown optimizer 'adan'. Did you mean 'adam'?"),
        ("schedule", "cosin", "Did you mean 'cosine'?"),
        ("augmentation", "hevy", "Did you mean 'heavy'?"),
        ("activation", "geluu", "unknown activation 'geluu'. Did you mean 'gelu'?"),
        ("normalization", "bach", "unknown normalization 'bach'. Did you mean 'batch'?"),
        ("dropout", 1.0, "dropout is 1.0, expected at least 0 and below 1"),
        ("class_weights", "balance", "unknown class weights 'balance'. Did you mean 'balanced'?"),
        ("budget", "ten minutes", "'ten minutes' is not a length of time"),
        ("max_latency", "-2ms", "is not a length of time"),
        ("max_size", "1 parsec", "is not a size"),
        ("epochs", 0, "epochs is 0, expected more than 0"),
        ("seed", -1, "seed is -1, expected 0 or more"),
        ("label_smoothing", 1.0, "label_smoothing is 1.0, expected at least 0 and below 1"),
        ("learning_rate", float("nan"), "learning_rate is nan, expected more than 0"),
    ],
)
def test_bad_values_are_named(name: str, value: object, message: str):
    with pytest.raises(UsageError) as caught:
        fit_options({**USUAL, name: value})
    assert message in str(caught.value)


def test_the_layers_of_a_file_stay_as_they_are(tmp_path):
    file = tmp_path / "model.onnx"
    file.touch()
    with pytest.raises(UsageError, match=r"--activation: .* the layers of model\.onnx are as they"):
        fit_options({**USUAL, "network": str(file), "activation": "gelu"})


def test_a_framework_that_is_missing_is_refused_before_anything_is_made():
    def missing(name: str) -> str:
        return f"{name} is not installed; install it with: pip install 'allotrope[{name}]'"

    with pytest.raises(MissingDependencyError, match=r"pip install 'allotrope\[jax\]'$"):
        fit_options({**USUAL, "framework": "jax"}, missing)


def test_a_framework_that_is_there_is_named_beside_one_that_is_missing():
    def missing(name: str) -> str | None:
        return None if name == "jax" else f"{name} is not installed"

    with pytest.raises(MissingDependencyError, match=r"What is there: --framework jax$"):
        fit_options(USUAL, missing)


def test_all_values_out_of_range_come_in_one_message():
    with pytest.raises(UsageError, match=r"epochs is -1, .*; seed is -3, .*; batch_size is 0"):
        fit_options({**USUAL, "epochs": -1, "batch_size": 0, "seed": -3})


def test_the_command_can_be_repeated():
    asked = asked_for(
        fit,
        {**USUAL, "data": "my photos/", "budget": "5m", "flip": False, "out": "elsewhere"},
        without=("out",),
    )
    assert asked == {"data": "my photos/", "budget": "5m", "flip": False}
    assert command_line("fit", "data", asked) == "allotrope fit 'my photos/' --budget 5m --no-flip"


def test_a_memory_layout_is_understood_behind_layout_too():
    asked = layouts_apart({**USUAL, "layout": "channels-last"})
    assert (asked["layout"], asked["memory_layout"]) == ("auto", "channels-last")
    folders = layouts_apart({**USUAL, "layout": "splits", "memory_layout": "default"})
    assert (folders["layout"], folders["memory_layout"]) == ("splits", "default")
    with pytest.raises(UsageError, match=r"--layout default .* --memory-layout is channels-last"):
        layouts_apart({**USUAL, "layout": "default", "memory_layout": "channels-last"})
