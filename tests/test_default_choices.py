"""The verbs with all that they choose by themselves, in each framework.

Most tests say what is chosen, for their time; a framework that always compiles, or has one layout,
has other choices than the rest.
"""

from __future__ import annotations

import pytest

from allotrope.frameworks import framework as find
from allotrope.verbs.pipeline import Among
from quick import BRIEF, fit_with, one_candidate
from searched import SMALL, tune_with
from shrunk import shrink_with
from tested import TESTED

LEFT = Among(candidates=one_candidate, turns=BRIEF)
"""Only what comes after a training is cut short."""
OPTIONS = {"saliency": False, "quiet": True}


def of_framework(facts: dict[str, object], framework: str) -> bool:
    """Whether the settings are among those that it has."""
    fields = ("device", "precision", "layout", "compiled")
    asked = [facts[field] for field in fields]
    return any(
        [getattr(settings, field) for field in fields] == asked
        for settings in find(framework).settings()
    )


@pytest.fixture(scope="module", params=TESTED)
def fitted(request, tmp_path_factory):
    """A run, and the framework that trained it."""
    folder = tmp_path_factory.mktemp("fit")
    run = fit_with(LEFT)("digits", framework=request.param, budget="4s", out=folder, **OPTIONS)
    return run, request.param


def test_fit_chooses_network_width_and_settings(fitted):
    run, framework = fitted
    assert run.json["status"] == "done" and run.json["network"] == "whitened_cnn"
    assert any("Width" in reason for reason in run.json["network_details"]["reasons"])
    assert of_framework(run.json["settings"], framework)


def test_a_file_is_shrunk(fitted, tmp_path):
    run, framework = fitted
    file, goal = run.folder / "model.onnx", {"max_size": "0.7x", "max_drop": 90, "epochs": 0.1}
    smaller = shrink_with(LEFT)(
        file, "digits", framework=framework, out=tmp_path, **goal, **OPTIONS
    )
    assert smaller.json["status"] == "done"
    assert smaller.json["delivered"]["size_bytes"] < run.json["delivered"]["size_bytes"]


@pytest.mark.parametrize("framework", TESTED)
def test_tune_chooses_settings(framework, tmp_path):
    small = {**SMALL, "epochs": 0.1, "trials": 1}
    run = tune_with(LEFT)("digits", framework=framework, out=tmp_path, **small)
    assert run.json["status"] == "done"
