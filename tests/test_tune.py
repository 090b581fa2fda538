"""`tune` from data to a delivered file, in each framework; its limits, and what it refuses."""

from __future__ import annotations

import json
import signal
from dataclasses import replace

import numpy as np
import pytest

from allotrope.errors import StudyError, UsageError
from allotrope.progress import Progress
from allotrope.run import read_record
from quick import fit_with
from searched import ONE, SMALL, main, tune, tune_with
from shrunk import shrink
from tested import TESTED

fit = fit_with(ONE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tune")


@pytest.fixture(scope="module")
def tuned(folder):
    """A search over digits."""
    return tune("digits", out=folder, **SMALL)


def test_trials_come_first_and_the_default_is_one_of_them(tuned):
    facts = tuned.json["tuning"]
    assert tuned.json["status"] == "done" and tuned.exit_code == 0
    default, *others = facts["trials"]
    usual = {name: setting["usual"] for name, setting in facts["space"].items()}
    assert default["settings"] == usual and len(others) == 3
    assert all(trial["settings"] != usual for trial in others)
    assert all(trial["rungs"] and trial["state"] in ("done", "stopped") for trial in others)
    # The default is compared to the end, whatever it reached before.
    assert len(default["rungs"]) == len(facts["rungs"]["lengths"])


def test_the_default_and_the_best_are_trained_with_several_seeds(tuned):
    facts = tuned.json["tuning"]
    finals = {(row["trial"], row["seed"]) for row in facts["finals"]}
    trials = {trial for trial, _ in finals}
    assert 0 in trials and len(trials) == 4 and len(finals) == 12
    chosen = facts["verdict"]["trial"]
    assert chosen in trials and facts["verdict"]["is_default"] == (chosen == 0)


def test_it_is_a_run_of_the_ordinary_kind(tuned, folder):
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    assert len(tuned.predict({"image": pixels}).json) == 2
    smaller = shrink(
        tuned.folder, max_size="0.7x", max_drop=90, epochs=0.1, out=folder, saliency=False,
        quiet=True,
    )  # fmt: skip
    assert smaller.json["delivered"]["size_bytes"] < tuned.json["delivered"]["size_bytes"]
    assert "trials, 4 trained" in str(tuned)


@pytest.mark.parametrize("framework", TESTED)
def test_every_framework_has_trials(framework, folder):
    small = {**SMALL, "epochs": 0.1, "trials": 2}
    run = tune("digits", framework=framework, out=folder, **small)
    assert run.json["framework"] == framework and run.json["status"] == "done"
    assert len(run.json["tuning"]["trials"]) == 2


def test_a_budget_ends_it(folder):
    """Some seconds of search: as many trials as fit, and finals of equal length."""
    small = {**SMALL, "epochs": None, "trials": None, "budget": "6s"}
    run = tune_with(replace(ONE, shortest=0.09))("digits", out=folder, **small)
    facts = run.json["tuning"]
    assert facts["trials"] and facts["rungs"]["by_epochs"] is False
    assert facts["rungs"]["lengths"] == pytest.approx([0.1, 0.3])
    assert run.json["tuning"]["verdict"]["trial"] >= 0


# --- limits


def test_what_is_too_large_is_not_trained(tuned, folder):
    """The default is too large, so a narrower one stands for it."""
    most = int(0.8 * tuned.json["tuning"]["trials"][0]["costs"]["size_bytes"])
    run = tune("digits", max_size=most, out=folder, **{**SMALL, "trials": 6})
    trials = run.json["tuning"]["trials"]
    assert trials[0]["state"] == "infeasible" and not trials[0]["rungs"]
    assert all(trial["limits"]["size"] <= 0 for trial in trials if trial["rungs"])
    assert any(trial["rungs"] for trial in trials)
    # The second trial is the default recipe in the largest size that fits.
    changed = {
        name for name, value in trials[1]["settings"].items()
        if value != trials[0]["settings"][name]
    }  # fmt: skip
    assert changed <= {"width", "depth"}
    assert run.json["tuning"]["entrants"][0]["trial"] == 1
    assert run.json["delivered"]["size_bytes"] <= most


def test_limits_that_nothing_meets_are_exit_code_3_with_the_nearest(folder, capsys):
    words = ["tune", "digits", "--network", "mlp", "--epochs", "0.3", "--trials", "3"]
    words += ["--max-size", "1KB", "--out", str(folder), "--no-saliency", "--json"]
    assert main(words) == 3
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert record["status"] == "target-missed" and record["delivered"] is None
    assert "size" in record["nearest_miss"]["reason"] or "kB" in record["nearest_miss"]["reason"]
    widths = record["tuning"]["space"]["width"]["choices"]
    assert record["tuning"]["entrants"][0]["settings"]["width"] == min(widths)


# --- bad input


def test_what_is_too_little_or_at_odds_is_named(folder):
    with pytest.raises(UsageError, match=r"20 s is too short to tune.*Give at least --budget 40s"):
        tune("digits", budget="20s", network="mlp", out=folder, quiet=True)
    with pytest.raises(UsageError, match="trials is 0, expected more than 0"):
        tune("digits", trials=0, quiet=True)
    with pytest.raises(UsageError, match="with --epochs nothing ends the search"):
        tune("digits", epochs=1, quiet=True)
    with pytest.raises(UsageError, match="Leave out one"):
        tune("digits", epochs=1, budget="10m", trials=3, quiet=True)
    with pytest.raises(UsageError, match="is no database: expected a URL"):
        tune("digits", storage="my-studies", quiet=True)
    with pytest.raises(UsageError, match="there is nothing to train on"):
        tune(quiet=True)


def test_a_study_about_something_else_is_refused_and_stays_as_it_was(folder, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    small = {**SMALL, "trials": 1, "storage": storage, "out": folder}
    tune("digits", **small)
    before = (tmp_path / "study.db").read_bytes()
    with pytest.raises(StudyError, match=r"something else: space is .* there and .* here"):
        tune("digits", **small, learning_rate=0.1)
    with pytest.raises(StudyError, match=r"max_size is None there and 90000 here.*--study NAME"):
        tune("digits", **small, max_size=90000)
    assert (tmp_path / "study.db").read_bytes() == before
    # Under a name of its own it is begun.
    other = tune("digits", **small, learning_rate=0.1, study="another")
    assert len(other.json["tuning"]["trials"]) == 1


def test_a_database_that_cannot_be_used_is_named(folder, tmp_path):
    missing = tmp_path / "nowhere" / "study.db"
    with pytest.raises(StudyError, match=r"study.db cannot be used.*--resume"):
        tune("digits", storage=f"sqlite:///{missing}", out=folder, **SMALL)
    with pytest.raises(StudyError, match=r"cannot be used"):
        tune("digits", storage="nonsense://host/x", out=folder, **SMALL)


class Interrupting(Progress):
    """Ctrl-C in a training of a search, as soon as this trial is reached."""

    def __init__(self, at: str) -> None:
        self.at, self.reached = at, False

    def say(self, line: str) -> None:
        self.reached = self.reached or line.startswith(self.at)

    def step(self, tick) -> None:
        if self.reached:
            self.reached = False
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("at", ["trial 1 (", "trial 0 is trained finally"])
def test_ctrl_c_delivers_the_best_so_far_and_the_search_goes_on_later(at, tuned, folder):
    # Test runners and shells may have other handlers than Python's, or none.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        stopped = tune_with(ONE, Interrupting(at))("digits", out=folder, **SMALL)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped.json["status"] == "interrupted" and stopped.delivered.is_file()
    gone_on = tune(resume=stopped.folder, quiet=True)
    assert gone_on.json["status"] == "done"
    settings = [
        [trial["settings"] for trial in run.json["tuning"]["trials"]] for run in (gone_on, tuned)
    ]
    assert settings[0] == settings[1]
    assert read_record(gone_on.folder)["kind"] == "tune"
    with pytest.raises(UsageError, match="goes on with the options that it was begun with"):
        tune(resume=stopped.folder, trials=9, quiet=True)


# --- what was found, for other trainings


def test_fit_takes_what_a_search_found(tuned, folder):
    """Factors of its own default, for a training of another length; what is asked for stays."""
    options = {"network": "mlp", "out": folder, "epochs": 0.3, "saliency": False, "quiet": True}
    usual = fit("digits", **options)
    changed = fit("digits", **options, tuned=tuned.folder, learning_rate=0.02)
    settings = next(
        each["settings"] for each in tuned.json["tuning"]["entrants"]
        if each["trial"] == tuned.json["tuning"]["verdict"]["trial"]
    )  # fmt: skip
    recipe = changed.json["recipe"]
    assert recipe["epochs"] == 0.3 and recipe["optimizer"] == settings["optimizer"]
    assert recipe["batch_size"] == usual.json["recipe"]["batch_size"] * settings["batch_size"]
    assert "Tuned by" in changed.json["network_details"]["reasons"][-1]
    assert recipe["learning_rate"] == 0.02
    assert recipe["weight_decay"] != usual.json["recipe"]["weight_decay"]


def test_fit_refuses_what_is_no_search(folder):
    options = {"network": "mlp", "out": folder, "epochs": 0.1, "saliency": False, "quiet": True}
    run = fit("digits", **options)
    with pytest.raises(UsageError, match=r"it was made by fit\. Name a run"):
        fit("digits", **options, tuned=run.folder)
