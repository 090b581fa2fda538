"""The report of a race, on planted records: whole, empty, hostile; and in a real browser."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from allotrope.report import write_report
from chromium import Chromium, find_chromium

RACE = {
    "rows": [{"precision": "float32", "images_per_second": 900.0, "chosen": True, "agrees": True}],
    "reason": "Fastest.",
    "seconds": 3.0,
}


def planted(name: str, speed: float, **rest: Any) -> dict[str, Any]:
    """A row as `compare` records it; accuracy rises in five steps."""
    history = [
        {
            "epoch": float(e),
            "seconds": 5e3 * e / speed,
            "loss": 1.0,
            "validation_loss": 1.0,
            "validation_accuracy": 0.5 + 0.09 * e,
        }
        for e in range(1, 6)
    ]
    training = {
        "import_seconds": 2.0,
        "validation_accuracy": 0.95,
        "test_accuracy": 0.94,
        "history": history,
    }
    summary = {"mean": 0.95, "median": 0.95, "lowest": 0.94, "highest": 0.96}
    return {
        "framework": name,
        "version": "1.0",
        "import_seconds": 2.0,
        "compile_seconds": 4.0,
        "batch": 64,
        "peak_memory": 5e8,
        "reached": 2,
        "settings": {
            "device": "cpu",
            "precision": "bfloat16",
            "layout": "channels-last",
            "compiled": False,
            "threads": 2,
        },
        "settings_race": RACE,
        "agreement": {"agrees": True, "difference": 2e-7, "step": None, "losses": [2.3, 2.1]},
        "training": {
            "images_per_second": speed,
            "spread": 0.02,
            "milliseconds": {"median": 9.0, "p90": 10.0},
        },
        "inference": {
            "images_per_second": 3 * speed,
            "spread": 0.03,
            "milliseconds": {"median": 3.0, "p90": 4.0},
        },
        "validation_accuracy": summary,
        "test_accuracy": summary,
        "seconds_to_accuracy": {
            "mean": 9e3 / speed,
            "median": 9e3 / speed,
            "lowest": 8.0,
            "highest": 9.0,
        },
        "trainings": [{**training, "seed": seed} for seed in (0, 1)],
        **rest,
    }


def record(**changes: Any) -> dict[str, Any]:
    """A finished race: one to use, one slower, one whose losses differ, one missing."""
    rows = [
        planted("tensorflow", 700.0),
        planted("pytorch", 1500.0, recommended=True),
        planted(
            "jax",
            2000.0,
            agreement={"agrees": False, "difference": 0.3, "step": 2, "losses": [2.3, 2.9]},
        ),
        {
            "framework": "keras",
            "reason": "keras is not installed; install it with: pip install 'allotrope[keras]'",
        },
    ]
    verdict = {"framework": "pytorch", "sentence": "Use pytorch here: it is the fastest."}
    facts = {
        "schema": 1,
        "kind": "compare",
        "status": "done",
        "run": "runs/digits-compare-1",
        "command": "allotrope compare digits",
    }
    race = {"threads": 2, "budget": 600.0, "seeds": 2, "epochs": 5}
    return {
        **facts,
        "frameworks": rows,
        "verdict": verdict,
        "accuracy_goal": 0.9,
        "race": race,
        "seconds": 500.0,
        **changes,
    }


@pytest.fixture
def written(tmp_path):
    """Writes the report of a record: its path, and its text."""

    def write(record):
        (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
        path = write_report(tmp_path)
        return path, path.read_text(encoding="utf-8")

    return write


def test_a_whole_race(written):
    _, page = written(record())
    assert "<h1>Use pytorch here: it is the fastest.</h1>" in page
    places = [
        page.index(f"<bdi>{name}</bdi>") for name in ("PyTorch", "JAX", "TensorFlow", "Keras")
    ]
    assert places == sorted(places)
    assert page.count("✓ use this") == 1
    assert "✕ losses differ" in page and "from step 2 on" in page
    assert "pip install &#39;allotrope[keras]&#39;" in page
    assert page.count("<figure") == 3 and page.count('<path class="line') == 3 * 6


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "compare"},
        record(frameworks=[]),
        record(frameworks=[{}, {"framework": None}, 3], verdict=None),
    ],
)
def test_what_is_missing_is_left_out(written, record):
    _, page = written(record)
    assert "<figure" not in page
    assert "</html>" in page


def test_an_interrupted_and_a_failed_race_say_so(written):
    assert "The race was interrupted" in written(record(status="interrupted"))[1]
    assert (
        "The race failed: the disk is full."
        in written(record(status="failed", reason="the disk is full"))[1]
    )


def test_names_and_reasons_are_text(written):
    hostile = "<script>alert(1)</script>"
    rows = [
        planted(hostile, 100.0, reason=hostile, version=hostile),
        {"framework": hostile, "reason": hostile},
    ]
    _, page = written(record(frameworks=rows, verdict={"sentence": hostile}))
    assert hostile not in page
    assert "&lt;script&gt;" in page


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = find_chromium()
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium or Chrome in the path")
    browser = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 820, 390, 320])
def test_in_a_browser_it_fits_and_one_chart_is_shown(written, browser, width, dark):
    rows = [planted("r" * 60, 100.0, reason="because" * 60), *record()["frameworks"]]
    path, _ = written(record(frameworks=rows, run="r" * 300))
    browser.open(path, width, dark=dark)
    assert browser.of("Log.entryAdded") == [] and browser.of("Runtime.exceptionThrown") == []
    beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.evaluate(beyond) <= 0
    shown = (
        "[...document.querySelectorAll('#courses svg[role=img]')].filter(chart => "
        "chart.checkVisibility())"
    )
    assert browser.evaluate(f"{shown}.length") == 1
    drawn = f"{shown}[0].getBoundingClientRect().width / {shown}[0].viewBox.baseVal.width"
    assert browser.evaluate(drawn) > 0.75
