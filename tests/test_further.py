"""`fit --network FILE` for any inputs and tasks: what `fit` delivered, and networks of others."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope import read
from allotrope.architectures.choose import choose
from allotrope.architectures.continued import own_columns
from allotrope.config import DataOptions, FineTuning, Recipe, Repair
from allotrope.data import read_data
from allotrope.delivery.finished import finished
from allotrope.errors import UnsupportedError, UsageError
from allotrope.network.build import Builder
from allotrope.network.zoo.tabular import MEMBERS
from allotrope.tasks import Classification, MultiLabel, Regression
from allotrope.tasks.several import trained_by
from allotrope.training.boosting import grown
from allotrope.verbs.network_file import read_source
from quick import fit
from test_compare_kinds import facts, kinds

KINDS = {"target": ["side", "glow", "tags"], "task": {"tags": "multilabel"}}
PRICE = {"target": "price", "input": {"dear": "none"}}
AS_IT_IS = FineTuning()


def delivered(source, folder, **asked):
    """A network that was chosen for a source and not trained, as `fit` delivers it, in a file."""
    data = read(source, **asked)
    network = choose(data, epochs=2.0, seed=5).network
    tasks = trained_by(data.tasks, Recipe(), data.train.columns)
    whole = finished(network, data.inputs, tasks)
    whole.save(folder / "model.onnx")
    return folder / "model.onnx", whole


def further(file, source, options=AS_IT_IS, **asked):
    """The data in the network's columns, and the network made ready for it."""
    network = read_source(file, Repair())
    data = network.suited(read_data(source, network.sized(DataOptions(**asked))), options)
    return data, network.tuning(data, options, "reference", 0).ready


def answers_of(ready, data, count=8):
    """What the delivered file would answer before any step, by task."""
    tasks = trained_by(data.tasks, Recipe(), data.train.columns)
    inputs = {each.name: data.test[each.name][:count] for each in data.inputs}
    raw = ready.network.run(inputs)
    return {task.name: task.answers(raw[task.name]) for task in tasks}, inputs


@pytest.mark.parametrize(
    ("made", "asked", "name"),
    [(facts, PRICE, "table"), (kinds, KINDS, "kinds")],
    ids=["table", "kinds"],
)
def test_it_answers_as_it_did_before_the_first_step(made, asked, name, tmp_path):
    file, whole = delivered(made(), tmp_path, **asked)
    new = made(100)
    if name == "table":
        # Other prices: the raw output is in other units, and what is answered stays.
        new["price"] = 1.3 * new["price"] + 500
    data, ready = further(file, new)
    answers, inputs = answers_of(ready, data)
    before = whole.run(inputs)
    for task in data.tasks:
        np.testing.assert_allclose(answers[task.name], before[task.name], rtol=2e-4, atol=1e-4)


def test_nothing_of_it_is_lost_to_training(tmp_path):
    data = read(facts(), **PRICE)
    chosen = choose(data, epochs=2.0).network
    file, _ = delivered(facts(), tmp_path, **PRICE)
    _, ready = further(file, facts(100))
    assert ready.network.trainable == chosen.trainable
    # The members' own answers, each of which has a loss of its own.
    assert f"price{MEMBERS}" in [value.name for value in ready.network.outputs]
    assert own_columns(ready.network)[1][0].name == "price"


def test_again_and_again(tmp_path):
    file, _ = delivered(facts(), tmp_path, **PRICE)
    data, ready = further(file, facts(100))
    tasks = trained_by(data.tasks, Recipe(), data.train.columns)
    again = finished(ready.network, data.inputs, tasks)
    again.save(tmp_path / "again.onnx")
    third, ready = further(tmp_path / "again.onnx", facts(50))
    assert f"price{MEMBERS}" in [value.name for value in ready.network.outputs]
    answers, inputs = answers_of(ready, third)
    np.testing.assert_allclose(answers["price"], again.run(inputs)["price"], rtol=2e-4)


def test_cells_have_the_codes_that_the_network_knows(tmp_path):
    file, _ = delivered(facts(), tmp_path, **PRICE)
    (table,) = own_columns(read_source(file, Repair()).network)[0]
    new = facts(60)
    new["town"] = np.where(new["town"] == "Bonn", "Cologne", new["town"])
    new.loc[3, "town"] = ""
    turned = ["town", "dear", "price", "size"]
    parts = {"train": new, "test": facts(20)}
    columns = {
        split: {name: part[name].to_numpy() for name in turned} for split, part in parts.items()
    }
    data, _ = further(file, columns)
    codes = data.train["table"][:, table.columns.index("town")]
    known = {text: code for code, text in enumerate(table.categories[table.coded[0]], 1)}
    town = new["town"].to_numpy()
    assert data.inputs == (table,)
    # Splits keep the rows in their order; an unknown town has code 0, a missing one none.
    assert set(codes[~np.isnan(codes)].tolist()) == {0.0, known["Jena"], known["Ulm"]}
    assert np.isnan(codes).sum() <= 1
    assert "Cologne" in town


def test_classes_keep_their_places_and_columns_may_have_other_names(tmp_path):
    texts = kinds()
    source = {"remark": texts["remark"], "side": texts["side"]}
    file, whole = delivered(source, tmp_path, target="side")
    turned = {"words": texts["remark"], "where": texts["side"]}
    data, ready = further(file, turned, target=("where",))
    assert [task.name for task in data.tasks] == ["side"]
    assert data.tasks[0].classes == ("shady", "sunny")
    assert "note: 'where' stands for the network's 'side'." in data.lines
    answers, inputs = answers_of(ready, data)
    np.testing.assert_allclose(answers["side"], whole.run(inputs)["side"], rtol=1e-4, atol=1e-5)


def test_a_label_that_the_data_does_not_have_is_missing(tmp_path):
    whole = kinds()
    file, _ = delivered(whole, tmp_path, **KINDS)
    fewer = {name: column for name, column in kinds(80).items() if name != "glow"}
    data, ready = further(file, fewer)
    assert [task.name for task in data.tasks] == ["side", "tags"]
    assert any("no labels for 'glow'" in line for line in data.lines)
    assert {value.name for value in ready.network.outputs} == {"side", "tags"}


def test_it_is_trained_further_by_fit(tmp_path):
    file, _ = delivered(facts(), tmp_path, **PRICE)
    how = {"epochs": 2, "threads": 1, "max_drop": 100, "quiet": True, "out": tmp_path}
    run = fit(facts(100), network=str(file), **how)
    assert run.json["network"] == "model"
    assert run.json["fine_tuning"]["file"] == str(file)
    assert [each["name"] for each in run.json["data"]["tasks"]] == ["price"]
    assert (run.folder / "delivered").is_dir()


# --- networks of others


def plain(path, output="price", size=1):
    """Two named inputs, float32 [n, 1] and [n, 2], to one output, as any exporter writes it."""
    build = Builder("plain")
    width = build.input("width", np.float32, ("n", 1))
    rest = build.input("rest", np.float32, ("n", 2))
    row = build.add("Concat", [width, rest], {"axis": 1}, name="row")
    weight = build.weight("layer.weight", np.full((size, 3), 2, np.float32))
    bias = build.weight("layer.bias", np.full(size, 100, np.float32))
    build.output(build.add("Gemm", [row, weight, bias], {"transB": 1}, name="layer"), output)
    build.network().save(path)
    return path


def measures(count=60):
    random = np.random.default_rng(1)
    rest = random.uniform(0, 9, (count, 2)).astype(np.float32)
    width = random.uniform(0, 9, (count, 1)).astype(np.float32)
    return {"width": width, "rest": rest, "price": 105 + 2.1 * rest.sum(1) + 2 * width[:, 0]}


def test_a_network_of_others_takes_columns_by_their_names_and_answers_in_units(tmp_path):
    file = plain(tmp_path / "plain.onnx")
    data, ready = further(file, measures(), target=("price",))
    answers, inputs = answers_of(ready, data)
    by_hand = 100 + 2 * (inputs["width"][:, 0] + inputs["rest"].sum(1))
    np.testing.assert_allclose(answers["price"][:, 0], by_hand, rtol=1e-4)
    assert ready.network.trainable == {"layer.weight", "layer.bias"}
    assert ready.knows_classes


def test_a_new_head_for_another_task(tmp_path):
    columns = measures()
    columns["dear"] = np.where(columns.pop("price") > 130, "dear", "cheap")
    file = plain(tmp_path / "plain.onnx")
    with pytest.raises(UsageError, match="for two examples, expected"):
        further(plain(tmp_path / "three.onnx", size=3), columns, target=("dear",))
    _, ready = further(file, columns, FineTuning(new_head=True), target=("dear",))
    assert [value.name for value in ready.network.outputs] == ["dear"]
    assert ready.replaced


# --- what does not fit


def test_everything_that_is_lacking_is_told_at_once(tmp_path):
    file, _ = delivered(kinds(), tmp_path, **KINDS)
    other = {"size": kinds()["glow"], "side": np.where(kinds()["glow"] > 50, "sunny", "rainy")}
    with pytest.raises(UsageError) as error:
        further(file, other, target=("side",))
    said = str(error.value)
    assert "there is no 'photo' (image)" in said
    assert "there is no 'remark' (text)" in said
    assert "there is no column 'noise'" in said
    assert "'side' has 'rainy', and the network knows 'shady', 'sunny'" in said


def test_categories_are_no_numbers_to_a_network_of_others(tmp_path):
    build = Builder("row")
    row = build.input("row", np.float32, ("n", 2))
    weight = build.weight("weight", np.ones((1, 2), np.float32))
    build.output(build.add("Gemm", [row, weight], {"transB": 1}, name="y"), "price")
    build.network().save(tmp_path / "row.onnx")
    with pytest.raises(UsageError, match="'town' are categories, whose codes it does not know"):
        further(tmp_path / "row.onnx", facts(), target=("price",), input={"dear": "none"})


def test_what_does_not_take_the_columns_says_what_it_takes(tmp_path):
    columns = {**measures(), "rest": np.ones((60, 5), np.float32)}
    with pytest.raises(UsageError, match=r"'rest' float32 \['n', 2\] is not 'rest' float32"):
        further(plain(tmp_path / "plain.onnx"), columns, target=("price",))


def test_trees_learn_no_further(tmp_path):
    data = read(facts(), **PRICE)
    tasks = trained_by(data.tasks, Recipe(), data.train.columns)
    trees = grown(data, tasks, 0)
    finished(trees.network, data.inputs, tasks).save(tmp_path / "trees.onnx")
    with pytest.raises(UnsupportedError, match="made of trees, which have no gradients"):
        further(tmp_path / "trees.onnx", facts(100))


# --- endings


@pytest.mark.parametrize(
    "task",
    [
        Classification(name="y", classes=("a", "b")),
        Classification(name="y", classes=("a", "b"), temperature=1.7),
        MultiLabel(name="y", labels=("a", "b")),
        Regression(name="y", mean=(3.0, 1.0), deviation=(2.0, 5.0)),
    ],
    ids=lambda task: task.kind,
)
def test_an_ending_is_taken_off_again(task):
    build = Builder("row")
    x = build.input("x", np.float32, ("n", 2))
    weight = build.weight("weight", np.array([[1, 2], [3, 4]], np.float32))
    build.output(build.add("MatMul", [x, weight], name="product"), "y")
    network = build.network()
    rows = {"x": np.array([[0.1, 0.2], [-1, 2]], np.float32)}
    ended = task.finish(network)
    assert not np.allclose(ended.run(rows)["y"], network.run(rows)["y"])
    np.testing.assert_array_equal(task.unfinished(ended).run(rows)["y"], network.run(rows)["y"])
    with pytest.raises(UnsupportedError, match="does not end in"):
        task.unfinished(network)
