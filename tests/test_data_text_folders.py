"""A text a file in class folders, and a JSON object a line."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

import allotrope
from allotrope.delivery.text_lines import read_texts
from allotrope.errors import DataError
from allotrope.inputs.text.raw_bytes import text_of

STORY = "the film was long but very good and we would see it again tomorrow with friends"


def texts(count, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(STORY.split(), 7)) for _ in range(count)]


def filled(folder, count=12, seed=0):
    folder.mkdir(parents=True)
    for number, text in enumerate(texts(count, seed)):
        (folder / f"{number:02}.txt").write_text(text)


def notes(data):
    return "\n".join(data.summary["notes"])


def test_class_folders_of_texts_are_read_below_splits_or_not(tmp_path):
    for number, name in enumerate(("neg", "pos")):
        filled(tmp_path / "plain" / name, seed=number)
        filled(tmp_path / "imdb" / "train" / name, seed=number)
        filled(tmp_path / "imdb" / "test" / name, 5, seed=7 + number)
    filled(tmp_path / "imdb" / "train" / "unsup", seed=5)
    plain = allotrope.read(tmp_path / "plain")
    assert plain.tasks[0].classes == ("neg", "pos")
    assert sum(map(len, plain.splits.values())) == 24
    split = allotrope.read(tmp_path / "imdb")
    assert len(split.test) == 10
    assert len(split.splits["unlabelled"]) == 12 and (split.splits["unlabelled"]["label"] < 0).all()
    filled(tmp_path / "imdb" / "train" / "unsup" / "pos")
    with pytest.raises(DataError, match="'train/unsup' holds the folders 'pos'"):
        allotrope.read(tmp_path / "imdb")
    assert split.test.origin[0] == "test/neg/00.txt"
    assert split.inputs[0].whole_files


def test_texts_in_another_encoding_are_said(tmp_path):
    for number, name in enumerate(("neg", "pos")):
        filled(tmp_path / name, seed=number)
    (tmp_path / "neg" / "00.txt").write_bytes("Größe zählt nicht immer".encode("latin-1"))
    assert "1 file as cp1252" in notes(allotrope.read(tmp_path))


def test_folders_that_cannot_be_told_apart_are_refused(tmp_path):
    filled(tmp_path / "test" / "neg")
    with pytest.raises(DataError, match="holds texts for test and none to train on"):
        allotrope.read(tmp_path)
    filled(tmp_path / "train" / "neg")
    filled(tmp_path / "training" / "neg")
    with pytest.raises(DataError, match="several folders of texts are train"):
        allotrope.read(tmp_path)


def test_a_network_that_has_learned_from_files_reads_files(tmp_path):
    filled(tmp_path / "new", 2)
    facts = {"name": "text", "kind": "text", "whole_files": True}
    rows = list(read_texts(facts, str(tmp_path / "new")))
    assert [text_of(row.inputs["text"]) for row in rows] == texts(2)
    (alone,) = read_texts(facts, "a text itself")
    assert text_of(alone.inputs["text"]) == "a text itself"


def test_objects_a_line_are_columns(tmp_path):
    rows = [
        {"review": text, "stars": number % 2 + 0.5, "seen": number % 3 == 0}
        for number, text in enumerate(texts(60))
    ]
    rows[3].pop("stars")
    content = "\n".join(map(json.dumps, rows))
    (tmp_path / "reviews.jsonl").write_text(content)
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(content.encode()))
    for name in ("reviews.jsonl", "packed.jsonl.gz"):
        data = allotrope.read(tmp_path / name, target="seen")
        kinds = {each.name: each.kind for each in data.inputs}
        assert kinds == {"review": "text", "table": "table"}
        assert data.name == name.partition(".")[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no lines"),
        ('{"a": 1}\n[1]\nnot json\n', "no JSON object in line 2, line 3"),
        (
            '{"a": "x"}\n{"a": 1}\n{"a": {"b": 2}}',
            "'a' holds texts; numbers in line 2; objects in line 3",
        ),
    ],
)
def test_what_is_no_object_a_line_is_refused(tmp_path, content, message):
    (tmp_path / "rows.jsonl").write_text(content)
    with pytest.raises(DataError, match=message):
        allotrope.read(tmp_path / "rows.jsonl", target="a")
