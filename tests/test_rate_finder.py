"""The rate at which the loss falls fastest, and its picture."""

import numpy as np
import pytest

from allotrope.config import Recipe, Settings
from allotrope.network import zoo
from allotrope.report.rates_tried import rates_tried
from allotrope.report.record import Record
from allotrope.training.rate_finder import found_rate, steepest
from planned import of_digits

RECIPE = Recipe(optimizer="momentum", learning_rate=0.1, epochs=1, batch_size=64)


def test_the_steepest_fall_before_the_least_loss_is_taken():
    rates = [10.0**power for power in range(-6, 2)]
    losses = [2.3, 2.3, 2.25, 2.0, 1.2, 1.1, 1.4, 9.0]
    assert steepest(rates, losses, 0.5) == rates[3]
    assert steepest(rates, [2.0] * 8, 0.5) == 0.5
    assert steepest([], [], 0.5) == 0.5


def test_the_same_rate_is_found_again_and_it_is_a_useful_one(digits):
    network = of_digits(zoo.mlp(10, (1, 8, 8), hidden=(16,)))
    curves = [found_rate(network, digits, RECIPE, Settings(threads=1), "pytorch") for _ in "ab"]
    assert curves[0] == curves[1]
    assert 1e-3 < curves[0].chosen < 1.0
    assert np.diff(np.log(curves[0].rates)) == pytest.approx(np.log(1e6) / 99)
    assert min(curves[0].losses) < 0.9 * curves[0].losses[1]


def test_the_report_draws_what_was_tried():
    rates = {"rates": [1e-4, 1e-3, 1e-2], "losses": [2.3, 1.0, 4.0], "chosen": 1e-3}
    (chart,) = rates_tried(Record({"settings_race": {"rates": rates}}))
    assert chart.marked == "taken: 0.001" and chart.left < chart.best < chart.right
    assert chart.lines[0].path.count("L") == 2
    assert rates_tried(Record({"settings_race": {}})) == []
    broken = {**rates, "losses": [1.0]}
    assert rates_tried(Record({"settings_race": {"rates": broken}})) == []
