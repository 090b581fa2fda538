"""`fit` from data to delivery: what it leaves behind when all goes well.

And when it is stopped, and when something breaks.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import allotrope
from allotrope import cli
from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.errors import RunFolderError, TrainingError, UsageError
from allotrope.progress import Progress
from allotrope.run import Run, read_record
from allotrope.verbs.pipeline import Among
from forked import started
from quick import ONE, fit, fit_with, main

PROMISED = {
    "run",
    "data",
    "network",
    "framework",
    "settings",
    "seconds",
    "images_per_second",
    "test",
    "candidates",
    "delivered",
    "target",
    "environment",
    "command",
}
QUICK = {"network": "mlp", "epochs": 2, "threads": 1, "quiet": True}


ON_THE_COMMAND_LINE = """
import sys
sys.path.insert(0, sys.argv[1])
from allotrope.verbs.pipeline import Among
from quick import BRIEF, main
sys.exit(main(sys.argv[2:], Among(turns=BRIEF)))
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A whole run on the command line, with every candidate, each timed briefly.

    Its folder, and what --json printed.
    """
    out = tmp_path_factory.mktemp("runs")
    command = ["fit", "digits", "--epochs", "8", "--threads", "1", "--out", str(out), "--json"]
    done = subprocess.run(
        [sys.executable, "-c", ON_THE_COMMAND_LINE, str(Path(__file__).parent), *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield out / "digits-1", json.loads(done.stdout)


def test_json_is_the_record_and_has_what_is_promised(fitted):
    folder, printed = fitted
    assert printed == read_record(folder)
    assert printed.keys() >= PROMISED
    assert printed["status"] == "done"
    assert printed["command"] == "allotrope fit digits --epochs 8.0 --threads 1"
    assert {name: printed["data"][name] for name in ("name", "train", "validation", "test")} == {
        "name": "digits",
        "train": 1259,
        "validation": 179,
        "test": 359,
    }


def test_it_learns_and_says_so_truly(fitted):
    folder, printed = fitted
    data = read_data("digits", DataOptions())
    probabilities = allotrope.load(folder / "model.onnx").run({"image": data.test["image"]})[
        "label"
    ]
    assert printed["test"]["accuracy"] == pytest.approx(
        (probabilities.argmax(1) == data.test["label"]).mean(), abs=0.006
    )
    assert printed["test"]["accuracy"] > 0.95
    assert np.sum(printed["test"]["confusion"]) == len(data.test)


def test_every_candidate_is_a_row_and_the_delivered_one_passes(fitted):
    folder, printed = fitted
    rows = {(row["runtime"], row["precision"]): row for row in printed["candidates"]}
    assert rows.keys() >= {
        (runtime, "float32") for runtime in ("pytorch", "onnxruntime", "openvino")
    }
    assert rows.keys() >= {(runtime, "int8") for runtime in ("onnxruntime", "openvino")}
    assert all(row["reason"] for row in rows.values())
    delivered = printed["delivered"]
    assert delivered["passes"] and not delivered["baseline"]
    assert {file.name for file in (folder / "delivered").iterdir()} >= {
        Path(delivered["file"]).name,
        "labels.txt",
        "predict.py",
    }


def test_what_lies_in_the_folder(fitted):
    folder, printed = fitted
    with (folder / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    assert len(history) >= 2
    assert float(history[-1]["epoch"]) == printed["training"]["epochs"] == 8
    assert all((folder / mistake["picture"]).is_file() for mistake in printed["test"]["mistakes"])
    assert "digits" in (folder / "report.html").read_text()


def test_a_finished_run_can_be_predicted_with_and_resuming_it_says_so(fitted, tmp_path, capsys):
    folder, _ = fitted
    from PIL import Image

    data = read_data("digits", DataOptions())
    for row in range(8):
        Image.fromarray(data.test["image"][row, ..., 0]).save(tmp_path / f"{row}.png")
    rows = allotrope.predict(folder, tmp_path, threads=1).json
    assert (
        sum(
            row["top"][0]["class"] == data.tasks[0].classes[label]
            for row, label in zip(rows, data.test["label"][:8], strict=True)
        )
        >= 7
    )
    (folder / "report.html").unlink()
    before = read_record(folder)
    assert main(["fit", "--resume", str(folder)]) == 0
    printed = capsys.readouterr()
    assert "is finished (done): nothing is left to do" in printed.err + printed.out
    assert "test accuracy" in printed.out
    assert read_record(folder) == before
    assert (folder / "report.html").is_file()


def test_a_missed_target_is_exit_code_3_and_the_nearest_miss(tmp_path, capsys):
    assert (
        main(
            [
                "fit",
                "digits",
                "--network",
                "mlp",
                "--epochs",
                "1",
                "--threads",
                "1",
                "--max-size",
                "1KB",
                "--out",
                str(tmp_path),
            ]
        )
        == 3
    )
    record = read_record(tmp_path / "digits-1")
    assert (record["status"], record["delivered"]) == ("target-missed", None)
    assert "is over 1,000 bytes" in record["nearest_miss"]["reason"]
    printed = capsys.readouterr().out
    assert "no candidate meets the target. Nearest: onnxruntime float32" in printed
    assert f"allotrope shrink {tmp_path / 'digits-1'} --max-size 1000" in printed
    assert printed.splitlines()[-1].endswith(str(tmp_path / "digits-1" / "report.html"))


class Pressing(Progress):
    """Presses Ctrl-C after each validation."""

    def epoch(self, row: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def heard():
    """Ctrl-C is heard, even if a shell started the tests in its background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_stops_the_training_and_delivers_the_best_so_far(heard, tmp_path):
    run = fit_with(ONE, Pressing())("digits", out=tmp_path, **{**QUICK, "epochs": 50})
    assert (run.json["status"], run.json["training"]["stopped"], run.exit_code) == (
        "interrupted",
        "interrupted",
        130,
    )
    assert run.json["training"]["epochs"] < 3
    assert run.delivered is not None and run.delivered.is_file()
    assert f"allotrope fit --resume {run.folder}" in str(run)


def breaking(error: BaseException) -> Among:
    """What to choose among, with an error instead of candidates."""

    def candidates(folder: Path) -> list[Any]:
        raise error

    return replace(ONE, candidates=candidates)


def test_ctrl_c_elsewhere_says_how_to_go_on(tmp_path, capsys):
    words = ["fit", "digits", "--network", "mlp", "--epochs", "1", "--threads", "1"]
    words += ["--out", str(tmp_path)]
    assert main(words, breaking(KeyboardInterrupt())) == 130
    folder = tmp_path / "digits-1"
    assert f"go on with: allotrope fit --resume {folder}" in capsys.readouterr().err
    assert read_record(folder)["status"] == "interrupted"
    assert fit(resume=folder, quiet=True).json["status"] == "done"


def to_be_killed(out: Path) -> None:
    fit("digits", out=out, **{**QUICK, "epochs": 8})


def test_a_killed_run_resumes_to_the_same_bits(tmp_path):
    killed = started(to_be_killed, tmp_path / "killed")
    folder = tmp_path / "killed" / "digits-1"
    while not (folder / "checkpoints" / "last.safetensors").exists() or len(history(folder)) < 3:
        assert killed.is_alive(), "it ended before it could be killed"
        time.sleep(0.02)
    killed.kill()
    killed.join(30)
    before = read_record(folder)
    assert before["status"] == "running" and "training" not in before
    resumed = fit(resume=folder, quiet=True)
    whole = fit("digits", out=tmp_path / "whole", **{**QUICK, "epochs": 8})
    for name, array in allotrope.load(whole.folder / "model.onnx").weights.items():
        np.testing.assert_array_equal(
            allotrope.load(resumed.folder / "model.onnx").weights[name], array, err_msg=name
        )
    assert [row["step"] for row in history(resumed.folder)] == [
        row["step"] for row in history(whole.folder)
    ]
    assert resumed.json["arguments"] == whole.json["arguments"]


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_loss_that_is_no_number_names_the_step(tmp_path):
    with pytest.raises(TrainingError, match=r"at step \d+"):
        fit("digits", out=tmp_path, optimizer="sgd", learning_rate=1e30, **QUICK)
    record = read_record(tmp_path / "digits-1")
    assert record["status"] == "failed"
    assert record["reason"].startswith("TrainingError: the loss is")


@pytest.mark.parametrize(
    ("planted", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), RunFolderError),
        (ZeroDivisionError("a bug"), ZeroDivisionError),
    ],
)
def test_whatever_breaks_is_on_record(tmp_path, planted, raised):
    with pytest.raises(raised):
        fit_with(breaking(planted))("digits", out=tmp_path, **QUICK)
    record = read_record(tmp_path / "digits-1")
    assert (record["status"], record["reason"].split(":")[0]) == ("failed", raised.__name__)
    assert record["test"]["accuracy"] > 0
    assert fit(resume=tmp_path / "digits-1", quiet=True).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["no/such/folder"], 1, "no such file or folder"),
        (["digts"], 1, "Did you mean 'digits'?"),
        ([], 2, "there is nothing to train on"),
        (["digits", "--network", "resnet2"], 2, "unknown network 'resnet2'"),
        (["digits", "--netwrk", "cnn"], 2, "Did you mean --network?"),
        (["digits", "--budget", "soon"], 2, "'soon' is not a length of time"),
        (
            ["digits", "--precision", "float23"],
            2,
            "unknown precision 'float23'. Did you mean 'float32'?",
        ),
        (
            ["digits", "--memory-layout", "nhwc"],
            2,
            "unknown memory layout 'nhwc'. Known: channels-last, default",
        ),
        (
            ["digits", "--device", "tpu"],
            2,
            "device 'tpu' is not there for pytorch. Found: auto, ",
        ),
        (["digits", "--validation", "0.9", "--test", "0.9"], 2, ""),
        (["--resume", "no/such/run"], 1, "is no run folder"),
    ],
)
def test_wrong_usage_leaves_nothing_behind(
    tmp_path, monkeypatch, capsys, arguments: list[str], code: int, message: str
):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["fit", *arguments]) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_device_names_those_that_are_there(tmp_path):
    with pytest.raises(
        UsageError, match=r"device 'tpu' is not there for pytorch\. Found: auto, .*cpu"
    ):
        allotrope.fit("digits", out=tmp_path, device="tpu", **QUICK)


def test_a_run_goes_on_only_with_its_own_options_and_alone(tmp_path):
    with Run.create("digits", tmp_path) as run:
        run.save(arguments={"data": "digits", "epochs": 3})
        with pytest.raises(RunFolderError, match="in use by process"):
            fit(resume=run.folder, quiet=True)
    with pytest.raises(UsageError, match="Leave out epochs, seed"):
        fit("digits", resume=run.folder, epochs=4, seed=1, quiet=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a record and not for checkpoints."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    ).returncode:
        pytest.skip("a small file system cannot be mounted here (it needs root)")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_an_error_that_names_it_and_the_record_stays(small_disk, capsys):
    assert (
        main(
            [
                "fit",
                "digits",
                "--network",
                "cnn",
                "--epochs",
                "2",
                "--threads",
                "1",
                "--out",
                str(small_disk),
            ]
        )
        == 1
    )
    assert "No space left" in (message := capsys.readouterr().err) or "the disk is full" in message
    record = read_record(small_disk / "digits-1")
    assert (record["status"], record["network"], record["recipe"]["epochs"]) == ("failed", "cnn", 2)
