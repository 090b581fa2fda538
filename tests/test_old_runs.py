"""Run folders that the version before named inputs and tasks wrote.

`report`, `predict` and `--resume` open them as they are.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import allotrope
from allotrope.report import write_report
from allotrope.run import read_record
from quick import fit
from tested import TESTED

RUNS = Path(__file__).parent / "fixtures" / "runs"


@pytest.fixture
def old(tmp_path):
    """A copy of an old run folder by its name."""

    def copied(name):
        return Path(shutil.copytree(RUNS / name, tmp_path / name))

    return copied


def pictures(folder, split, count=8):
    """The first pictures of a split as files, in their order."""
    folder.mkdir()
    for number, pixels in enumerate(split["image"][:count]):
        Image.fromarray(pixels[..., 0]).save(folder / f"{number}.png")
    return folder


def epochs(folder):
    with (folder / "history.csv").open() as file:
        return [float(row["epoch"]) for row in csv.DictReader(file)]


def weights(file):
    return allotrope.load(file, repair=False).weights


@pytest.mark.parametrize("name", ["finished", "tuned", "killed", "stopped"])
def test_the_report_is_written_again(old, name):
    folder = old(name)
    page = write_report(folder).read_text()
    assert "digits" in page
    if name != "killed":
        assert f"{read_record(folder)['test']['accuracy']:.2%}".replace("%", "") in page


@pytest.mark.parametrize("name", ["finished", "tuned", "killed", "stopped"])
def test_its_record_tells_of_inputs_and_tasks(old, name):
    data = read_record(old(name))["data"]
    assert [(each["name"], each["kind"]) for each in data["inputs"]] == [("image", "image")]
    assert [(each["name"], each["kind"]) for each in data["tasks"]] == [("label", "classification")]
    assert data["tasks"][0]["classes"] == data["classes"]


@pytest.mark.parametrize("name", ["finished", "tuned", "stopped"])
def test_the_delivered_file_answers(old, name, digits, tmp_path):
    answers = allotrope.predict(old(name), pictures(tmp_path / "new", digits.test), threads=1)
    named = [row["top"][0]["class"] for row in answers.json]
    expected = [digits.tasks[0].classes[label] for label in digits.test["label"][:8]]
    assert sum(map(str.__eq__, named, expected)) >= 6


@pytest.mark.parametrize("name", ["finished", "tuned"])
def test_a_finished_run_stays_as_it_is(old, name):
    folder = old(name)
    before = read_record(folder)
    run = allotrope.fit(resume=folder, quiet=True)
    assert (run.exit_code, run.json) == (0, before)
    assert f"{before['test']['accuracy']:.2%} on 359 examples" in str(run)
    assert (folder / "report.html").is_file()


@pytest.mark.parametrize(
    ("name", "framework", "last", "frozen"),
    [("killed", "pytorch", 20, []), ("stopped", "jax", 12, ["c1.bias", "c1.weight"])],
)
def test_a_training_goes_on_where_it_was(old, name, framework, last, frozen):
    if framework not in TESTED:
        pytest.skip(f"{framework} is not tested here")
    folder = old(name)
    before, seen = read_record(folder), epochs(folder)
    run = fit(resume=folder, quiet=True)
    assert (run.json["status"], run.json["framework"]) == ("done", framework)
    assert run.json["test"]["accuracy"] > 0.9
    assert epochs(folder)[: len(seen) - 1] == seen[:-1]
    assert epochs(folder)[-1] == run.json["training"]["epochs"] == last
    unchanged = ("recipe", "settings", "arguments", "command", "created", "network_details")
    assert {key: run.json[key] for key in unchanged} == {key: before[key] for key in unchanged}
    start, end = (weights(folder / file) for file in ("checkpoints/start.onnx", "model.onnx"))
    same = [name for name in sorted(start) if np.array_equal(start[name], end[name])]
    assert same == frozen
