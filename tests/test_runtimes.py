"""Every runtime runs the same file and gives what the reference gives."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.errors import UsageError
from allotrope.runtimes import RUNTIMES, runtime
from allotrope.runtimes.contract import Runtime
from measured import classifier, images

TOLERANCE = {"float32": 1e-5, "bfloat16": 0.05}


@pytest.fixture(scope="module")
def network():
    return classifier()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("runtimes") / "model.onnx"
    network.save(path)
    return path


@pytest.mark.parametrize("name", RUNTIMES)
@pytest.mark.parametrize("count", [1, 2, 65])
def test_probabilities_are_the_references(name, count, network, file):
    pixels = images(count)
    expected = network.run({"image": pixels})["probabilities"]
    session = runtime(name).open(file, "float32", threads=1)
    np.testing.assert_allclose(session.run(pixels), expected, atol=TOLERANCE["float32"])
    np.testing.assert_allclose(session.run_whole({"image": pixels})["probabilities"], expected, atol=TOLERANCE["float32"])


def test_openvino_in_bfloat16(network, file):
    import openvino

    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        with pytest.raises(RuntimeError, match="no bfloat16 instructions"):
            runtime("openvino").open(file, "bfloat16", threads=1)
        return
    pixels = images(3)
    found = runtime("openvino").open(file, "bfloat16", threads=1).run(pixels)
    expected = network.run({"image": pixels})["probabilities"]
    np.testing.assert_allclose(found, expected, atol=TOLERANCE["bfloat16"])
    assert np.abs(found - expected).max() > 1e-6, "float32 was computed"


@pytest.mark.parametrize("part", [1, 3, 64])
def test_openvino_gives_the_same_whatever_the_parts(part, network, file):
    pixels = images(70)
    found = runtime("openvino").open(file, "float32", threads=2, part=part).run(pixels)
    np.testing.assert_allclose(found, network.run({"image": pixels})["probabilities"], atol=TOLERANCE["float32"])


def test_openvino_keeps_no_result_of_an_earlier_run(network, file):
    session = runtime("openvino").open(file, "float32", threads=2)
    first = session.run(images(1, seed=5))
    kept = first.copy()
    session.run(images(1, seed=6))
    np.testing.assert_array_equal(first, kept)


def test_tuning_gives_options_that_open_takes(file):
    for name in RUNTIMES:
        options = runtime(name).open(file, "float32", threads=1).tune(images(64))
        assert runtime(name).open(file, "float32", 1, **options).run(images(2)).shape == (2, 4)


def test_unknown_runtime_suggests_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'openvino'"):
        runtime("openvin")


def test_missing_runtime_says_how_to_install_it():
    class Missing(Runtime):
        name, package, install, precisions = "missing", "allotrope_missing", "pip install missing", ("float32",)

        def open(self, path, precision, threads=None, **options):
            raise NotImplementedError

    assert Missing().available() == "allotrope_missing is not installed. Install it with: pip install missing"
    assert Missing().version() is None


@pytest.mark.parametrize("name", RUNTIMES)
def test_installed_runtime_says_its_version(name):
    found = runtime(name)
    assert found.available() is None
    assert found.version()
