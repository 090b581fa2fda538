"""`fit` on tables: categories, dates and numbers to a delivered file, beside boosted trees."""

from __future__ import annotations

import csv
import json

import numpy as np
import onnxruntime
import pyarrow.parquet
import pytest

import allotrope
from allotrope.delivery.finished import finished
from allotrope.errors import DataError
from allotrope.network.zoo.trees import boosted_trees
from allotrope.training.blend import blended, shares_of_first
from allotrope.training.boosting import Growth, Rows, grown, sums, trees_of
from allotrope.verbs.request import defaults, fit_options, with_usual_drop
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
    (together,) = [row for row in run.json["candidates"] if row["form"] == "network-and-trees"]
    share = together["network_shares"]["price"]
    np.testing.assert_allclose(mean, share * network + (1 - share) * trees, rtol=1e-5)
    assert json.loads((run.folder / "run.json").read_text())["status"] == "done"


def test_the_report_is_about_the_delivered_file(run):
    delivered, importance = run.json["delivered"], run.json["importance"]
    assert delivered["form"] in ("trees", "network-and-trees")
    account = run.json["delivered_test"]["price"]
    assert account["rmse"] == pytest.approx(delivered["test_metric"], rel=1e-4)
    assert account["worst"][0]["file"].startswith("line ")
    assert importance["columns"][0]["name"] == "city"
    assert {each["name"] for each in importance["columns"]} == {"city", "size", "sold"}
    assert [each["name"] for each in importance["curves"]] == ["size"]
    page = (run.folder / "report.html").read_text()
    assert "to data that took no part" in page and "What answers rest on" in page


SOLD = [
    {"sold": "03/12/2025", "city": "Rom", "size": 50, "id": "b"},
    {"sold": "09/12/2025", "city": "Oslo", "size": None, "id": "a"},
    {"sold": "2025-12-03", "city": "Rom", "size": 12.5, "id": "d"},
    {"sold": "28/12/2025", "city": "Wien", "size": 12.5, "id": "c"},
]


def written(folder, suffix):
    """The rows above as a file."""
    path = folder / f"new.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(SOLD), path)
    elif suffix == "jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in SOLD) + "\n[1]\n")
    else:
        cells = [["" if cell is None else str(cell) for cell in row.values()] for row in SOLD]
        path.write_text("\n".join(map(",".join, [list(SOLD[0]), *cells])) + "\n")
    return path


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_rows_of_objects_are_answered_as_cells(run, suffix, tmp_path):
    expected = allotrope.predict(run.folder, written(tmp_path, "csv"))
    predicted = allotrope.predict(
        run.folder, written(tmp_path, suffix), out=tmp_path / f"{suffix}.csv"
    )
    np.testing.assert_array_equal(predicted["price"][:4], expected["price"])
    assert predicted.json[2]["reason"] == expected.json[2]["reason"]
    more = ["expected a JSON object"] * (suffix == "jsonl")
    assert [row["reason"][:22] for row in predicted.json[4:]] == more
    done, rows = by_program(run.folder, tmp_path / f"new.{suffix}")
    assert done.returncode == 1 and rows == predicted.json
    with (tmp_path / f"{suffix}.csv").open() as file:
        answers = list(csv.DictReader(file))
    assert [row["id"] for row in answers[:4]] == ["b", "a", "d", "c"]
    assert answers[0]["size"] == "50" and float(answers[0]["price"]) == pytest.approx(
        predicted["price"][0]
    )


def test_files_of_objects_that_do_not_fit_are_named(run, tmp_path):
    bad = {
        "lacking.jsonl": '{"city": "Rom"}',
        "lists.jsonl": '{"city": "Rom", "size": [1], "sold": "03/12/2025"}',
        "empty.jsonl": "\n",
        "cut.parquet": "PAR1",
    }
    reasons = [
        "lacks the columns 'size', 'sold'; it has 'city'",
        "'size' holds list, expected numbers",
        "holds no rows",
        "is no whole parquet file",
    ]
    for (name, text), reason in zip(bad.items(), reasons, strict=True):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match=reason):
            allotrope.predict(run.folder, tmp_path / name)


def test_a_program_without_pyarrow_says_so(run, tmp_path):
    done, rows = by_program(run.folder, written(tmp_path, "parquet"), without=["pyarrow"])
    assert done.returncode == 1 and not rows
    assert "pyarrow, which is not installed; install it with: pip install pyarrow" in done.stderr


@pytest.mark.parametrize("target", ["price", "city", "many", "flag,other"])
def test_trees_answer_in_onnx_as_in_scikit_learn(target, tmp_path):
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    data, tasks = some_rows(target)
    (task,) = tasks
    x, new = data.train["table"], data.test["table"]
    labels, few = data.train[task.name], Rows(new[:1], data.test[task.name][:1])
    growth = Growth(100, 0.1, seed=0)
    # A single row to judge by is too few, so that these are scikit-learn's trees with defaults.
    trees, start = trees_of(task, Rows(x, labels), few, growth)
    network = boosted_trees("table", x.shape[1], {task.name: (trees, start)})
    finished(network, data.inputs, tasks).save(tmp_path / "trees.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "trees.onnx")
    (answers,) = session.run(None, {"table": new})
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
    np.testing.assert_allclose(task.answers(sums(trees, start, new)), expected, atol=2e-5)


def some_rows(target, count=240):
    """Rows with gaps, and their tasks as a training has them."""
    random = np.random.default_rng(0)
    x = random.standard_normal((count, 3)).astype(np.float32)
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
    recipes = {task.name: allotrope.config.Recipe(loss=task.minimized) for task in data.tasks}
    tasks = [task.trained_by(recipes[task.name], data.train[task.name]) for task in data.tasks]
    return data, tuple(tasks)


@pytest.mark.parametrize("target", ["price", "many", "flag,other"])
def test_trees_are_as_many_as_serve_validation_rows(target, tmp_path):
    data, tasks = some_rows(target)
    (task,) = tasks
    table, labels = data.validation["table"], data.validation[task.name]
    boosted = grown(data, tasks, seed=0)
    growth = Growth.of(data.train["table"], task.size, seed=0)
    assert growth == Growth(2000, 0.05, 0)
    train = Rows(data.train["table"], data.train[task.name])
    trees, start = trees_of(task, train, Rows(table, labels), growth)
    assert boosted.rounds == {task.name: len(trees)}
    boosted.network.save(tmp_path / "trees.onnx")
    (raw,) = onnxruntime.InferenceSession(tmp_path / "trees.onnx").run(None, {"table": table})
    np.testing.assert_allclose(raw, boosted.validation[task.name], atol=1e-4)
    if target == "many":
        ends = [len(trees) - 3 * fewer for fewer in (0, 1, 2, 10)]
        losses = [task.scores(sums(trees[:end], start, table), labels)["loss"] for end in ends]
        assert losses[0] == min(losses) and task.size == 3


def test_work_bounds_how_many_trees_there_are():
    wide = np.broadcast_to(np.float32(0), (1_000_000, 100))
    assert Growth.of(wide, 1, seed=0) == Growth(100, 0.1, 0)
    assert Growth.of(wide[:40_000], 1, seed=0) == Growth(999, 0.05, 0)


def test_speed_may_cost_a_table_less():
    options = fit_options(defaults(allotrope.fit) | {"data": "rows.csv"})
    table, _ = some_rows("price")
    assert options.target.max_drop == 0.5
    target = with_usual_drop(options, table).target
    assert (target.max_drop, target.max_worse) == (0.1, 0.5)
    pictures = allotrope.read("digits")
    assert with_usual_drop(options, pictures).target.max_drop == 0.5
    asked = fit_options(defaults(allotrope.fit) | {"data": "rows.csv", "max_drop": 0.5})
    assert with_usual_drop(asked, table).target.max_drop == 0.5


@pytest.mark.parametrize("target", ["price", "many", "flag,other"])
def test_what_each_counts_in_the_mean_is_chosen_if_rows_tell(target):
    data, tasks = some_rows(target, count=2000)
    (task,) = tasks
    labels = data.train.columns
    right = {task.name: task.encode(labels[task.name]).targets.astype(np.float64) * 6 - 3}
    if target == "price":
        right = {task.name: right[task.name] / 6 + 0.5}
    noise = np.random.default_rng(1).standard_normal(right[task.name].shape)
    near, far = ({task.name: right[task.name] + size * noise} for size in (0.5, 20))
    again = {task.name: right[task.name] - 0.5 * noise}
    assert shares_of_first(tasks, near, far, labels)[task.name] == 0.9
    assert shares_of_first(tasks, far, near, labels)[task.name] == 0.1
    assert shares_of_first(tasks, near, again, labels) == {task.name: 0.5}
    few = {name: column[:30] for name, column in labels.items()}
    parts = ({name: column[:30] for name, column in each.items()} for each in (near, far))
    assert shares_of_first(tasks, *parts, few) == {task.name: 0.5}
    mean = blended(near, far, {task.name: 0.9})[task.name]
    np.testing.assert_allclose(mean, 0.9 * near[task.name] + 0.1 * far[task.name])


def test_a_run_of_a_table_without_header_answers_such_a_file(tmp_path):
    rows = [line.split(",") for line in lines(80)[1:]]
    text = "\n".join(f"{size}, {city}" for city, size, *_ in rows if size != "?")
    (tmp_path / "plain.csv").write_text(text)
    run = fit(tmp_path / "plain.csv", target="col2", out=tmp_path / "runs", **HOW)
    (tmp_path / "new.csv").write_text("50.5\n12.25\n")
    done, answers = by_program(run.folder, tmp_path / "new.csv")
    assert done.returncode == 0 and [row["line"] for row in answers] == [1, 2]
    assert answers[0]["answers"]["col2"]["class"] in ("Bern", "Rom", "Wien")


def test_trees_see_the_day_of_the_week(tmp_path):
    random = np.random.default_rng(0)
    days = 20089 + np.arange(600)
    price = np.where(days % 7 == 2, 50.0, 10.0) + random.standard_normal(600)
    dates = days.astype("datetime64[D]").astype(str)
    data = allotrope.read({"day": dates, "price": price}, target="price")
    (table,), (task,) = data.inputs, data.tasks
    task = task.trained_by(allotrope.config.Recipe(loss=task.minimized), data.train["price"])
    trees = grown(data, (task,), seed=0)
    finished(trees.network, data.inputs, (task,)).save(tmp_path / "trees.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "trees.onnx")
    (answers,) = session.run(None, {table.name: data.test[table.name]})
    assert np.sqrt(np.mean((answers[:, 0] - data.test["price"]) ** 2)) < 4
