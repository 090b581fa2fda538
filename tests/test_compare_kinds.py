"""`compare` on every kind of input and task, and what the frameworks are compared with."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope import read
from allotrope.config import Recipe
from allotrope.measure.race.beside import Beside, TreesBeside, beside, busy
from allotrope.tasks.guess import Guess
from allotrope.tasks.metric import ACCURACY, RMSE
from raced import compare

pandas = pytest.importorskip("pandas")
ROWS = 240
QUICK = {
    "frameworks": ["pytorch"],
    "epochs": 2,
    "seeds": 1,
    "threads": 1,
    "budget": "5m",
    "precision": "float32",
    "memory_layout": "default",
    "compile": False,
    "quiet": True,
}
"""One framework with settings that are not raced."""


def facts(count=ROWS):
    """Numbers and towns, of which a price and whether it is dear follow."""
    random = np.random.default_rng(0)
    size, town = random.uniform(20, 200, count), random.choice(["Bonn", "Jena", "Ulm"], count)
    price = 30 * size + 900 * (town == "Bonn")
    return pandas.DataFrame({"size": size, "town": town, "price": price, "dear": price > 3500})


def kinds(count=120):
    """A picture, a text, numbers and three kinds of tasks, all of which one number decides."""
    random = np.random.default_rng(0)
    bright = random.uniform(0, 1, count)
    pictures = (220 * bright)[:, None, None, None] + random.uniform(0, 30, (count, 9, 9, 1))
    words = np.where(bright > 0.5, "a bright and friendly place", "a dark and narrow one")
    return {
        "photo": pictures.astype(np.uint8),
        "remark": np.array([f"{text} at number {row}" for row, text in enumerate(words)]),
        "noise": random.normal(size=count).astype(np.float32),
        "glow": 100 * bright,
        "side": np.where(bright > 0.5, "sunny", "shady"),
        "tags": np.stack([bright > 0.3, bright > 0.7], 1).astype(np.int8),
    }


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """One race of one framework over all of them."""
    return compare(
        kinds(),
        target=["side", "glow", "tags"],
        task={"tags": "multilabel"},
        **QUICK,
        out=tmp_path_factory.mktemp("runs"),
    )


def test_every_kind_is_raced(mixed):
    (row,) = mixed.json["frameworks"]
    assert "reason" not in row
    assert [each["kind"] for each in mixed.json["data"]["inputs"]] == ["image", "text", "table"]
    assert [each["kind"] for each in mixed.json["data"]["tasks"]] == [
        "classification",
        "regression",
        "multilabel",
    ]
    (training,) = row["trainings"]
    assert training["epochs"] == 2
    assert 0 <= training["test_metric"] <= 1


def test_what_is_raced_is_not_called_images(mixed):
    page = (mixed.folder / "report.html").read_text(encoding="utf-8")
    assert "examples/s" in page
    assert "images/s" not in page and "images per second" not in page
    assert "raced alone" in mixed.json["verdict"]["sentence"]
    assert "accuracy of side over time" in page.lower()


@pytest.mark.parametrize("target", ["price", "dear"])
def test_trees_stand_beside_a_table(target):
    left_out = "price" if target == "dear" else "dear"
    data = read(facts(), target=target, input={left_out: "none"})
    stand = beside(data, Recipe(), threads=1)
    task = data.tasks[0]
    assert stand.trees is not None
    assert task.metric.better(stand.trees.test_metric, stand.guess.value)
    assert task.metric.better(stand.trees.validation_metric, stand.least.value)
    assert {"guess", "trees"} == stand.facts().keys()


def test_no_trees_beside_what_is_no_table():
    data = read(kinds(), target="side", input={"tags": "none", "glow": "none"})
    stand = beside(data, Recipe(), threads=1)
    assert stand.trees is None
    assert stand.facts().keys() == {"guess"}


@pytest.fixture(scope="module")
def texts_alone(tmp_path_factory):
    """One race over texts that a linear model tells apart, so that there is nothing to learn."""
    folder, columns = tmp_path_factory.mktemp("reviews"), kinds(240)
    texts = [f"{text}{', so' * (row % 30)}" for row, text in enumerate(columns["remark"])]
    lines = [f'"{text}",{side}' for text, side in zip(texts, columns["side"], strict=True)]
    (folder / "reviews.csv").write_text("\n".join(["text,side", *lines]))
    return compare(folder / "reviews.csv", target="side", **QUICK, out=folder)


def test_texts_alone_are_raced_beside_the_linear_model_that_they_begin_as(texts_alone):
    (row,) = texts_alone.json["frameworks"]
    assert "reason" not in row and row["trainings"]
    assert texts_alone.json["network"] == "text_cnn"
    begun = texts_alone.json["race"]["begun"]
    assert begun == {"validation_accuracy": 1.0, "test_accuracy": 1.0}
    nothing, before, lengths, *_ = texts_alone.json["race"]["remarks"]
    assert "No training is better than the network is before its first step (100.00%" in nothing
    assert before.startswith("Before its first step the network has validation accuracy 100.00%")
    assert lengths.startswith("Times are measured with text without its padding: ")
    assert texts_alone.json["accuracy_goal"] is None
    assert "before its first step" in (texts_alone.folder / "report.html").read_text()


def test_volumes_are_raced(tmp_path):
    random, labels = np.random.default_rng(0), np.arange(60) % 2
    volumes = random.uniform(0, 100, (60, 9, 9, 9)) + 60 * labels[:, None, None, None]
    columns = {"scan": volumes.astype(np.float32), "ill": labels}
    raced = compare(columns, input={"scan": "volume"}, target="ill", **QUICK, out=tmp_path)
    (row,) = raced.json["frameworks"]
    assert "reason" not in row and row["trainings"] and row["peak_memory"]
    assert [each["kind"] for each in raced.json["data"]["inputs"]] == ["volume"]


def trained(value):
    return {"framework": "jax", "validation_metric": {"mean": value}}


ALWAYS = Guess(0.6, "always 'sunny'")


@pytest.mark.parametrize(
    ("rows", "metric", "nothing"),
    [
        ([trained(0.7)], ACCURACY, False),
        ([trained(0.6)], ACCURACY, True),
        ([trained(0.2), trained(0.7)], ACCURACY, False),
        ([trained(0.7)], RMSE, True),
        ([trained(float("nan"))], ACCURACY, True),
        ([{"framework": "jax"}], ACCURACY, False),
    ],
)
def test_trainings_that_learned_nothing_are_told(rows, metric, nothing):
    stand = Beside(ALWAYS, ALWAYS)
    assert stand.nothing_learned(rows, metric) is nothing
    assert len(stand.remarks(rows, metric)) == nothing


def test_the_better_of_trees_and_network_is_named():
    stand = Beside(ALWAYS, ALWAYS, TreesBeside(0.8, 0.79, 1.2))
    (worse,) = stand.remarks([trained(0.7), trained(0.75)], ACCURACY)
    assert "in 1.2 s: validation accuracy 80.00%, test 79.00%" in worse
    assert "The best network here: 75.00%; the trees are better" in worse
    (better,) = stand.remarks([trained(0.9)], ACCURACY)
    assert better.endswith("The best network here: 90.00%; the network is better.")
    (alone,) = stand.remarks([{"framework": "jax"}], ACCURACY)
    assert "best network" not in alone


def test_a_busy_machine_is_told_of():
    assert busy(None, 2) == busy(0.3, 2) == []
    (line,) = busy(5.0, 2)
    assert "load 5.0 on 2 cores" in line
