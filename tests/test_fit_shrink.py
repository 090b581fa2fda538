"""`fit --shrink`: a network that misses a limit is cut until it meets it, in a run of its own."""

from __future__ import annotations

import pytest

from allotrope.config import Target
from allotrope.network.reading.read import load
from allotrope.network.summary import parameters
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_values import Before, beyond
from shrunk import fit

LIMITED = {"max_size": "60KB", "max_drop": 60}
QUICK = {"network": "cnn", "epochs": 1, "saliency": False, "quiet": True}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The run that misses the limit, and that which goes on from it."""
    folder = tmp_path_factory.mktemp("fit")
    shrunk = fit("digits", shrink=True, out=folder, **QUICK, **LIMITED)
    return folder / "digits-1", shrunk


def test_it_goes_on_from_its_own_run_to_the_same_limits(runs):
    first, shrunk = runs
    assert shrunk.json["kind"] == "shrink" and shrunk.json["status"] == "done"
    assert shrunk.json["origin"]["run"] == str(first)
    assert shrunk.json["delivered"]["size_bytes"] <= shrunk.json["target"]["max_size"] == 60_000
    smaller, whole = (load(each / "model.onnx") for each in (shrunk.folder, first))
    assert parameters(smaller) < parameters(whole)


def test_a_limit_that_is_kept_needs_no_cut(tmp_path):
    run = fit("digits", shrink=True, max_size="1MB", max_drop=60, out=tmp_path, **QUICK)
    assert run.json.get("kind") != "shrink" and run.json["status"] == "done"


def test_what_is_missed_is_told_with_the_command(tmp_path, runs):
    run = fit("digits", out=tmp_path, **QUICK, **LIMITED)
    assert f"allotrope shrink {run.folder} --max-size 60000" in str(run)
    assert run.missed_limits == {"max_size": "60000"}


def row(form, latency, size):
    names = dict(zip(("runtime", "precision", "form"), form, strict=True))
    return {**names, "latency_ms": {"median": latency}, "size_bytes": size}


FULL, ROUNDED = ("onnxruntime", "float32", ""), ("openvino", "int8", "nncf")


def test_rounds_begin_at_the_form_that_is_nearest_to_the_limits():
    full, rounded = row(FULL, 1.0, 400_000), row(ROUNDED, 1.5, 100_000)

    def nearest(**limits):
        target = Target(**limits)
        return Before([full, rounded], full, (FULL, ROUNDED), target, {}, {}).nearest

    assert nearest(max_size=50_000) is rounded
    assert nearest(max_latency=0.5) is full
    assert nearest(max_latency=0.5, max_size=50_000) is rounded
    assert nearest() is full
    alone = Before([full, rounded], full, (FULL,), Target(max_size=50_000), {}, {})
    assert alone.nearest is full, "rounds are not judged by the other form"


def test_the_larger_excess_counts():
    limited = Target(max_latency=0.5, max_size=100_000)
    assert beyond(row(FULL, 1.0, 50_000), limited) == 2
    assert beyond(row(FULL, 0.25, 300_000), limited) == 3
    assert beyond(row(FULL, 1.0, 50_000), Target()) == 0
    assert Goal(0.5, 100_000, 1.0).excess(1.0, 50_000) == 2
    assert Goal(None, None, 1.0).excess(1.0, 50_000) == 0
