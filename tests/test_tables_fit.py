"""`fit` on tables: categories, dates and numbers to a delivered file, beside boosted trees."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest

import allotrope
from allotrope.delivery.finished import finished
from allotrope.training.boosting import grown, sums, trees_of
from quick import fit
from test_predict_columns import by_program

HOW = {
    "epochs": 8,
    "threads": 1,
    "max_drop": 100,
    "quiet": True,
    "precision": "float32",
    "memory_layout": "default",
    "compile": False,
}


def lines(count=240, seed=0):
    """Sales: cities and a date decide the price, and what is missing is said."""
    random = np.random.default_rng(seed)
    city = random.integers(0, 3, count)
    size = random.uniform(10, 90, count)
    day = random.integers(1, 29, count)
    price = 5 * size + 200 * city + 10 * day
    rows = []
    for row in range(count):
        area = "?" if row % 20 == 3 else f"{size[row]:.2f}"
        place = ("Bern", "Rom", "Wien")[city[row]]
        rows.append(f"{place},{area},{day[row]:02}/12/2025,{row + 1},{price[row]:.2f}")
    return ["city,size,sold,id,price", *rows]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sales")
    (folder / "sales.csv").write_text("\n".join(lines()) + "\n")
    return fit(folder / "sales.csv", target="price", out=folder / "runs", **HOW)


def test_a_table_becomes_a_file_that_reads_cells(run, tmp_path):
    (facts,) = run.json["data"]["inputs"]
    assert facts["columns"] == ["city", "size", "sold"] and facts["dates"] == ["", "", "%d/%m/%Y"]
    assert sorted(facts["categories"][0]) == ["Bern", "Rom", "Wien"]
    notes = "\n".join(run.json["data"]["summary"]["notes"])
    assert "'id' is left out: it looks like an id" in notes
    new = tmp_path / "new.csv"
    new.write_text("sold,city,size\n03/12/2025,Rom,50\n03/12/2025,Oslo,?\n2025-12-03,Rom,50\n")
    predicted = allotrope.predict(run.folder, new)
    assert [("reason" in row) for row in predicted.json] == [False, False, True]
    reason = predicted.json[2]["reason"]
    assert "'sold' is '2025-12-03', expected a date written as %d/%m/%Y" in reason
    arrays = {"sold": ["03/12/2025"], "city": ["Rom"], "size": [50.0]}
    np.testing.assert_allclose(run.predict(arrays)["price"], predicted["price"][:1], rtol=1e-5)
    done, rows = by_program(run.folder, new)
    assert done.returncode == 1
    answers = [row["answers"]["price"]["value"] for row in rows[:2]]
    np.testing.assert_allclose(answers, predicted["price"][:2], rtol=1e-5)


def test_boosted_trees_stand_beside(run):
    (trees,) = [row for row in run.json["candidates"] if row["form"] == "trees"]
    assert trees["runtime"] == "onnxruntime" and trees["validation_metric"] > 0
    assert "scikit-learn's HistGradientBoosting on the same rows, by RMSE: valid" in str(run)
    x = np.array([[1, 50, 20424], [np.nan, np.nan, 20424]], np.float32)
    files = ("model.onnx", "candidates/trees.onnx", "candidates/network-and-trees.onnx")
    network, trees, mean = (
        onnxruntime.InferenceSession(run.folder / file).run(None, {"table": x})[0] for file in files
    )
    np.testing.assert_allclose(mean, (network + trees) / 2, rtol=1e-5)
    assert json.loads((run.folder / "run.json").read_text())["status"] == "done"


@pytest.mark.parametrize("target", ["price", "city", "many", "flag,other"])
def test_trees_answer_in_onnx_as_in_scikit_learn(target, tmp_path):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    random = np.random.default_rng(0)
    x = random.standard_normal((400, 3)).astype(np.float32)
    x[random.random(x.shape) < 0.1] = np.nan
    whole = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 1]) ** 2
    columns = {
        "a": x[:, 0],
        "b": x[:, 1],
        "c": x[:, 2],
        "price": whole,
        "city": np.where(whole > 1, "Rom", "Bern"),
        "many": np.array(list("xyz"))[np.digitize(whole, [0.3, 1.2])],
        "flag": (whole > 0.5).astype(int),
        "other": (x[:, 2] > 0).astype(int),
    }
    wanted = {name: columns[name] for name in ("a", "b", "c", *target.split(","))}
    data = allotrope.read(wanted, target=target)
    (task,) = tasks = tuple(
        task.trained_by(allotrope.config.Recipe(loss=task.minimized), data.train[task.name])
        for task in data.tasks
    )
    trees = grown(data, tasks, 0).network
    finished(trees, data.inputs, tasks).save(tmp_path / "trees.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "trees.onnx")
    (answers,) = session.run(None, {"table": data.test["table"]})
    labels, x, new = data.train[task.name], data.train["table"], data.test["table"]
    if target == "price":
        model = HistGradientBoostingRegressor(random_state=0).fit(x, labels)
        expected = model.predict(new)[:, None]
    elif "," in target:
        models = [HistGradientBoostingClassifier(random_state=0).fit(x, y) for y in labels.T]
        expected = np.stack([model.predict_proba(new)[:, 1] for model in models], 1)
    else:
        model = HistGradientBoostingClassifier(random_state=0).fit(x, labels)
        expected = model.predict_proba(new)
    np.testing.assert_allclose(answers, expected, atol=2e-5)
    raw = sums(*trees_of(task, x, labels, 0), new)
    np.testing.assert_allclose(task.answers(raw), expected, atol=2e-5)


def test_a_run_of_a_table_without_header_answers_such_a_file(tmp_path):
    rows = [line.split(",") for line in lines(80)[1:]]
    text = "\n".join(f"{size}, {city}" for city, size, *_ in rows if size != "?")
    (tmp_path / "plain.csv").write_text(text)
    run = fit(tmp_path / "plain.csv", target="col2", out=tmp_path / "runs", **HOW)
    (tmp_path / "new.csv").write_text("50.5\n12.25\n")
    done, answers = by_program(run.folder, tmp_path / "new.csv")
    assert done.returncode == 0 and [row["line"] for row in answers] == [1, 2]
    assert answers[0]["answers"]["col2"]["class"] in ("Bern", "Rom", "Wien")
