"""`compare` from data to verdict: what it leaves behind when all goes well.

And when a framework is missing, killed or too slow, and on Ctrl-C.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import allotrope
from allotrope.config import FixedSettings, Recipe
from allotrope.errors import UsageError
from allotrope.measure.race.files import read_data, read_recipe, read_start, write_inputs
from allotrope.measure.race.race import FrameworkRace, RacePlan
from allotrope.run import read_record
from allotrope.tasks.metric import ACCURACY
from allotrope.wording import significant
from made_tasks import bars
from quick import BRIEF
from raced import RaceOfOne, compare, main

NAMED = os.environ.get("ALLOTROPE_TEST_FRAMEWORKS", "")
ASKED = dict.fromkeys(["pytorch", *filter(None, NAMED.split(","))])
WANTED = [name for name in ASKED if name != "keras"]
"""Keras is TensorFlow once more here, in processes that each take it seconds to import."""
PROMISED = {
    "version",
    "import_seconds",
    "settings",
    "settings_race",
    "agreement",
    "compile_seconds",
    "step",
    "training",
    "inference",
    "peak_memory",
    "trainings",
    "validation_accuracy",
    "test_accuracy",
    "recommended",
}
ONE_THREAD = FixedSettings(precision="float32", compile=False, threads=1)
FLOAT32 = ["--precision", "float32"]
"""Memory layouts are left to be raced."""
NOT_RACED = {"threads": 1, "precision": "float32", "memory_layout": "default", "compile": False}


def pictures(folder: Path) -> Path:
    """Three colours with noise, 12x12 pixels, that any network learns in an epoch or two."""
    random = np.random.default_rng(0)
    colours = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200]])
    arrays = {}
    for split, count in (("train", 192), ("val", 30), ("test", 30)):
        labels = np.arange(count) % 3
        images = colours[labels][:, None, None] + random.normal(0, 20, (count, 12, 12, 3))
        arrays[f"x_{split}"] = images.clip(0, 255).astype(np.uint8)
        arrays[f"y_{split}"] = labels
    np.savez(folder / "colours.npz", **arrays)
    return folder / "colours.npz"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A whole race on the command line: its folder, and what --json printed."""
    folder = tmp_path_factory.mktemp("runs")
    words = ["compare", str(pictures(folder)), *FLOAT32]
    words += ["--network", "cnn", "--frameworks", ",".join(WANTED), "--epochs", "3", "--seeds", "1"]
    words += ["--threads", "1", "--budget", f"{90 * len(WANTED)}s", "--out", str(folder), "--json"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert main(words) == 0
    return folder / "colours-compare-1", json.loads(printed.getvalue())


def test_every_framework_has_a_whole_row(compared):
    folder, printed = compared
    assert printed == read_record(folder)
    assert (printed["kind"], printed["status"]) == ("compare", "done")
    assert [row["framework"] for row in printed["frameworks"]] == WANTED
    for row in printed["frameworks"]:
        assert row.keys() >= PROMISED, row.get("reason")
        assert row["training"]["images_per_second"] > 0
        assert row["training"]["spread"] >= 0
        assert row["inference"]["images_per_second"] > 0
        assert [training["seed"] for training in row["trainings"]] == [0]
        assert [training["epochs"] for training in row["trainings"]] == [3]
        assert row["validation_accuracy"]["lowest"] > 0.9
        assert row["reached"] == 1
        assert row["seconds_to_accuracy"]["lowest"] > row["trainings"][0]["import_seconds"] > 0
        assert row["peak_memory"] > 50e6


def test_the_sentence_names_the_framework_to_use(compared):
    _, printed = compared
    (chosen,) = [row["framework"] for row in printed["frameworks"] if row["recommended"]]
    assert printed["verdict"]["framework"] == chosen
    assert printed["verdict"]["sentence"].startswith(f"Use {chosen} here (")
    best = max(row["validation_accuracy"]["highest"] for row in printed["frameworks"])
    assert printed["accuracy_goal"] == pytest.approx(0.95 * best)


def test_frameworks_agree(compared):
    _, printed = compared
    expected = True if len(WANTED) > 1 else None
    assert [row["agreement"]["agrees"] for row in printed["frameworks"]] == [expected] * len(WANTED)
    assert all(len(row["agreement"]["losses"]) == 6 for row in printed["frameworks"])


def test_the_report_shows_the_race(compared):
    folder, printed = compared
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert printed["verdict"]["sentence"].split(":")[0] in page
    assert 'id="frameworks"' in page
    assert 'id="courses"' in page
    # A line for each training, in each of three widths.
    assert page.count('<path class="line') == 3 * len(WANTED)


def test_a_run_of_compare_is_no_run_of_fit(compared):
    with pytest.raises(UsageError, match="made by compare"):
        allotrope.fit(resume=compared[0], quiet=True)


def test_an_onnx_file_with_a_new_head(tmp_path):
    from allotrope.network import zoo

    zoo.cnn(5, (3, 12, 12), channels=(8,), hidden=(16,)).save(tmp_path / "five.onnx")
    how = {
        "network": str(tmp_path / "five.onnx"),
        "frameworks": "pytorch",
        "epochs": 2,
        "seeds": 2,
        "budget": "5m",
        **NOT_RACED,
    }
    with pytest.raises(UsageError, match="Add --new-head"):
        compare(pictures(tmp_path), **how, out=tmp_path / "runs", quiet=True)
    assert not (tmp_path / "runs").exists()
    compared = compare(pictures(tmp_path), **how, new_head=True, out=tmp_path / "runs", quiet=True)
    assert compared.framework == "pytorch"
    assert compared.json["network"] == "five"
    assert "--frameworks pytorch" in compared.json["command"]
    trainings = compared.json["frameworks"][0]["trainings"]
    assert [(training["seed"], training["epochs"]) for training in trainings] == [(0, 2), (1, 2)]


# --- what goes wrong


@pytest.fixture
def inputs(tmp_path):
    """The files of a race on a small network, with its plan for PyTorch alone."""
    from allotrope.architectures.choose import choose
    from allotrope.config import DataOptions
    from allotrope.data import read_data

    data = read_data(pictures(tmp_path), DataOptions())
    choices = [choose(data, "cnn", {"batch_size": 32}, epochs=2.0, seed=seed) for seed in (0, 1)]
    write_inputs(tmp_path, data, [choice.network for choice in choices], choices[0].recipe)
    sizes = len(data.train), len(data.validation)
    plan = RacePlan(("pytorch",), ONE_THREAD, 60.0, 2.0, 1, *sizes, ACCURACY, turns=BRIEF)
    return tmp_path, plan, data, choices


def test_racers_read_what_was_written(inputs):
    folder, _, data, choices = inputs
    again = read_data(folder)
    assert (again.name, again.inputs, again.tasks) == (data.name, data.inputs, data.tasks)
    assert np.array_equal(again.test["image"], data.test["image"])
    assert np.array_equal(again.train["label"], data.train["label"])
    assert read_recipe(folder) == choices[0].recipe
    for number, choice in enumerate(choices):
        start = read_start(folder, number)
        assert start.trainable == choice.network.trainable
        for name, array in choice.network.weights.items():
            np.testing.assert_array_equal(start.weights[name], array)


def test_racers_read_any_inputs_and_tasks(tmp_path):
    data = bars(30)
    write_inputs(tmp_path, data, [], Recipe())
    again = read_data(tmp_path)
    assert (again.name, again.inputs, again.tasks) == (data.name, data.inputs, data.tasks)
    for split, examples in data.splits.items():
        for name, column in examples.columns.items():
            assert again.splits[split][name].dtype == column.dtype
            np.testing.assert_array_equal(again.splits[split][name], column)


class KilledRace(FrameworkRace):
    """Kills PyTorch's process in the second round; the reference's hangs as soon as it is made."""

    def __init__(self, folder, plan):
        super().__init__(folder, replace(plan, frameworks=("pytorch", "reference")), self.act)
        self.hanging, self.workers = False, []

    def _worker(self, patience):
        worker = super()._worker(patience)
        if self.hanging:
            worker.patience = 0.5
            os.kill(worker.pid, signal.SIGSTOP)
        self.workers.append(worker)
        return worker

    def act(self, line):
        self.hanging = line.startswith("reference")
        if "round 2 of 2" in line:
            os.kill(self.workers[-1].pid, signal.SIGKILL)


def test_racers_that_are_killed_or_hang_are_rows_with_their_reasons(inputs):
    folder, plan, *_ = inputs
    race = KilledRace(folder, plan)
    race.run()
    killed, hanging = race.rows
    assert "killed by signal 9 during 'train'" in killed["reason"]
    assert killed["settings_race"]["rows"]
    assert "training" not in killed
    assert "no answer to 'load' within 0.5 s" in hanging["reason"]
    assert len(race.workers) == 3
    assert not any(worker.alive for worker in race.workers)


def test_a_missing_framework_is_a_row_with_its_remedy(inputs):
    folder, plan, *_ = inputs
    reason = "pytorch is not installed; install it with: pip install 'allotrope[pytorch]'"
    said = []
    missing = FrameworkRace(folder, plan, said.append, missing=lambda name: reason)
    missing.run()
    assert missing.rows == [{"framework": "pytorch", "reason": reason}]
    assert said == [f"pytorch is out: {reason}"]


# The reference has a process like any other, and is there at once.


def test_a_framework_that_raises_is_a_row_with_its_reason(inputs):
    folder, plan, *_ = inputs
    (folder / "start-0.onnx").write_bytes(b"this is no network")
    broken = FrameworkRace(folder, replace(plan, frameworks=("reference",)))
    broken.run()
    assert "ModelError" in broken.rows[0]["reason"]


def test_a_device_that_is_not_there(inputs):
    folder, plan, *_ = inputs
    elsewhere = FixedSettings("tpu", threads=1)
    broken = FrameworkRace(folder, replace(plan, frameworks=("reference",), settings=elsewhere))
    broken.run()
    assert "device 'tpu' is not there for reference" in broken.rows[0]["reason"]


def test_a_budget_too_short_for_trainings_leaves_speeds(inputs):
    folder, plan, *_ = inputs
    said = []
    short = RaceOfOne(folder, replace(plan, budget=0.05), said.append)
    short.run()
    (row,) = short.rows
    assert short.epochs is None
    assert "no whole trainings: the budget leaves no time for them" in said[-1]
    assert row["training"]["examples_per_second"] > 0
    assert "trainings" not in row


def test_ctrl_c_leaves_what_was_measured(tmp_path):
    said = []
    words = [sys.executable, "-m", "allotrope.cli", "compare", str(pictures(tmp_path))]
    words += ["--network", "cnn", "--frameworks", "pytorch", "--threads", "1", *FLOAT32]
    words += ["--out", str(tmp_path)]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "round 1 of 5" in line:
                # As a terminal does: to every process of the command.
                os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == 130, said
    record = read_record(tmp_path / "colours-compare-1")
    assert record["status"] == "interrupted"
    assert record["frameworks"][0]["settings_race"]["rows"]
    assert "none could be measured" in record["verdict"]["sentence"]
    assert (tmp_path / "colours-compare-1" / "report.html").is_file()
    ended = time.monotonic() + 10
    while _alive(process.pid) and time.monotonic() < ended:
        time.sleep(0.1)
    assert not _alive(process.pid)


def _alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frameworks": ["pytroch"]}, "unknown framework 'pytroch'. Did you mean 'pytorch'"),
        ({"frameworks": "pytorch,reference"}, "unknown framework 'reference'"),
        ({"network": "resnet21"}, "unknown network 'resnet21'. Did you mean"),
        ({"goal": 97}, "goal is 97, expected a fraction above 0 and at most 1"),
        ({"seeds": 0, "threads": -1}, "seeds is 0, expected more than 0; threads is -1"),
        (
            {"network": "cnn", "new_head": True},
            "--new-head: for a network from an ONNX file, and cnn is none",
        ),
        ({"budget": "soon"}, "'soon' is not a length of time"),
    ],
)
def test_wrong_usage_is_refused_before_anything_is_done(arguments, message, tmp_path):
    with pytest.raises(UsageError, match=message.replace("(", "\\(")):
        compare("digits", **arguments, out=tmp_path, quiet=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("goal", "problem"),
    [(97, "expected a fraction above 0 and at most 1"), (0, "expected more than 0")],
)
def test_a_goal_that_the_metric_cannot_have_is_refused(goal, problem, tmp_path):
    with pytest.raises(UsageError, match=f"goal is {goal}, {problem}"):
        compare("digits", goal=goal, out=tmp_path, quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_a_table_with_a_quantity_and_a_class_is_raced_by_the_error_of_the_quantity(tmp_path):
    random = np.random.default_rng(0)
    facts = random.standard_normal((300, 3)).astype(np.float32)
    columns = {
        "facts": facts,
        "price": facts @ np.array([3.0, -2.0, 1.0]) + 40,
        "side": np.array(["left", "right"])[(facts[:, 0] > 0).astype(int)],
    }
    comparison = compare(
        columns,
        target=["price", "side"],
        frameworks=["pytorch"],
        epochs=4,
        seeds=1,
        budget="5m",
        goal=5.0,
        out=tmp_path,
        quiet=True,
        **NOT_RACED,
    )
    (row,) = comparison.json["frameworks"]
    assert "reason" not in row
    (training,) = row["trainings"]
    assert "validation_accuracy" not in training
    assert 0 < training["test_metric"] < 5
    assert comparison.json["metric_goal"] == 5.0
    assert row["reached"] == 1
    assert "it reaches 5.000 validation RMSE in" in comparison.json["verdict"]["sentence"]
    page = (comparison.folder / "report.html").read_text(encoding="utf-8")
    assert "RMSE of price over time" in page
    assert "validation RMSE of price, lowest on top" in page
    assert "examples/s" in page
    assert "goal: 5.000 validation RMSE" in str(comparison)
    guess = comparison.json["race"]["guess"]
    assert guess["words"] == "always the training mean" and guess["value"] > training["test_metric"]
    without = significant(guess["value"])
    assert f"without looking: {without} test RMSE, by answering" in str(comparison)
    assert "answering always the training mean" in page
