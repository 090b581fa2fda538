"""Every runtime runs the same file and gives what the reference gives."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from allotrope.errors import UsageError
from allotrope.runtimes import RUNTIMES, runtime
from allotrope.runtimes.contract import Runtime
from allotrope.telemetry import no_telemetry
from allotrope.testing import RuntimeContract
from measured import classifier, images


class TestRuntime(RuntimeContract):
    @pytest.fixture(params=RUNTIMES)
    def name(self, request):
        return request.param


TOLERANCE = {"float32": 1e-5, "bfloat16": 0.05}


@pytest.fixture(scope="module")
def network():
    return classifier()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("runtimes") / "model.onnx"
    network.save(path)
    return path


def test_openvino_in_bfloat16(network, file):
    with no_telemetry():
        import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(RuntimeError, match="no bfloat16 instructions"):
            runtime("openvino").open(file, "bfloat16", threads=1)
        return
    pixels = images(3)
    probabilities = (
        runtime("openvino")
        .open(file, "bfloat16", threads=1)
        .run({"image": pixels})["probabilities"]
    )
    expected = network.run({"image": pixels})["probabilities"]
    np.testing.assert_allclose(probabilities, expected, atol=TOLERANCE["bfloat16"])
    assert np.abs(probabilities - expected).max() > 1e-6, "float32 was computed"


@pytest.mark.parametrize("part", [1, 3, 64])
def test_openvino_gives_the_same_whatever_the_parts(part, network, file):
    inputs = {"image": images(70)}
    session = runtime("openvino").open(file, "float32", threads=2, part=part)
    np.testing.assert_allclose(
        session.run(inputs)["probabilities"],
        network.run(inputs)["probabilities"],
        atol=TOLERANCE["float32"],
    )


def test_unknown_runtime_suggests_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'openvino'"):
        runtime("openvin")


def test_missing_runtime_says_how_to_install_it():
    class Missing(Runtime):
        name = "missing"
        package = "allotrope_missing"
        install = "pip install missing"
        precisions = ("float32",)

        def open(self, path, precision, threads=None, **options):
            raise NotImplementedError

    assert (
        Missing().available()
        == "allotrope_missing is not installed. Install it with: pip install missing"
    )
    assert Missing().version() is None


def test_nothing_reports_that_openvino_is_used(tmp_path, file):
    """The file is run and quantized in a process of its own.

    No process is forked, and the reporting package is not loaded.
    """
    program = (
        "import os, sys, numpy as np, pathlib\n"
        "def refuse(): raise SystemExit('forked')\n"
        "os.register_at_fork(before=refuse)\n"
        "from allotrope.runtimes import runtime\n"
        "from allotrope.shrinking.quantize import quantize_with_nncf\n"
        "source, target = map(pathlib.Path, sys.argv[1:])\n"
        f"inputs = {{'image': np.zeros({images(4).shape}, np.uint8)}}\n"
        "runtime('openvino').open(source, 'float32', threads=1).run(inputs)\n"
        "quantize_with_nncf(source, inputs, target)\n"
        "assert 'openvino' in sys.modules and 'nncf' in sys.modules and 'openvino_telemetry' not "
        "in sys.modules\n"
        "import openvino_telemetry\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(file), str(tmp_path / "int8.onnx")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "forked" not in done.stderr, done.stderr


def test_ctrl_c_is_heard_after_sessions_of_openvino_ended_in_any_order(file):
    """A stack that was freed would take what the handler of Ctrl-C pushes: a segmentation fault."""
    program = (
        "import gc, signal, sys\n"
        "from allotrope.runtimes import runtime\n"
        "sessions = [runtime('openvino').open(sys.argv[1], 'float32', threads=1) for _ in 'abc']\n"
        "while sessions:\n"
        "    sessions.pop(0)\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        "    print('heard')\n"
    )
    words = [sys.executable, "-c", program, str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
