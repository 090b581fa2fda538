"""Arrays of the bytes of texts, as HDF5 and TensorFlow hand them on, are texts."""

import numpy as np
import pytest

import allotrope
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
