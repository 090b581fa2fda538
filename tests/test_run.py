"""The run folder: never overwritten and held by one process.

And whole whatever happens while it is written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import full_disk
from allotrope.config import Recipe
from allotrope.errors import RunFolderError
from allotrope.run import Run, plain, read_record
from allotrope.storage import replace_file

HOLD = (
    "import sys, time; from allotrope.run import Run; run = Run.resume(sys.argv[1]); "
    "print('held', flush=True); time.sleep(60)"
)


def test_runs_are_numbered_and_never_overwritten(tmp_path: Path):
    with Run.create("digits", tmp_path) as first:
        first.save(seconds=1.5)
    with Run.create("digits", tmp_path) as second:
        assert (first.folder.name, second.folder.name) == ("digits-1", "digits-2")
    assert read_record(first.folder)["seconds"] == 1.5


def test_a_number_in_use_by_a_file_is_passed_over(tmp_path: Path):
    (tmp_path / "digits-1").write_text("mine")
    with Run.create("digits", tmp_path) as run:
        assert run.folder.name == "digits-2"
    assert (tmp_path / "digits-1").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "folder"),
    [("../../etc", "etc-1"), ("two words", "two-words-1"), ("...", "run-1"), ("naïve", "na-ve-1")],
)
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str, folder: str):
    with Run.create(name, tmp_path) as run:
        assert run.folder == tmp_path / folder


def test_two_processes_at_once_get_two_folders(tmp_path: Path):
    code = "import sys; from allotrope.run import Run; print(Run.create('d', sys.argv[1]).folder)"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    folders = {process.communicate(timeout=60)[0].strip() for process in started}
    assert folders == {str(tmp_path / f"d-{n}") for n in (1, 2, 3, 4)}


def test_a_folder_in_use_is_refused_and_names_its_holder(tmp_path: Path):
    with (
        Run.create("digits", tmp_path) as run,
        pytest.raises(RunFolderError, match=rf"digits-1' is in use by process {os.getpid()}\b"),
    ):
        Run.resume(run.folder)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path):
    with Run.create("digits", tmp_path) as run:
        folder = run.folder
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(RunFolderError, match=f"process {holder.pid}"):
            Run.resume(folder)
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=30)
    with Run.resume(folder) as run:
        assert run.json["status"] == "running"


def test_resume_of_what_is_no_run(tmp_path: Path):
    with pytest.raises(RunFolderError, match=r"no run folder: it has no run\.json"):
        Run.resume(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 99}')
    with pytest.raises(RunFolderError, match="found schema 99, expected 1 or 2"):
        Run.resume(tmp_path)
    (tmp_path / "run.json").write_text('{"schema": 1,')
    with pytest.raises(RunFolderError, match="cannot be read"):
        Run.resume(tmp_path)


def test_the_record_is_valid_json_whatever_is_in_it(tmp_path: Path):
    with Run.create("digits", tmp_path) as run:
        run.save(
            recipe=Recipe(),
            loss=float("nan"),
            counts=np.arange(3),
            accuracy=np.float32(0.5),
            file=Path("a/b"),
        )
    record = json.loads((run.folder / "run.json").read_text())
    assert record["recipe"]["optimizer"] == "nesterov"
    assert (record["loss"], record["counts"], record["accuracy"], record["file"]) == (
        None,
        [0, 1, 2],
        0.5,
        "a/b",
    )


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="a object cannot be written"):
        plain({"x": object()})


def test_history_has_every_column_and_row(tmp_path: Path):
    with Run.create("digits", tmp_path) as run:
        run.save_history(
            [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25, "train_accuracy": 0.9}]
        )
        assert run.history()[1] == {"epoch": "2", "loss": "0.25", "train_accuracy": "0.9"}
    assert (
        run.folder / "history.csv"
    ).read_text() == "epoch,loss,train_accuracy\n1,0.5,\n2,0.25,0.9\n"


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "run.json"
    replace_file(path, b"old")
    full_disk.fill(path)
    message = (
        r"run\.json' cannot be written: the disk is full; free some space\. "
        "What was saved before"
    )
    with pytest.raises(RunFolderError, match=message):
        replace_file(path, b"new")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("run.json", b"old")]


def test_an_out_folder_that_is_a_file(tmp_path: Path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunFolderError, match="a file of that name is in the way"):
        Run.create("digits", tmp_path / "runs")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here (it needs root)")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_loses_nothing(tiny_disk: Path):
    with Run.create("digits", tiny_disk) as run:
        run.save(training={"best_epoch": 7})
        with pytest.raises(RunFolderError, match="the disk is full"):
            run.save(table="x" * 100_000)
    assert read_record(run.folder)["training"] == {"best_epoch": 7}
    assert not list(run.folder.glob("*.partial"))


def test_a_read_only_disk(tiny_disk: Path):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    with pytest.raises(RunFolderError, match=r"read-only; choose another folder with --out"):
        Run.create("digits", tiny_disk)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match="not permitted"):
        Run.create("digits", tmp_path)
