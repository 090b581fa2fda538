"""What decides, in the report of a run: its name, sense and unit, and the task that it is of."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from allotrope.report.candidate_rows import Candidates, read_candidates
from allotrope.report.curves import learning_curves
from allotrope.report.headline import headline
from allotrope.report.judged import Judged, judged
from allotrope.report.page import write_report
from allotrope.report.record import Record
from allotrope.report.scatter import scatter
from allotrope.report.sections import history_columns, training_facts
from allotrope.run import Run
from allotrope.tasks.metric import ACCURACY, AUC, R2, RMSE
from allotrope.verbs.fitted import FittedRun

AGE = {"kind": "regression", "name": "age", "unit": "days", "metric": "rmse"}
KIND = {"kind": "classification", "name": "kind", "classes": ["ant", "bee"], "metric": "accuracy"}
SCORES = {
    "age": {"loss": 0.1, "rmse": 3.41, "guess": 9.9},
    "kind": {
        "loss": 0.2,
        "accuracy": 0.8,
        "per_class": [{"class": "ant", "support": 30}, {"class": "bee", "support": 20}],
    },
}


def candidate(precision: str, value: float, latency: float, **rest: Any) -> dict[str, Any]:
    """A row as run.json has it if no accuracy alone decides."""
    return {
        "runtime": "onnxruntime",
        "precision": precision,
        "form": "",
        "file": f"{precision}.onnx",
        "validation_metric": value,
        "test_metric": value * 1.1,
        "latency_ms": {"median": latency, "p90": latency},
        "throughput": 1000.0 / latency,
        "size_bytes": 1000,
        "passes": True,
        **rest,
    }


def run_of(*tasks: dict[str, Any], values: tuple[float, float, float]) -> dict[str, Any]:
    """A run whose baseline, float32 and int8 have these values of what decides; int8 delivered."""
    baseline, float32, int8 = values
    rows = [
        candidate("float32", baseline, 9.0, runtime="pytorch", baseline=True),
        candidate("float32", float32, 3.0),
        candidate("int8", int8, 1.0),
    ]
    return {
        "schema": 2,
        "status": "done",
        "data": {"name": "insects", "test": 60, "tasks": list(tasks)},
        "validation": {task["name"]: SCORES[task["name"]] for task in tasks},
        "test": {task["name"]: SCORES[task["name"]] for task in tasks},
        "candidates": rows,
        "delivered": rows[-1],
        "target": {"max_drop": 5.0},
    }


ONE = run_of(AGE, values=(3.0, 3.01, 3.09))
SEVERAL = run_of(KIND, AGE, values=(0.8, 0.8, 0.79))


def candidates_of(run: dict[str, Any]) -> Candidates:
    return read_candidates(Record(run))


def plain(text: str) -> str:
    return text.replace("\u202f", " ")


def words_of(page: str) -> str:
    """What a reader sees of a page."""
    bare = re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.S))
    return plain(" ".join(html.unescape(bare).split()))


@pytest.mark.parametrize(
    ("judged_by", "texts"),
    [
        (Judged(), ["accuracy", "97.20 %", "−2.00", "accuracy, %", "points"]),
        (Judged(RMSE, "age", "days"), ["RMSE", "0.9720 days", "+2.00", "RMSE, days", "%"]),
        (Judged(R2, "age", "days"), ["R²", "0.9720", "−2.00", "R²", "points"]),
        (
            Judged(AUC, "kind", "", True),
            ["AUC of kind", "0.9720", "−2.00", "AUC of kind", "points"],
        ),
    ],
)
def test_a_metric_is_written_by_its_sense_and_in_its_unit(judged_by, texts):
    written = [
        judged_by.title,
        plain(judged_by.text(0.972)),
        judged_by.change(2.0),
        judged_by.axis,
        judged_by.points,
    ]
    assert written == texts
    assert judged_by.text(None) == judged_by.change(None) == "–"


@pytest.mark.parametrize(
    ("tasks", "metrics"),
    [
        ([], [ACCURACY]),
        ([AGE, KIND], [RMSE, ACCURACY]),
        ([{**AGE, "metric": "of a later version"}, {"kind": "of a later version"}, {}], None),
    ],
)
def test_tasks_are_judged_by_their_metrics_whatever_is_recorded(tasks, metrics):
    known = [each.metric for each in judged(Record({"data": {"tasks": tasks}}))]
    assert known == (metrics or [RMSE, ACCURACY, ACCURACY])


def test_an_error_that_rose_is_a_drop_from_the_lowest_in_float32():
    candidates = candidates_of(ONE)
    drops = {row.record.text("file"): row.drop for row in candidates.rows if not row.baseline}
    assert drops["int8.onnx"] == pytest.approx(3.0)
    assert drops["float32.onnx"] == pytest.approx(100 * 0.01 / 3)
    assert candidates.limit == pytest.approx(3.15)


@pytest.mark.parametrize("run", [ONE, SEVERAL])
def test_better_is_up_whatever_the_metric(run):
    chart = scatter(candidates_of(run), 720, 380)
    assert chart is not None and chart.floor is not None
    by_height = sorted(chart.marks, key=lambda mark: mark.y)
    assert not by_height[0].delivered and by_height[-1].delivered
    assert by_height[-1].y < chart.floor
    assert not any(mark.below for mark in chart.marks)


def test_what_is_far_worse_is_drawn_at_the_lower_edge():
    chart = scatter(candidates_of(run_of(AGE, values=(3.0, 3.01, 9.0))), 720, 380)
    assert chart is not None
    assert [mark.below for mark in chart.marks] == [mark.delivered for mark in chart.marks]
    assert chart.y_title == "validation RMSE, days, lowest on top"


def test_the_title_of_an_axis_fits_above_it_and_keeps_its_sense():
    long = {**AGE, "unit": "b" * 60}
    run = run_of(long, KIND, values=(3.0, 3.0, 3.1))
    chart = scatter(candidates_of(run), 358, 330)
    assert chart is not None
    assert len(chart.y_title) <= 358 // 6
    assert chart.y_title.endswith("…, lowest on top")


def test_what_is_allowed_and_what_it_is_counted_from_are_always_shown():
    chart = scatter(candidates_of(run_of(AGE, values=(3.0, 3.01, 2.0))), 720, 380)
    assert chart is not None and chart.floor is not None
    assert not any(mark.below for mark in chart.marks)


def test_the_headline_of_a_regression():
    head = headline(Record(ONE), candidates_of(ONE))
    assert "test RMSE 3.399 days" in plain(head.sentence)
    (why,) = head.reasons
    assert "at most 5 % more validation RMSE" in why
    assert "+3.00 % of validation RMSE against float32" in why
    tile = head.tiles[0]
    assert (tile.name, tile.value) == ("Test RMSE", "3.399 days")
    assert tile.detail == "9.900 days if the training mean is answered always"


def test_the_headline_of_several_tasks_names_the_one_that_decides():
    head = headline(Record(SEVERAL), candidates_of(SEVERAL))
    assert "test accuracy of kind 86.90 %" in plain(head.sentence)
    assert head.reasons[-1] == (
        "What decides is the accuracy of kind; higher is better. Only reported: age."
    )
    tiles = {tile.name: tile for tile in head.tiles}
    assert tiles["Test RMSE of age"].value == "3.410 days"
    assert plain(tiles["Test accuracy of kind"].detail).endswith("50 images")


def test_a_run_that_delivered_nothing_says_what_its_network_reaches():
    run = {**ONE, "candidates": [], "delivered": None}
    head = headline(Record(run), candidates_of(run))
    assert (
        head.sentence == "The trained network reaches test RMSE 3.410 days; no file is delivered."
    )
    assert head.tiles[0].value == "3.410 days"


def test_each_task_has_a_curve_and_its_columns_in_its_unit():
    history = [
        {
            "epoch": float(epoch),
            "step": 9.0,
            "validation_metric": 0.5,
            "validation_kind_accuracy": 0.5 + epoch / 10,
            "validation_age_rmse": 5.0 / epoch,
        }
        for epoch in (1, 2, 3)
    ]
    tasks = judged(Record(SEVERAL))
    charts = learning_curves(history, 3, tasks)
    assert [chart.title for chart in charts] == ["Accuracy of kind, %", "RMSE of age, days"]
    assert charts[1].bands[0].tip.lines[-1] == "validation 5.000 days"
    columns = history_columns(Record(SEVERAL), history)
    written = [(column.name, plain(column.write(0.5))) for column in columns]
    assert written == [
        ("epoch", "0.5000"),
        ("validation_kind_accuracy", "50.00 %"),
        ("validation_age_rmse", "0.5000 days"),
    ]
    facts = dict(training_facts(Record(SEVERAL)))
    assert facts["validation RMSE of age"] == "3.410 days"
    assert facts["test loss of kind"] == "0.200"


def test_the_page_shows_figures_for_every_candidate(tmp_path: Path):
    with Run.create("insects", tmp_path) as run:
        run.save(**SEVERAL)
    said = words_of(write_report(run.folder).read_text(encoding="utf-8"))
    assert "Validation and test: accuracy of kind, %; higher is better. It alone decides." in said
    for figures in ("80.00 % ±0", "79.00 % −1.00"):
        assert figures in said


def test_the_summary_of_fit_names_what_decides(tmp_path: Path):
    said = str(FittedRun(tmp_path, SEVERAL))
    assert "kind (decides): 80.00% on 60 examples" in said
    assert "age: 3.410 days on 60 examples" in said
    assert "test accuracy of kind 86.90%" in said
    alone = str(FittedRun(tmp_path, ONE))
    assert "test RMSE of age 3.399 days" in alone
    assert "decides" not in alone
