"""Workers that report errors, die or hang end in a reason, and never end the whole."""

from __future__ import annotations

import os
import signal
import time

import pytest

from allotrope.measure.runtime_worker import MEASURING
from allotrope.process.carried_arrays import write_arrays
from allotrope.process.worker import WorkerError, WorkerProcess
from measured import classifier, images


@pytest.fixture
def worker():
    with WorkerProcess(MEASURING, threads=1, patience=60) as process:
        yield process


def test_worker_that_reports_an_error_stays_failed(worker, tmp_path):
    write_arrays(tmp_path / "images.npz", {"image": images(1)})
    file = tmp_path / "broken.onnx"
    file.write_bytes(b"this is no model")
    arguments = {
        "path": str(file),
        "precision": "float32",
        "threads": 1,
        "inputs": str(tmp_path / "images.npz"),
        "whole": False,
    }
    with pytest.raises(WorkerError, match=r"InvalidProtobuf|INVALID_PROTOBUF") as first:
        worker.ask("open", runtime="onnxruntime", **arguments)
    with pytest.raises(WorkerError) as second:
        worker.ask("load", runtime="onnxruntime")
    assert str(second.value) == str(first.value)


def test_worker_that_was_killed(worker):
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(WorkerError, match="was killed by signal 9 during 'load'"):
        worker.ask("load", runtime="onnxruntime")


def test_worker_that_dies_while_it_works(worker):
    worker.send("load", runtime="openvino")
    os.kill(worker.pid, signal.SIGSEGV)
    with pytest.raises(WorkerError, match="was killed by signal 11 during 'load'"):
        worker.receive()


def test_worker_that_hangs_is_ended_in_time(worker):
    worker.ask("load", runtime="onnxruntime")
    os.kill(worker.pid, signal.SIGSTOP)
    worker.patience = 0.5
    began = time.monotonic()
    with pytest.raises(WorkerError, match=r"no answer to 'load' within 0\.5 s"):
        worker.ask("load", runtime="onnxruntime")
    assert time.monotonic() - began < 10


def test_runtimes_that_print_do_not_disturb_the_answers(worker, tmp_path):
    """NNCF draws progress bars on standard output."""
    write_arrays(tmp_path / "images.npz", {"image": images(20)})
    classifier().save(tmp_path / "model.onnx")
    files = {
        "source": str(tmp_path / "model.onnx"),
        "named": str(tmp_path / "named.onnx"),
        "target": str(tmp_path / "int8.onnx"),
        "calibration": str(tmp_path / "images.npz"),
    }
    assert worker.ask("quantize", method="nncf", **files) == {}
    assert (tmp_path / "int8.onnx").stat().st_size > 0
