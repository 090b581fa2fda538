"""A search that is killed at random moments goes on as if it had not been."""

from __future__ import annotations

import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from allotrope.run import read_record
from forked import started
from searched import SMALL, process_of, tune

OPTIONS = {**SMALL, "threads": 1, "trials": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def whole(folder):
    """The search that nobody killed, and how long it took."""
    began = time.monotonic()
    return tune("digits", out=folder / "whole", **OPTIONS), time.monotonic() - began


def words() -> list[str]:
    options = {name: value for name, value in OPTIONS.items() if value not in (True, False)}
    named = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return ["--no-saliency", *named]


def begun(*arguments: str) -> BaseProcess:
    """A search in a process of its own."""
    return started(process_of, ["tune", *arguments])


def trials_of(folder: Path) -> int:
    if not (folder / "run.json").is_file():
        return 0
    return len(read_record(folder).get("tuning", {}).get("trials", []))


def killed_after(process: BaseProcess, folder: Path, trials: int, wait: float) -> None:
    """SIGKILL once there are so many trials, and a random while later."""
    while process.is_alive() and trials_of(folder) < trials:
        time.sleep(0.02)
    time.sleep(wait)
    process.kill()
    process.join(30)


def compared(record) -> list:
    facts = record["tuning"]
    trials = [
        (trial["number"], trial["settings"], trial["state"], len(trial["rungs"]))
        for trial in facts["trials"]
    ]
    values = [[rung["value"] for rung in trial["rungs"]] for trial in facts["trials"]]
    finals = [(row["trial"], row["seed"], row["value"]) for row in facts["finals"]]
    return [trials, values, finals, facts["verdict"]["trial"]]


def test_kills_at_random_moments_change_nothing(folder, whole):
    """No trial is lost or counted twice, and the same is delivered."""
    finished, seconds = whole
    rng = random.Random(20261126)
    run = folder / "killed" / "digits-tune-1"
    process = begun("digits", "--out", str(folder / "killed"), *words())
    killed_after(process, run, 1, rng.uniform(0, 0.1 * seconds))
    process = begun("--resume", str(run))
    killed_after(process, run, 3, rng.uniform(0, 0.4 * seconds))
    resumed = tune(resume=run, quiet=True)
    assert resumed.json["status"] == "done"
    assert compared(resumed.json) == compared(finished.json)
    weights = [each.folder.joinpath("model.onnx").read_bytes() for each in (resumed, finished)]
    assert weights[0] == weights[1]
