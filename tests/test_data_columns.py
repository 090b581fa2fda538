"""Arrays by column: what each becomes, why, and what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.errors import UsageError
from read_sources import error_of

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (40, 6, 5, 3), np.uint8)
AGES = RANDOM.normal(50, 10, 40)
LABELS = np.arange(40) % 4


def together(data, name):
    return np.concatenate([split[name] for split in data.splits.values()])


def test_a_picture_and_a_quantity():
    data = allotrope.read({"image": IMAGES, "age": AGES})
    assert data.inputs[0].value().shape == ("n", 6, 5, 3) and data.tasks[0].kind == "regression"
    assert np.array_equal(np.sort(together(data, "age")), np.sort(AGES))
    assert "task 'age' (regression)" in str(data) and "--task age=" in str(data)
    for split in data.splits.values():
        rows = [int(np.flatnonzero(age == AGES)[0]) for age in split["age"]]
        assert np.array_equal(split["image"], IMAGES[rows])


def test_two_pictures_and_a_row_of_numbers_and_two_tasks():
    columns = {
        "left": IMAGES,
        "right": IMAGES[:, :4, :4, :1],
        "height": AGES,
        "weight": np.where(LABELS == 1, np.nan, LABELS),
        "sex": np.array(list("mf") * 20),
        "y": LABELS,
    }
    data = allotrope.read(columns, target=["y", "sex"])
    assert [(each.name, each.kind) for each in data.inputs] == [
        ("left", "image"),
        ("right", "image"),
        ("table", "table"),
    ]
    table = data.inputs[2]
    assert table.columns == ("height", "weight") and table.missing == (1,)
    assert data.train["table"].dtype == np.float32
    assert [task.classes for task in data.tasks] == [("0", "1", "2", "3"), ("f", "m")]
    counts = np.bincount(data.test["y"])
    assert counts.max() - counts.min() <= 0  # stratified by the first task


@pytest.mark.parametrize("named", [True, False])
def test_splits_are_taken_as_they_are(named):
    parts = {"train": slice(0, 30), "val": slice(30, 34), "test": slice(34, 40)}
    by_split = {key: {"image": IMAGES[part], "age": AGES[part]} for key, part in parts.items()}
    by_name = {
        f"{column}_{key}": array for key, part in by_split.items() for column, array in part.items()
    }
    data = allotrope.read(by_name if named else by_split)
    assert [len(data.splits[name]) for name in ("train", "validation", "test")] == [30, 4, 6]
    assert np.array_equal(data.validation["age"], AGES[30:34])


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (np.array(list("abcd") * 10), "classification"),
        (LABELS, "classification"),
        (LABELS > 1, "classification"),
        (np.eye(4)[LABELS], "classification"),
        (RANDOM.random((40, 3)) > 0.5, "multilabel"),
        (AGES, "regression"),
        (np.stack([AGES, -AGES], 1), "regression"),
        ([1.5, None, 2.5, 3.5] * 10, "regression"),
        (["a", "b"] * 20, "classification"),
    ],
)
def test_the_kind_of_a_task_is_told_from_its_labels(labels, kind):
    if kind == "multilabel":
        labels = labels.astype(np.uint8)
    data = allotrope.read({"image": IMAGES, "what": labels, "other": LABELS}, target="what,other")
    assert data.tasks[0].kind == kind
    assert f"'what' is predicted ({kind})" in str(data)


def test_npz_files_of_any_columns(tmp_path):
    np.savez(tmp_path / "some.npz", scan=IMAGES, height=AGES)
    data = allotrope.read(tmp_path / "some.npz")
    assert (data.inputs[0].name, data.tasks[0].name) == ("scan", "height")
    np.savez(tmp_path / "more.npz", scan=IMAGES, height=AGES, label=LABELS)
    data = allotrope.read(tmp_path / "more.npz", target="label", input="height=table")
    assert [each.name for each in data.inputs] == ["scan", "table"]
    np.savez(tmp_path / "old.npz", x_train=IMAGES, y_train=AGES)
    data = allotrope.read(tmp_path / "old.npz")
    assert (data.inputs[0].name, data.tasks[0].name) == ("image", "label")
    assert data.tasks[0].kind == "regression"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"image": IMAGES, "age": AGES[:-1]}, ["different lengths", "'image' 40, 'age' 39"]),
        ({"image": IMAGES, "age": AGES, "size": AGES}, ["which column", "--target NAME"]),
        ({"age": AGES}, ["which column"]),
        ({}, ["no columns"]),
        ({"image": IMAGES, "age": object()}, ["'age'"]),
        ({"image": IMAGES, "label": [{}] * 40}, ["'label' holds Python objects (dict)"]),
        (
            {"image": IMAGES, "label": np.where(LABELS == 1, np.nan, 0.5 * LABELS)},
            ["no label in row 1, row 5"],
        ),
        (
            {"image": IMAGES, "label": np.where(LABELS == 1, np.inf, 0.5)},
            ["infinite numbers, or too large ones: 'inf' (row 1), 'inf' (row 5)"],
        ),
        ({"image": IMAGES * np.nan, "label": LABELS}, ["input 'image'", "nan"]),
        ({"image": IMAGES, "label": AGES * 0 + 0.5}, ["'label'"]),
        (
            {"train": {"image": IMAGES, "age": AGES}, "test": {"image": IMAGES}},
            ["test has no column 'age'"],
        ),
        ({"test": {"image": IMAGES, "age": AGES}}, ["no training examples"]),
        ({"train": {"image": IMAGES}, "what": IMAGES}, ["arrays by column", "by split"]),
        ({"image_train": IMAGES, "age": AGES}, ["Name all alike"]),
        (
            {"train": {"i": IMAGES, "y": LABELS % 2}, "test": {"i": IMAGES, "y": LABELS}},
            ["not among the training labels: test: 2, 3"],
        ),
    ],
)
def test_what_does_not_fit_together_is_named(columns, words):
    message = error_of(columns)
    assert all(word in message for word in words), message


def test_infinite_inputs_name_their_rows():
    columns = {"image": IMAGES, "size": np.where(LABELS == 1, np.inf, 1.0), "label": LABELS}
    assert (
        "'size' holds infinite numbers, or too large ones: 'inf' (row 1), 'inf' (row 5)"
        in error_of(columns)
    )


def test_a_column_is_an_input_or_a_target():
    columns = {"image": IMAGES, "age": AGES, "label": LABELS}
    assert "as an input and as a target" in error_of(
        columns, UsageError, target="age,label", input="age=table"
    )
    data = allotrope.read(columns, input={"age": "none"})
    assert [each.name for each in data.inputs] == ["image"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"target": "age"}, "--target: there is no column 'age'"),
        ({"task": {"label": "regression"}}, "--task: 'label' cannot be regression"),
        ({"input": {"image": "none", "x": "table"}}, "'image' cannot be none.*no column 'x'"),
    ],
)
def test_columns_that_a_source_cannot_have_are_refused(asked, told):
    with pytest.raises(UsageError, match=rf"digits: .*{told}.*It has 'image' \(image\)"):
        allotrope.read("digits", **asked)


def test_columns_that_a_source_has_may_be_named():
    data = allotrope.read(
        "digits", target="label", task={"label": "classification"}, input={"image": "image"}
    )
    assert [task.name for task in data.tasks] == ["label"]
