"""Arrays of the bytes of texts, as HDF5 and TensorFlow hand them on, are texts."""

import datetime

import numpy as np
import pytest

import allotrope
from allotrope.delivery.column_arrays import plain
from allotrope.inputs.text.raw_bytes import text_of

TEXTS = [f"the fïlm {row} was {word} 电影" for row in range(30) for word in ("good", "bad")]
LABELS = ["gut", "schlecht"] * 30


def as_bytes(texts):
    return np.array([text.encode() for text in texts])


def as_objects(texts):
    return np.array([text.encode() for text in texts], object)


@pytest.mark.parametrize("form", [as_bytes, as_objects])
def test_columns_in_memory(form):
    data = allotrope.read({"review": form(TEXTS), "label": form(LABELS)}, target="label")
    assert data.tasks[0].classes == ("gut", "schlecht")
    assert set(map(text_of, data.train["review"])) <= set(TEXTS)


@pytest.mark.parametrize("names", [("review", "label"), ("review_train", "label_train")])
def test_columns_of_a_file(tmp_path, names):
    columns = (as_bytes(TEXTS), as_bytes(LABELS))
    np.savez(tmp_path / "rows.npz", **dict(zip(names, columns, strict=True)))
    data = allotrope.read(tmp_path / "rows.npz", target="label")
    assert set(map(text_of, data.train["review"])) <= set(TEXTS)


def test_splits_in_memory():
    part = {"review": as_bytes(TEXTS), "label": as_bytes(LABELS)}
    data = allotrope.read({"train": part, "test": part}, target="label")
    assert len(data.test) == 60 and text_of(data.test["review"][0]) == TEXTS[0]


def test_what_is_missing_among_objects_is_missing(tmp_path):
    words = np.array([None, float("nan"), *TEXTS[2:]], object)
    ages = np.array([None, 7, float("nan"), *range(57)], object)
    data = allotrope.read({"review": words, "age": ages, "label": LABELS}, target="label")
    every = [text_of(row) for split in data.splits.values() for row in split["review"]]
    assert every.count("") == 2
    assert sum(np.isnan(split["table"]).sum() for split in data.splits.values()) == 2


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array(["a", None, float("nan")], object), ["a", "", ""]),
        (np.array([1, None, 2.5], object), [1.0, np.nan, 2.5]),
        (np.array([b"a", "\u00e9".encode()], object), ["a", "\u00e9"]),
        (np.array([b"a", b"bc"]), ["a", "bc"]),
        (np.array(["a", "bc"], np.dtypes.StringDType()), ["a", "bc"]),
        (np.array([datetime.date(2026, 11, 28)], object), ["2026-11-28"]),
        ([1, 2], [1, 2]),
    ],
    ids=str,
)
def test_columns_of_any_objects_are_plain_for_predictions(values, expected):
    column = plain(values)
    assert column.dtype.kind in "Uif"
    equal_nan = column.dtype.kind == "f"
    assert np.array_equal(column, np.array(expected), equal_nan=equal_nan)
