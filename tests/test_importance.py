"""What answers rest on: planted columns count, others do not, and the report says by how much."""

from __future__ import annotations

import json

import numpy as np
import pytest

from allotrope.inputs.table.table import Table
from allotrope.inputs.text.text_input import Text
from allotrope.measure.importance import Judgement, dependence, importance, spread
from allotrope.report import write_report
from allotrope.tasks.metric import ACCURACY, RMSE

ROWS = 300
TABLE = Table(
    name="table",
    columns=("strong", "weak", "idle", "kind", "day"),
    categories=((), (), (), ("a", "b"), ()),
    dates=("", "", "", "", "iso"),
)
RANDOM = np.random.default_rng(5)
X = RANDOM.standard_normal((ROWS, 5)).astype(np.float32)


def level(inputs):
    """What is answered: far more of the first column than of the second, nothing else."""
    return 3 * inputs["table"][:, 0] + inputs["table"][:, 1]


TRUTH = level({"table": X}) + 0.1 * RANDOM.standard_normal(ROWS)


def error(inputs, rows):
    return float(np.sqrt(np.mean((level(inputs) - TRUTH[rows]) ** 2)))


def asked(metric=RMSE, worth=error, inputs=(TABLE,)):
    return Judgement(inputs, worth, metric)


def test_columns_count_by_what_was_planted():
    result = importance(asked(), {"table": X})
    assert [each.part for each in result.parts[:2]] == ["strong", "weak"]
    by_name = {each.part: each for each in result.parts}
    # Two columns that differ by d² on average make an error of √2 times what a column counts.
    assert by_name["strong"].mean == pytest.approx(3 * np.sqrt(2), rel=0.15)
    assert by_name["weak"].mean == pytest.approx(np.sqrt(2), rel=0.2)
    assert by_name["idle"].worse == (0.0,) * 5 and by_name["idle"].deviation == 0
    assert 0 < by_name["strong"].deviation < 0.5
    assert result.rows == ROWS and result.whole == pytest.approx(0.1, rel=0.2)


def test_what_is_higher_if_better_worsens_by_falling():
    def right(inputs, rows):
        return float(np.mean((level(inputs) > 0) == (TRUTH[rows] > 0)))

    result = importance(asked(ACCURACY, right), {"table": X})
    assert result.parts[0].part == "strong" and 0.2 < result.parts[0].mean < 0.6


def test_rows_stay_as_they_are():
    before = X.copy()
    importance(asked(), {"table": X})
    np.testing.assert_array_equal(X, before)


def test_an_input_beside_a_table_counts_as_a_whole():
    text = Text(name="note", longest=4)
    result = importance(
        asked(inputs=(TABLE, text)), {"table": X, "note": np.zeros((ROWS, 4), np.uint8)}
    )
    assert ("note", "note") in {(each.input, each.part) for each in result.parts}


def test_one_part_alone_is_not_asked():
    def never(inputs, rows):
        raise AssertionError("asked")

    text = {"note": np.zeros((ROWS, 4), np.uint8)}
    assert importance(asked(worth=never, inputs=(Text(name="note", longest=4),)), text) is None


def test_a_metric_that_is_not_defined_is_not_shown():
    assert importance(asked(worth=lambda *_: float("nan")), {"table": X}) is None


def test_time_ends_it_and_says_what_was_not_reached():
    now = iter(np.arange(0, 100, 1.0))
    result = importance(asked(), {"table": X}, seconds=4.5, clock=lambda: float(next(now)))
    assert len(result.parts) + len(result.left_out) == 5 and result.left_out
    assert result.rows < ROWS
    assert all(len(each.worse) == 1 for each in result.parts)


def test_rows_are_spread_over_all():
    assert spread(10, 3).tolist() == [0, 4, 9] and spread(2, 5).tolist() == [0, 1]


def test_dependence_is_the_mean_answer_at_each_value():
    curve = np.array(dependence(level, {"table": X}, TABLE, "strong"))
    slopes = np.diff(curve[:, 1]) / np.diff(curve[:, 0])
    np.testing.assert_allclose(slopes, 3, rtol=1e-3)
    assert np.ptp(np.array(dependence(level, {"table": X}, TABLE, "idle"))[:, 1]) < 1e-6
    gaps = {"table": np.full_like(X, np.nan)}
    assert dependence(level, gaps, TABLE, "strong") == []


def test_codes_and_dates_are_no_quantities():
    assert TABLE.quantities == ("strong", "weak", "idle")
    assert TABLE.parts == TABLE.columns


# --- the report


def page(folder, facts, metric="rmse", kind="regression", **more):
    task = {"kind": kind, "name": "price", "metric": metric, **more}
    run = {"schema": 2, "status": "done", "data": {"name": "x", "tasks": [task]}}
    (folder / "run.json").write_text(json.dumps(run | {"importance": facts}))
    return write_report(folder).read_text()


FACTS = {
    "split": "validation",
    "whole": 0.25,
    "rows": 2000,
    "of_rows": 5000,
    "shuffles": 5,
    "left_out": ["far"],
    "columns": [
        {"name": "<size>", "worse": 0.1, "deviation": 0.01},
        {"name": "idle", "worse": 0.001, "deviation": 0.02},
    ],
    "curves": [{"name": "<size>", "answer": "price, €", "points": [[1, 2], [2, 5]]}],
}


def test_the_report_shows_columns_and_curves(tmp_path):
    text = page(tmp_path, FACTS, unit="€")
    assert "What answers rest on" in text and "&lt;size&gt;" in text and "<size>" not in text
    assert "Worsening of RMSE, €" in text and "did not reach 1 column" in text
    assert "So many of the 5" in text and "price, € by &lt;size&gt;" in text
    # What is within two deviations of nothing is dimmed.
    assert text.count('<tr class="failed"><th scope="row"><bdi>idle') == 1


def test_shares_are_points(tmp_path):
    text = page(tmp_path, FACTS, "accuracy", "classification", classes=["a", "b"])
    assert "Worsening of accuracy, points" in text and "10" in text


@pytest.mark.parametrize(
    "facts", [{}, {"columns": "none"}, {"columns": [{"name": "a"}]}, {"columns": [3]}, "none"]
)
def test_facts_that_are_not_whole_are_no_section(tmp_path, facts):
    assert "What answers rest on" not in page(tmp_path, facts)


@pytest.mark.parametrize("points", ["none", [1], [[1]], [["a", 2], [2, 3]], [[1, 2]]])
def test_curves_that_are_not_whole_are_left_out(tmp_path, points):
    facts = FACTS | {"curves": [{"name": "a", "answer": "b", "points": points}]}
    text = page(tmp_path, facts)
    assert "What answers rest on" in text and "if every row had the same" not in text
