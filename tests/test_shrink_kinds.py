"""`shrink` of a table, a text and an ONNX file: every kind that `fit` knows."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.network import zoo
from allotrope.network.summary import parameters
from allotrope.shrinking.groups import groups
from allotrope.shrinking.layer_widths import narrowable
from allotrope.shrinking.prune import masked, pruned
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
    columns, part = rows(kind), {"table": "0.7x", "text": "0.99x"}[kind]
    # Trees of few rows grow slowest on two threads that wait for each other on a busy machine.
    options = {"out": folder, "saliency": False, "quiet": True, "threads": 1}
    network = {"table": "auto", "text": "ngram"}[kind]
    options |= {"input": {"text": "text"}} if kind == "text" else {}
    # Texts are mixed by the network that trains, and by its teacher.
    learning = {"network": network, "epochs": 2, "framework": "pytorch", "mixup": 0.2}
    before = fit(columns, target=target, **learning, **options)
    after = shrink(before.folder, columns, max_size=part, max_drop=60, epochs=1, **options)
    sizes = [run.json["delivered"]["size_bytes"] for run in (before, after)]
    assert sizes[1] < sizes[0]
    assert len(after.json["rounds"]) >= 1
    assert after.predict({name: x[:3] for name, x in columns.items() if name != target}).json


def test_a_network_for_words_becomes_narrower():
    """Of texts of any length; what is cut is no more than weights at 0."""
    vocabulary = np.minimum(np.arange(40), 30).astype(np.int32)
    network = zoo.TEXT_NETWORKS["text_cnn"](3, vocabulary, dimension=8, filters=8)
    known = groups(network)
    layers = narrowable(network, known, np.ones(len(known)))
    removed = [one for layer in layers for one in layer.removed(layer.widths[0])]
    smaller = pruned(network, removed, known)
    assert len(layers) > 1 and parameters(smaller) < 0.8 * parameters(network)
    words = {"words": np.random.default_rng(0).integers(1, 40, (3, 9)).astype(np.int32)}
    expected = masked(network, removed, known).run(words)["fc"]
    assert len(np.unique(expected)) > 3
    np.testing.assert_allclose(smaller.run(words)["fc"], expected, atol=1e-5)


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
