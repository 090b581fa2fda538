"""`doctor` says what is there and how to install what is not."""

from __future__ import annotations

import json

import pytest

from allotrope import doctor, frameworks
from allotrope.cli import main


@pytest.fixture
def diagnosis(monkeypatch: pytest.MonkeyPatch):
    """With a framework that is certainly not installed."""
    monkeypatch.setitem(frameworks.FRAMEWORKS, "abacus", "no_such_package")
    return doctor()


def test_what_is_missing_comes_with_its_command(diagnosis):
    (row,) = (row for row in diagnosis.json["frameworks"] if row["name"] == "abacus")
    assert row["version"] is None
    assert "pip install 'allotrope[abacus]'" in row["reason"]
    assert "pip install 'allotrope[abacus]'" in str(diagnosis)


def test_what_is_there_has_its_version(diagnosis):
    import onnxruntime

    (row,) = (row for row in diagnosis.json["runtimes"] if row["name"] == "onnxruntime")
    assert row == {"name": "onnxruntime", "version": onnxruntime.__version__, "reason": None}


def test_a_line_a_thing(diagnosis):
    lines = str(diagnosis).splitlines()
    assert len({line.split("  ")[0] for line in lines}) == len(lines)
    assert all(line.strip() for line in lines)


def test_features_that_matter_are_named_if_they_are_missing(diagnosis):
    machine = {**diagnosis.json["machine"], "features": ["AVX2", "AVX-512"]}
    assert "AVX2, AVX-512 (not AMX_BF16, not AMX_INT8)" in str(
        type(diagnosis)({**diagnosis.json, "machine": machine})
    )


def test_json_on_the_command_line(capsys):
    assert main(["doctor", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["machine"]["cores"] >= 1
    assert {row["name"] for row in printed["runtimes"]} >= {"onnxruntime", "openvino", "pytorch"}
