"""Settings that are fixed are not raced.

What a framework has of them, and what it says if it has none.
"""

from __future__ import annotations

import json
import shlex
from types import SimpleNamespace

import onnx
import pytest
from onnx import numpy_helper

from allotrope.config import FixedSettings, Settings
from allotrope.errors import UsageError
from allotrope.frameworks import framework as find
from allotrope.training.plausible_settings import fixed_by, plausible
from allotrope.verbs.pipeline import Among
from quick import main, one_candidate
from tested import TESTED


@pytest.mark.parametrize("framework", TESTED)
def test_without_a_wish_all_are_raced(framework):
    assert plausible(find(framework), FixedSettings()) == find(framework).settings()


@pytest.mark.parametrize("framework", TESTED)
def test_each_setting_can_be_fixed_alone_and_all_together(framework):
    for settings in find(framework).settings():
        wish = fixed_by(settings)
        assert plausible(find(framework), wish) == [settings]
        halves = plausible(find(framework), FixedSettings(precision=wish.precision, threads=3))
        assert {half.precision for half in halves} == {wish.precision}
        assert {half.threads for half in halves} == {3}


@pytest.mark.parametrize(
    ("framework", "wish", "message"),
    [
        (
            "tensorflow",
            FixedSettings(memory_layout="channels-last"),
            "tensorflow has no --memory-layout channels-last here: it has --memory-layout default.",
        ),
        (
            "jax",
            FixedSettings(compile=False, precision="float32"),
            "jax has no --no-compile here: it has --compile.",
        ),
        (
            "pytorch",
            FixedSettings(device="cpu", precision="tensorfloat32"),
            "--precision tensorfloat32",
        ),
        (
            "pytorch",
            FixedSettings(device="tpu"),
            "device 'tpu' is not there for pytorch. Found: auto, ",
        ),
    ],
)
def test_what_a_framework_lacks_is_said_with_what_it_has(framework, wish, message):
    if framework not in TESTED:
        pytest.skip(f"{framework} is not tested here")
    with pytest.raises(UsageError) as caught:
        plausible(find(framework), wish)
    assert message in str(caught.value)


def test_what_there_is_but_not_together_is_said():
    every = [
        Settings(precision="float32", compiled=False),
        Settings(precision="bfloat16", compiled=True),
    ]
    made = SimpleNamespace(name="made", settings=lambda: every)
    with pytest.raises(UsageError) as caught:
        plausible(made, FixedSettings(precision="float32", compile=True))
    assert str(caught.value).startswith(
        "made has no setting with --precision float32, --compile together. It has here: --device "
        "cpu --precision float32 --memory-layout default --no-compile; --device cpu --precision "
        "bfloat16"
    )


def weights(folder):
    """Every array of the trained float file, as bytes."""
    tensors = onnx.load(folder / "model.onnx").graph.initializer
    return {tensor.name: numpy_helper.to_array(tensor).tobytes() for tensor in tensors}


def test_the_command_of_the_report_gives_the_same_bits(tmp_path, capsys):
    """The first run races its settings; the command that repeats it holds them."""

    def run(words, out):
        among = Among(candidates=one_candidate)
        assert main([*words, "--out", str(out), "--json"], among) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    asked = ["fit", "digits", "--network", "mlp", "--epochs", "2", "--threads", "1"]
    first = run(asked, tmp_path / "raced")
    assert first["settings_race"]["rows"]
    words = shlex.split(first["repeat"])
    assert words[0] == "allotrope"
    again = run(words[1:], tmp_path / "held")
    assert again["settings"] == first["settings"]
    assert first["settings"]["threads"] == 1
    assert again["settings_race"]["rows"] == []
    assert again["repeat"] == first["repeat"]
    runs = [tmp_path / name / "digits-1" for name in ("raced", "held")]
    assert weights(runs[0]) == weights(runs[1])
    assert first["repeat"] in (runs[0] / "report.html").read_text()
