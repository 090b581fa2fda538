"""`tune` on every kind of input and task, on a network of a file, and by several processes."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.errors import StudyError
from allotrope.progress import Progress
from allotrope.run import read_record
from made_tasks import bars
from made_volumes import ball
from searched import ONE, SMALL, tune, tune_with
from test_tune_kills import begun, words

QUICK = {"epochs": 0.5, "trials": 2, "saliency": False, "quiet": True, "max_drop": 100}


def rows(path):
    """A quantity of two numbers and a category."""
    rng = np.random.default_rng(0)
    lines = ["length,colour,price"]
    for _ in range(200):
        length, colour = rng.uniform(1, 9), rng.integers(3)
        lines.append(f"{length:.3f},{'rgb'[colour]},{3 * length + 5 * colour:.3f}")
    path.write_text("\n".join(lines))
    return path


def texts(path):
    rng = np.random.default_rng(0)
    lines = []
    for number in range(200):
        word = ["good", "bad"][number % 2]
        others = rng.choice(["a", "film", "about", "some", "people"], 4)
        lines.append(f'"{" ".join(others)} {word}",{word}')
    path.write_text("\n".join(["review,label", *lines]))
    return path


def scans():
    rng = np.random.default_rng(0)
    x = np.stack([ball(rng, bright=number % 2 == 1) for number in range(60)])
    return {"volume": x, "label": np.arange(60) % 2}


def searched_settings(run):
    assert run.json["status"] == "done" and run.delivered.is_file()
    assert all(trial["rungs"] for trial in run.json["tuning"]["trials"])
    return set(run.json["tuning"]["space"])


def test_a_table_with_a_quantity(tmp_path):
    """An error is better the lower it is, in every choice."""
    options = {**QUICK, "threads": 1, "out": tmp_path}
    run = tune(rows(tmp_path / "rows.csv"), target="price", **options)
    assert {"width", "depth"} <= searched_settings(run)
    assert "label_smoothing" not in run.json["tuning"]["space"]
    standings = run.json["tuning"]["verdict"]["standings"]
    best = min(standings, key=lambda one: one["mean"])
    chosen = run.json["tuning"]["verdict"]["trial"]
    assert chosen in (best["trial"], 0)


def test_texts_whose_network_answers_before_its_first_step(tmp_path):
    run = tune(texts(tmp_path / "reviews.csv"), network="text_cnn", out=tmp_path, **QUICK)
    assert {"width", "augmentation"} <= searched_settings(run)


def test_volumes(tmp_path):
    run = tune(scans(), out=tmp_path, **QUICK)
    assert "width" in searched_settings(run)


def test_several_inputs_and_tasks(tmp_path):
    columns = bars(300).train.columns
    data = {"picture": columns["picture"], "age": columns["numbers"][:, 0]}
    labels = {"side": columns["side"].clip(0), "height": np.nan_to_num(columns["height"], nan=2)}
    run = tune({**data, **labels}, target="side,height", out=tmp_path, **QUICK)
    assert {"width", "learning_rate"} <= searched_settings(run)


def test_a_network_of_a_file_keeps_its_size(tmp_path):
    first = tune("digits", out=tmp_path, **{**SMALL, "trials": 1})
    file = str(first.folder / "model.onnx")
    run = tune("digits", network=file, out=tmp_path, **QUICK)
    assert not {"width", "depth"} & searched_settings(run)


def test_the_networks_that_are_chosen_by_themselves(tmp_path):
    """Their recipe has another optimizer than small ones."""
    run = tune("digits", out=tmp_path, **{**SMALL, "network": "auto", "trials": 2})
    assert run.json["tuning"]["base"]["recipe"]["optimizer"] == "nesterov"
    assert {"width", "depth", "augmentation"} <= searched_settings(run)


# --- several processes on one study, and one that goes away


def test_two_processes_share_a_study(tmp_path):
    """Each trial is one's alone, and together they make as many as were asked for."""
    storage = f"sqlite:///{tmp_path}/study.db"
    options = ["--storage", storage, "--trials", "6"]
    own = [word for word in words() if word not in ("--trials", "5")]
    processes = [
        begun("digits", "--out", str(tmp_path / name), *own, *options) for name in ("a", "b")
    ]
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]
    records = [read_record(tmp_path / name / "digits-tune-1") for name in ("a", "b")]
    trials = records[0]["tuning"]["trials"]
    counting = [trial for trial in trials if trial["state"] != "failed"]
    assert len(counting) == 6
    assert len({trial["worker"] for trial in counting}) == 2
    assert len({str(trial["settings"]) for trial in counting}) == 6


class Removing(Progress):
    """Removes the tables of a study once a trial has said how it went."""

    def __init__(self, path):
        self.path = path

    def say(self, line):
        if line.startswith("trial 1"):
            self.path.write_bytes(b"no database any more" * 100)


def test_a_database_that_goes_away_in_the_middle_loses_nothing(tmp_path):
    """Put back as it was, the search goes on to what it would have come to."""
    file = tmp_path / "study.db"
    options = {**SMALL, "storage": f"sqlite:///{file}", "out": tmp_path}
    with pytest.raises(StudyError, match=r"study.db cannot be used.*go on with: allotrope tune"):
        tune_with(ONE, Removing(file))("digits", **options)
    run = tmp_path / "digits-tune-1"
    assert read_record(run)["status"] == "failed"
    with pytest.raises(StudyError, match="cannot be used"):
        tune(resume=run, quiet=True)
    file.unlink()
    with pytest.raises(StudyError, match=r"is not as this run left it: it has 0 trials, expected"):
        tune(resume=run, quiet=True)
