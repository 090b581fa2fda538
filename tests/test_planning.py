"""How a training's budget is shared with the choices that come before it."""

import io
import time
from dataclasses import replace

import pytest

from allotrope.config import Recipe, Settings
from allotrope.network import zoo
from allotrope.progress import display
from allotrope.verbs.pipeline.planning import Start, settled
from planned import of_digits

RECIPE = Recipe(learning_rate=0.2, batch_size=64, augmentation="none", budget=200.0)


def planned(digits, spent, recipe=RECIPE):
    """The training's recipe after so many seconds of choices, and what was said."""
    network = of_digits(zoo.cnn(10, (1, 8, 8), channels=(8,), hidden=(16,)))
    start, said = Start("cnn", network, recipe, frozenset(), {}), io.StringIO()
    began, one = time.monotonic() - spent, [Settings(threads=1)]
    plan = settled(start, digits, "pytorch", one, display(stream=said), began)
    return plan.recipe, said.getvalue()


def test_what_choices_took_is_taken_off(digits):
    recipe, said = planned(digits, 40.0)
    assert recipe.budget == pytest.approx(160.0, abs=30.0)
    assert "Choices took" not in said


@pytest.mark.parametrize("spent", [130.0, 190.0, 3000.0])
def test_a_training_has_half_of_its_budget_however_long_choices_took(digits, spent):
    recipe, said = planned(digits, spent)
    assert recipe.budget == 100.0
    assert "all the same" in said and "--network" in said


def test_without_a_budget_nothing_is_taken_off(digits):
    recipe, said = planned(digits, 3000.0, replace(RECIPE, budget=None, epochs=3))
    assert recipe.budget is None and "Choices" not in said
