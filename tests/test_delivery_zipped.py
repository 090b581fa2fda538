"""Files of gzip are asked about as those that they hold."""

from __future__ import annotations

import gzip
import json

import pytest

from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.predictor import read
from allotrope.delivery.text_lines import unpacked
from allotrope.verbs.answers_table import write_answers

TEXT = {"inputs": [{"kind": "text", "name": "text"}]}
ROWS = {"inputs": [{"kind": "table", "name": "row", "columns": ["a", "b"]}]}
SAID = ["a fine film", "größer als gedacht"]
FILES = {
    "said.txt": "\n".join(SAID),
    "said.jsonl": "\n".join(json.dumps({"text": text}) for text in SAID),
    "said.ndjson": "\n".join(json.dumps({"text": text}) for text in SAID),
    "said.csv": "text,stars\n" + "\n".join(f"{text},3" for text in SAID),
    "said.tsv": "stars\ttext\n" + "\n".join(f"3\t{text}" for text in SAID),
    "rows.csv": "b,a\n2,1\n4,3\n",
    "rows.jsonl": '{"a": 1, "b": 2}\n{"b": 4, "a": 3}',
}


def examples(columns, path):
    """Line and inputs of each example that a file holds."""
    return [
        (one.origin["line"], one.reason, {name: x.tolist() for name, x in one.inputs.items()})
        for one in read(columns, str(path))
    ]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("called", ["{}.gz", "{}.GZ", "{}"])
def test_a_file_of_gzip_holds_the_same_examples(tmp_path, name, called):
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    zipped = tmp_path / "zipped" / called.format(name)
    zipped.parent.mkdir()
    zipped.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    columns = ROWS if name.startswith("rows") else TEXT
    expected = examples(columns, tmp_path / name)
    assert len(expected) == 2 and not any(reason for _, reason, _ in expected)
    assert examples(columns, zipped) == expected


@pytest.mark.parametrize("name", ["rows.csv.gz", "rows.jsonl.gz"])
def test_answers_stand_beside_the_cells_of_a_file_of_gzip(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(FILES[name.removesuffix(".gz")].encode()))
    rows = [
        {**one.origin, "answers": {"c": {"value": 0.5}}} for one in read(ROWS, str(tmp_path / name))
    ]
    write_answers(tmp_path / "out.csv", rows, {**ROWS, "tasks": [{"name": "c"}]})
    header, first, _ = (tmp_path / "out.csv").read_text().splitlines()
    assert dict(zip(header.split(","), first.split(","), strict=True)) == {
        "a": "1",
        "b": "2",
        "c": "0.5",
    }


@pytest.mark.parametrize("name", ["said.txt.gz", "said.jsonl.gz", "said.csv.gz"])
@pytest.mark.parametrize("data", [b"text\nplain", gzip.compress(b"a" * 9999, mtime=0)[:-12]])
def test_what_is_called_gzip_and_is_none_or_is_cut_short_is_told(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ArgumentError, match=rf"{name}: cannot be decompressed"):
        assert examples(TEXT, tmp_path / name)


def test_no_more_is_decompressed_than_may_be(tmp_path):
    path = tmp_path / "bomb.txt.gz"
    path.write_bytes(gzip.compress(b"0" * 1001))
    assert len(unpacked(path, most=1001)) == 1001
    with pytest.raises(ArgumentError, match=r"bomb.txt.gz: holds more than 1,000 bytes"):
        unpacked(path, most=1000)


def test_one_that_is_not_there_is_no_text(tmp_path):
    with pytest.raises(ArgumentError, match=r"gone.jsonl.gz: there is no such file"):
        examples(TEXT, tmp_path / "gone.jsonl.gz")
