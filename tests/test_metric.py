"""What decides: which of two values is better, what losing some of it means, and how it reads."""

import math

import pytest

from allotrope.tasks.metric import ACCURACY, AUC, R2, RMSE


def test_better_follows_the_sense_of_the_metric():
    assert ACCURACY.better(0.9, 0.8) and not ACCURACY.better(0.8, 0.9)
    assert RMSE.better(3.0, 4.0) and not RMSE.better(4.0, 3.0)
    assert not ACCURACY.better(0.8, 0.8) and not RMSE.better(3.0, 3.0)


@pytest.mark.parametrize("metric", [ACCURACY, RMSE])
def test_what_is_not_a_number_is_worst(metric):
    assert metric.better(0.1, math.nan) and not metric.better(math.nan, 0.1)
    assert metric.drop(0.1, math.nan) == math.inf


def test_drops_are_points_of_fractions_and_per_cent_of_errors():
    assert ACCURACY.drop(0.97, 0.96) == pytest.approx(1.0)
    assert ACCURACY.drop(0.96, 0.97) == pytest.approx(-1.0)
    assert RMSE.drop(2.0, 2.1) == pytest.approx(5.0)
    assert RMSE.drop(2.0, 1.9) == pytest.approx(-5.0)
    assert RMSE.drop(0.0, 0.1) == math.inf and RMSE.drop(0.0, 0.0) == 0
    assert R2.drop(0.5, 0.49) == pytest.approx(1.0)


def test_values_and_their_differences_read_well():
    texts = [ACCURACY.text(0.972), AUC.text(0.93124), RMSE.text(3.4149)]
    assert texts == ["97.20%", "0.9312", "3.415"]
    assert ACCURACY.apart(0.972, 0.96) == "1.20 points under"
    assert RMSE.apart(2.0, 2.024) == "1.20 % over"
    assert ACCURACY.change(0.972, 0.973) == "+0.10 points"
    assert RMSE.change(2.0, 1.9) == "-5.00 %"
    assert ACCURACY.change(0.5, 0.5) == "+0.00 points"


@pytest.mark.parametrize(("metric", "limit"), [(ACCURACY, 0.96), (R2, 0.96), (RMSE, 0.9797)])
def test_a_limit_is_as_bad_as_is_allowed(metric, limit):
    assert metric.limit(0.97, 1.0) == pytest.approx(limit)
    assert metric.drop(0.97, metric.limit(0.97, 1.0)) == pytest.approx(1.0)
