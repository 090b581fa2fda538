"""`fit` on texts: from a file of lines to a file that takes raw text and the program beside it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from allotrope import predict, read
from allotrope.architectures.choose import choose
from allotrope.errors import DataError, UsageError
from allotrope.frameworks import framework as find_framework
from allotrope.training.loop import train
from quick import fit
from tested import TESTED

GOOD = ["great", "fine", "lovely", "superb"]
BAD = ["awful", "dull", "poor", "dreadful"]
STORY = "the film was a story of two friends who travel to the sea and back again"
OTHER = STORY.split()


def lines(count, seed):
    """Reviews: a word or two in each say which kind it is."""
    rng = np.random.default_rng(seed)
    made = []
    for row in range(count):
        words = [*rng.choice(OTHER, 8), rng.choice((BAD, GOOD)[row % 2])]
        made.append(f"{('bad', 'good')[row % 2]} {' '.join(rng.permutation(words))}\n")
    return "".join(made)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    for split, count in (("train", 200), ("dev", 40), ("test", 40)):
        (folder / f"{split}.txt").write_text(lines(count, len(split)))
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    return fit(folder, epochs=1, out=tmp_path_factory.mktemp("runs"), quiet=True)


def test_the_network_begins_as_a_linear_model_of_all_terms(folder):
    data = read(folder)
    choice = choose(data, epochs=1)
    assert choice.has_learned
    logits = choice.network.run({"text": data.test["text"]})["label"]
    assert (logits.argmax(1) == data.test["label"]).mean() > 0.9
    # Texts of which nothing is known are answered by the bias alone.
    empty = choice.network.run({"text": np.zeros((1, 30), np.uint8)})["label"]
    assert np.isfinite(empty).all()


@pytest.mark.parametrize("network", ["text_cnn", "ngram"])
@pytest.mark.parametrize("name", TESTED)
def test_each_framework_trains_it_from_there(folder, name, network):
    data = read(folder)
    choice = choose(data, network, {"batch_size": 20}, epochs=1)
    settings = find_framework(name).settings()[0]
    trained = train(
        choice.network, data, choice.recipe, settings, name, has_learned=choice.has_learned
    )
    first, last = trained.history[0], trained.history[-1]
    assert first["step"] == 0
    assert last["loss"] < 0.75
    assert trained.best["validation_accuracy"] >= first["validation_accuracy"] > 0.9
    # What the last layer takes of the linear model has learned nothing.
    heads = [each.weights["head.label.weight"] for each in (choice.network, trained.network)]
    np.testing.assert_allclose(heads[1][:, -2:], heads[0][:, -2:], atol=0.01)


def test_the_delivered_file_answers_texts_lines_and_tables(run, tmp_path):
    (tmp_path / "new.txt").write_text("a superb story\n\nan AWFUL film\n")
    (tmp_path / "new.csv").write_text("id,text\n1,a lovely sea\n2,dull friends\n")
    (tmp_path / "new.jsonl").write_text('{"text": "superb"}\n\n{"other": 1}\n[1\n{"text": ""}\n')
    asked = ["so dreadful 😀", str(tmp_path / "new.txt"), str(tmp_path / "new.csv")]
    rows = predict(run.folder, *asked).json
    classes = [row["answers"]["label"]["class"] for row in rows]
    assert classes == ["bad", "good", "bad", "good", "bad"]
    assert [row.get("line") for row in rows] == [None, 1, 3, 2, 3]
    program = [sys.executable, str(run.folder / "delivered" / "predict.py"), "--json", *asked]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    beside = [row["answers"]["label"]["class"] for row in json.loads(done.stdout)]
    assert beside == classes
    rows = predict(run.folder, str(tmp_path / "new.jsonl")).json
    assert [row["line"] for row in rows] == [1, 3, 4, 5]
    assert rows[0]["answers"]["label"]["class"] == "good" and "answers" in rows[3]
    assert all('{"text": "…"}' in row["reason"] for row in rows[1:3])


def test_python_asks_with_texts_of_any_length(run):
    texts = ["superb", "", "日本語 dull", "superb " * 50_000, "dull"]
    answers = run.predict({"text": texts})
    assert answers["label"][[0, 2, 3, 4]].tolist() == ["good", "bad", "good", "bad"]
    alone = run.predict({"text": texts[:1]})
    np.testing.assert_allclose(
        answers.probabilities["label"][:1], alone.probabilities["label"], atol=1e-6
    )
    with pytest.raises(DataError, match=r"is no text in rows 1"):
        run.predict({"text": np.array(["a", None], dtype=object)})
    with pytest.raises(DataError, match=r"expected texts \(n,\)"):
        run.predict({"text": np.zeros(3)})


def test_the_report_shows_excerpts(run):
    record = json.loads((run.folder / "run.json").read_text())
    assert record["network_details"]["has_learned"]
    # Validated before the first step: the linear model is kept if nothing is gained.
    header, first = (run.folder / "history.csv").read_text().splitlines()[:2]
    assert dict(zip(header.split(","), first.split(","), strict=True))["step"] == "0"
    assert record["data"]["inputs"][0]["kind"] == "text"
    assert "label" in (run.folder / "report.html").read_text()


def test_a_network_for_pictures_is_refused(folder):
    with pytest.raises(UsageError, match=r"resnet20 does not take texts.*text_cnn, lstm, gru"):
        choose(read(folder), "resnet20", epochs=1)


def test_texts_stand_beside_numbers_and_teach_several_tasks(tmp_path):
    rng = np.random.default_rng(0)
    texts = [line.split(" ", 1) for line in lines(120, 3).splitlines()]
    columns = {
        "text": [text for _, text in texts],
        "age": rng.normal(size=120),
        "stars": rng.normal(size=120),
        "kind": [label for label, _ in texts],
    }
    data = read(columns, target="kind,stars")
    assert sorted(each.kind for each in data.inputs) == ["table", "text"]
    choice = choose(data, epochs=1)
    assert not choice.has_learned
    answers = choice.network.run(data.taken("test"))
    assert {name: y.shape[1] for name, y in answers.items()} == {"kind": 2, "stars": 1}
    alone = choose(read(columns, target="kind,stars", input="age=none"), epochs=1)
    assert alone.has_learned
