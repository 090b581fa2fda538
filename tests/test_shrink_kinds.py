"""`shrink` of a table, a text and an ONNX file: every kind that `fit` knows."""

from __future__ import annotations

import numpy as np
import pytest

from shrunk import fit, shrink


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kinds")


def rows(kind):
    """A table of numbers whose sum is to be told, or texts of words that tell a class."""
    random = np.random.default_rng(0)
    if kind == "table":
        x = random.normal(0, 1, (400, 3))
        return {"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "price": 10 + x @ [3.0, 2.0, 1.0]}
    words = np.array(["good fine", "great well", "bad poor", "awful worse"])
    which = random.integers(0, 4, 240)
    text = [f"{words[w]} {random.integers(20)}" for w in which]
    return {"text": np.array(text, object), "mood": np.array(["up", "down"])[which // 2]}


@pytest.mark.parametrize(("kind", "target"), [("table", "price"), ("text", "mood")])
def test_a_run_of_this_kind_becomes_smaller(folder, kind, target):
    # Most of a small text network is its list of words, of which nothing is cut.
    columns, part = rows(kind), {"table": "0.7x", "text": "0.97x"}[kind]
    # Trees of few rows grow slowest on two threads that wait for each other on a busy machine.
    options = {"out": folder, "saliency": False, "quiet": True, "threads": 1}
    options |= {"input": {"text": "text"}} if kind == "text" else {}
    # Texts are mixed by the network that trains, and by its teacher.
    before = fit(columns, target=target, epochs=2, framework="pytorch", mixup=0.2, **options)
    after = shrink(before.folder, columns, max_size=part, max_drop=60, epochs=1, **options)
    sizes = [run.json["delivered"]["size_bytes"] for run in (before, after)]
    assert sizes[1] < sizes[0]
    assert len(after.json["rounds"]) >= 1
    assert after.predict({name: x[:3] for name, x in columns.items() if name != target}).json


def test_an_onnx_file_with_its_data(folder):
    """A file of others: what it sees of the pixels is found by trying, as `fit` does."""
    options = {"out": folder, "saliency": False, "quiet": True, "epochs": 1}
    before = fit("digits", network="cnn", **options)
    file = before.folder / "model.onnx"
    after = shrink(file, "digits", max_size="0.55x", max_drop=60, **options)
    assert after.json["origin"]["run"] is None
    assert (
        after.json["delivered"]["size_bytes"] <= 0.55 * after.json["before"]["today"]["size_bytes"]
    )
