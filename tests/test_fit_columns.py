"""`fit` on columns, from the data to the delivered file.

Tables that name pictures, arrays in memory, several inputs and tasks.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import allotrope
from allotrope.errors import DataError, UsageError
from allotrope.progress import Progress
from allotrope.run import read_record
from quick import ONE, fit, fit_with, main

HOW = {
    "epochs": 4,
    "threads": 1,
    "max_drop": 100,
    "quiet": True,
    "precision": "float32",
    "memory_layout": "default",
    "compile": False,
}
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
NAMES = np.array(["red", "green", "blue"])


def columns(count=120, seed=0):
    """Plain coloured pictures, their colour and how bright they are, and numbers.

    One of the numbers says the same.
    """
    random = np.random.default_rng(seed)
    colour, bright = np.arange(count) % 3, random.uniform(0.4, 1, count)
    pixels = COLOURS[colour][:, None, None] * bright[:, None, None, None]
    noisy = pixels + random.normal(0, 10, (count, 12, 12, 3))
    brightness = (100 * bright).astype(np.float32)
    return {
        "scan": noisy.clip(0, 255).astype(np.uint8),
        "facts": np.stack([brightness, random.normal(size=count)], 1).astype(np.float32),
        "colour": NAMES[colour],
        "brightness": brightness,
    }


@pytest.fixture
def table(tmp_path):
    """Pictures, and a labels.csv that names them with a class and a number."""
    data = columns()
    lines = ["file,colour,brightness"]
    for row, pixels in enumerate(data["scan"]):
        Image.fromarray(pixels).save(tmp_path / f"{row}.png")
        lines.append(f"{row}.png,{data['colour'][row]},{data['brightness'][row]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "labels.csv"


def answers(run, inputs):
    return allotrope.load(run.delivered).run(inputs)


def test_a_table_that_names_pictures_with_a_class_and_a_number(table, tmp_path):
    words = ["fit", str(table), "--target", "colour,brightness", "--epochs", "4", "--threads", "1"]
    more = ["--max-drop", "100", "--out", str(tmp_path / "runs"), "--json"]
    assert main([*words, *more]) == 0
    folder = tmp_path / "runs" / "labels-1"
    record = json.loads((folder / "run.json").read_text())
    tasks = [(task["name"], task["kind"], task["metric"]) for task in record["data"]["tasks"]]
    assert tasks == [("colour", "classification", "accuracy"), ("brightness", "regression", "rmse")]
    assert "classes" not in record["data"]
    assert record["test"]["colour"]["accuracy"] > 0.5
    assert record["test"]["brightness"]["rmse"] < 15
    row = record["delivered"]
    assert row["validation_metric"] == pytest.approx(record["validation"]["colour"]["accuracy"])
    assert "test_metric" in row
    assert "validation_accuracy" not in row
    worst = record["test"]["brightness"]["worst"][0]
    assert worst["file"].endswith(".png")
    assert (folder / worst["picture"]).is_file()
    page = (folder / "report.html").read_text()
    assert "brightness" in page


def test_another_task_decides_if_it_is_asked_for(table, tmp_path):
    run = fit(table, target="colour,brightness", decide="brightness", out=tmp_path / "runs", **HOW)
    assert [task["name"] for task in run.json["data"]["tasks"]] == ["brightness", "colour"]
    rmse = run.json["validation"]["brightness"]["rmse"]
    assert run.json["delivered"]["validation_metric"] == pytest.approx(rmse, rel=1e-3)
    assert "of validation RMSE" in run.json["delivered"]["reason"]
    assert "test RMSE      brightness (decides): " in str(run)
    with pytest.raises(UsageError, match=r"unknown task 'colou'\. Did you mean 'colour'"):
        fit(table, target="colour,brightness", decide="colou", out=tmp_path / "no", **HOW)
    assert not (tmp_path / "no").exists()


def test_two_inputs_and_two_tasks_from_arrays(tmp_path):
    data = columns()
    run = fit(data, target=["colour", "brightness"], out=tmp_path, **HOW)
    assert [(each["name"], each["kind"]) for each in run.json["data"]["inputs"]] == [
        ("scan", "image"),
        ("facts", "table"),
    ]
    colour, brightness = answers(run, {"scan": data["scan"], "facts": data["facts"]}).values()
    assert colour.shape == (120, 3)
    np.testing.assert_allclose(colour.sum(1), 1, rtol=1e-5)
    # In the user's units: the mean of the answers is near that of the labels, not near 0.
    assert abs(brightness.mean() - data["brightness"].mean()) < 20
    assert run.json["command"].startswith("allotrope.fit(columns, epochs=4, ")


def test_rows_of_numbers_and_a_quantity(tmp_path):
    data = {"facts": columns()["facts"], "price": 3 * columns()["brightness"]}
    run = fit(
        data, target="price", task={"price": "regression"}, out=tmp_path, **{**HOW, "epochs": 30}
    )
    assert run.json["arguments"]["task"] == ["price=regression"]
    assert run.json["test"]["price"]["r2"] > 0.9
    prices = answers(run, {"facts": data["facts"]})["price"][:, 0]
    assert np.corrcoef(prices, data["price"])[0, 1] > 0.95


def test_what_was_scored_is_not_scored_again(tmp_path):
    def broken(folder):
        raise ZeroDivisionError("a bug")

    data = {name: column for name, column in columns().items() if name != "scan"}
    data["signs"] = np.stack([data["facts"][:, 1] > 0, data["brightness"] > 80], 1).astype(
        np.float32
    )
    how = {**HOW, "target": ["signs", "brightness"]}
    with pytest.raises(ZeroDivisionError):
        fit_with(replace(ONE, candidates=broken))(data, out=tmp_path, **how)
    (folder,) = tmp_path.iterdir()
    before = read_record(folder)
    assert before["data"]["tasks"][0]["kind"] == "multilabel"
    run = fit(data, resume=folder, quiet=True)
    assert run.json["status"] == "done"
    for record in (run.json, before):
        record["data"]["summary"].pop("seconds")  # the data was read twice
    same = ("data", "training", "validation", "test", "network_details")
    assert {name: run.json[name] for name in same} == {name: before[name] for name in same}


class Stopped(Exception):
    """Ends a run in the middle."""


def test_a_run_on_arrays_is_resumed_with_the_arrays(tmp_path):
    data = {name: column for name, column in columns().items() if name in ("facts", "brightness")}

    class Stopping(Progress):
        def epoch(self, row):
            raise Stopped

    how = {**HOW, "target": "brightness"}
    with pytest.raises(Stopped):
        fit_with(ONE, Stopping())(data, out=tmp_path, **how)
    (folder,) = tmp_path.iterdir()
    with pytest.raises(UsageError, match="Give them again"):
        fit(resume=folder, quiet=True)
    fewer = {name: column[:60] for name, column in data.items()}
    with pytest.raises(UsageError, match="was begun with"):
        fit(fewer, resume=folder, quiet=True)
    assert fit(data, resume=folder, quiet=True).json["status"] == "done"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "hue"}, UsageError, "hue"),
        ({"target": "colour", "input": "colour=table"}, UsageError, "colour"),
        ({"target": "colour", "task": "colour=regresion"}, UsageError, "regresion"),
        ({"target": "colour", "task": "colour=regression"}, (UsageError, DataError), "colour"),
    ],
)
def test_what_does_not_fit_leaves_nothing_behind(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        fit(columns(), out=tmp_path / "runs", **options, **HOW)
    assert not (tmp_path / "runs").exists()
