"""The page of benchmarks/which_framework.py, from planted figures: nothing is measured here."""

from __future__ import annotations

import copy
import importlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def framework_page(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("framework_page")


def row(framework, speed, fixed, goal, agrees=True):
    return {
        "framework": framework,
        "version": "1.0",
        "settings": {"device": "cpu", "precision": "float32", "layout": "default"},
        "import_seconds": 1.0,
        "compile_seconds": 2.0,
        "batch": 64,
        "training": {"examples_per_second": speed, "spread": 0.1},
        "inference": {"examples_per_second": 4 * speed, "spread": 0.1},
        "step": {"fixed": fixed, "example": 0.01},
        "peak_memory": 4e8,
        "test_metric": {"mean": 0.9, "median": 0.9, "lowest": 0.89, "highest": 0.91},
        "seconds_to_metric": {"mean": goal, "median": goal, "lowest": goal, "highest": goal},
        "agreement": {"agrees": agrees, "difference": 1e-6},
        "recommended": framework == "jax",
    }


@pytest.fixture
def results():
    problem = {
        "name": "table",
        "title": "MLP on a table",
        "about": "rows",
        "network": "table_mlp",
        "weights": 1000,
        "multiply_adds": 900,
        "task": {
            "kind": "classification",
            "name": "y",
            "classes": ["a", "b"],
            "metric": "accuracy",
        },
        "goal": 0.85,
        "verdict": {"framework": "jax", "sentence": "Use jax here."},
        "race": {"threads": 2, "seeds": 2, "epochs": 3.0, "remarks": []},
        "seconds": 120.0,
        "rows": [row("pytorch", 1000, 4.0, 9.0), row("jax", 4000, 1.0, 5.0)],
    }
    machine = {"cores": 2, "cpu": "a processor", "features": ["AVX2"], "memory": 25e9}
    return {
        "problems": [problem],
        "machine": {**machine, "python": "3.11"},
        "versions": {"torch": "2.13", "jax": "0.10"},
    }


def test_it_says_who_is_first_and_by_how_much(framework_page, results):
    page = framework_page.page(results, "picture.svg")
    assert "**JAX** 5.0 s, 1.80 times as fast as PyTorch" in page
    assert "**JAX** 4,000/s, 4.00 times as fast as PyTorch" in page
    assert "**Small networks and small batches: JAX.**" in page
    assert "JAX 1.00 ms, PyTorch 4.00 ms" in page
    assert "JAX 61% of 1.6 ms, PyTorch 86% of 4.6 ms" in page
    assert "Accuracy is no reason to choose" in page
    assert "Other work ran" not in page


def test_losses_that_part_are_said_first(framework_page, results):
    results["problems"][0]["rows"][0]["agreement"]["agrees"] = False
    page = framework_page.page(results, "picture.svg")
    assert "Losses part, which is a fault to be found before a choice: PyTorch on MLP" in page


def test_what_was_not_measured_has_its_reason(framework_page, results):
    problem = results["problems"][0]
    problem["rows"].append({"framework": "keras", "reason": "it is not installed"})
    problem["rows"][0] = {key: value for key, value in problem["rows"][0].items() if key != "step"}
    problem["race"]["remarks"] = ["Other work runs on this machine (load 5.0 on 2 cores)."]
    page = framework_page.page(results, "picture.svg")
    assert "| Keras | it is not installed |" in page
    assert "Other work ran on the machine" in page
    nothing = copy.deepcopy(results)
    nothing["problems"][0]["rows"] = [{"framework": "jax", "reason": "none"}]
    assert "MLP on a table" not in framework_page.page(nothing, "picture.svg")


def test_the_picture_has_a_dot_for_each(framework_page, results):
    picture = importlib.import_module("framework_picture").picture(results)
    root = ElementTree.fromstring(picture)
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["PyTorch: 0.25 of the fastest", "JAX: 1.00 of the fastest"]
