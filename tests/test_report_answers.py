"""What the report shows of each kind of task, alone and beside others."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from allotrope.config import Recipe
from allotrope.report import write_report
from allotrope.report.answers.residuals import answer_chart, error_chart
from allotrope.tasks import Classification, MultiLabel, Regression

RANDOM = np.random.default_rng(0)
KINDS, AGES = RANDOM.integers(0, 3, 120), RANDOM.gamma(4, 10, 120)
FLAGS = RANDOM.random((120, 2)) < 0.4
KIND = Classification(name="kind", classes=("ant", "bee", "cat"))
AGE = Regression(name="age", unit="days").trained_by(Recipe(), AGES)
TAGS = MultiLabel(name="tags", labels=("<round>", "red"), thresholds=(0.4, 0.6))


def accounts():
    """An account of each task, with answers that are often right."""
    noise = RANDOM.standard_normal((120, 3))
    return {
        "kind": KIND.account(2 * np.eye(3)[KINDS] + noise, KINDS),
        "age": AGE.account(AGE.encode(AGES).targets + 0.2 * noise[:, :1], AGES),
        "tags": TAGS.account(3 * (FLAGS - 0.5) + noise[:, :2], FLAGS),
    }


def page(folder: pathlib.Path, tasks, test) -> str:
    """The report of a run with these tasks, which ended before anything was measured."""
    Image.new("L", (8, 8), 90).save(folder / "worst.png")
    cells = [{"name": "width", "value": "3.4"}]
    for account in test.values():
        for row in account.get("worst", []) + account.get("mistakes", []):
            row |= {"picture": "worst.png", "cells": cells}
    facts = {"name": "insects", "test": 120, "tasks": [task.facts() for task in tasks]}
    account = test if len(tasks) > 1 else test[tasks[0].name]
    run = {"schema": 1, "status": "done", "data": facts, "test": account}
    (folder / "run.json").write_text(json.dumps(run))
    return write_report(folder).read_text()


def test_several_tasks_stand_in_one_report_and_the_first_decides(tmp_path):
    shown = accounts()
    text = page(tmp_path, [AGE, KIND, TAGS], shown)
    places = [text.index(f'<h3 class="apart task">{name}') for name in ("age", "kind", "tags")]
    assert places == sorted(places)
    assert text.count("by it was chosen") == 1
    assert "Confusion matrix" in text and "Each label, the weakest first" in text
    assert text.count('class="example"') == 2 * 120
    assert text.count('class="bin"') == len(shown["kind"]["calibration"]["bins"])
    assert "&lt;round&gt;" in text and "<round>" not in text


@pytest.mark.parametrize(
    ("task", "shown"),
    [
        (KIND, ["Confusion matrix", "Worst mistakes", "taken for", "as sure as right"]),
        (AGE, ["Error against truth, days", "half of the answers", "Furthest off", " days"]),
        (TAGS, ["macro F1", "given from", "40.0", "Furthest off, over all labels"]),
    ],
)
def test_a_task_alone_has_no_heading_of_its_own(tmp_path, task, shown):
    text = page(tmp_path, [task], accounts())
    assert 'class="apart task"' not in text
    for words in [*shown, "<dt>width</dt>", "data:image/png"]:
        assert words in text, words


def test_a_row_of_numbers_has_charts_for_each(tmp_path):
    box = Regression(name="box", mean=(0.0, 0.0), deviation=(1.0, 1.0), parts=("x", "y"))
    truth = RANDOM.standard_normal((50, 2))
    account = box.account(truth + 0.1, truth)
    text = page(tmp_path, [box], {"box": account})
    assert '<h3 class="apart">x</h3>' in text and '<h3 class="apart">y</h3>' in text
    assert text.count("Answer against truth") == 2


@pytest.mark.parametrize(
    "account", [{}, {"points": "none"}, {"points": [[1]], "rmse": "high"}, {"parts": {"x": 3}}]
)
def test_an_account_that_is_not_whole_is_no_error(tmp_path, account):
    assert "Furthest off" not in page(tmp_path, [AGE], {"age": account})


def test_right_answers_lie_on_the_line_and_wrong_ones_off_it():
    points = [(1.0, 1.0), (2.0, 2.0), (3.0, 5.0)]
    chart = answer_chart(points, "")
    (left, bottom, right, top), slope = chart.ideal, []
    for point in chart.points:
        share = (point.x - left) / (right - left)
        slope.append(point.y - (bottom + share * (top - bottom)))
    assert abs(slope[0]) < 0.2 and abs(slope[1]) < 0.2 and slope[2] < -20
    errors = error_chart(points, 1.0, "")
    assert errors.points[0].y == errors.ideal[1] == errors.ideal[3]
    assert errors.band[0] < errors.ideal[1] < errors.band[1]


def test_too_few_points_are_no_chart():
    assert answer_chart([(1.0, 1.0)], "") is None and error_chart([(1.0, 1.0)], 1.0, "") is None
