"""Files of JSON objects: one a line, or a list of them, whatever ends the name."""

import gzip
import json

import numpy as np
import pytest

import allotrope
from allotrope.data.store.stored_rows import StoredRows
from allotrope.delivery.text_lines import read_objects
from allotrope.errors import DataError
from stored_pictures import TINY

ROWS = [
    {"text": f"the film was {word} for as long as it went on {row}", "label": word}
    for row in range(30)
    for word in ("good", "bad")
]


def lines(rows):
    return "\n".join(map(json.dumps, rows)) + "\n"


WRITTEN = {
    "lines": lines(ROWS),
    "list": json.dumps(ROWS),
    "indented list": "\n" + json.dumps(ROWS, indent=2),
}


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl", "rows.json.gz"])
def test_lines_and_lists_are_the_same_data(tmp_path, form, name):
    data = WRITTEN[form].encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    (tmp_path / "plain.jsonl").write_text(WRITTEN["lines"])
    one, other = allotrope.read(tmp_path / name), allotrope.read(tmp_path / "plain.jsonl")
    assert one.train["text"].tobytes() == other.train["text"].tobytes()
    noun = "line" if form == "lines" else "entry"
    assert all(title.startswith(noun) for title in one.train.origin)


@pytest.mark.parametrize("form", WRITTEN)
def test_predictions_read_them_alike(tmp_path, form):
    (tmp_path / "new.json").write_text(WRITTEN[form])
    texts = [
        bytes(one.inputs["text"]).decode()
        for one in read_objects({"name": "text"}, tmp_path / "new.json")
    ]
    assert texts == [row["text"] for row in ROWS]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (json.dumps([*ROWS, 7, "x"]), "no JSON object in entry 61, entry 62"),
        ("[]", "holds no lines with objects"),
        (json.dumps(ROWS)[:-9], "no JSON object in line 1"),
        (json.dumps({"images": [], "annotations": []}, indent=1), "no JSON object in line 1"),
    ],
)
def test_what_holds_no_objects_is_refused(tmp_path, content, message):
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(DataError, match=message):
        allotrope.read(tmp_path / "rows.json")


def test_a_list_that_is_not_read_by_page_is_read_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    for name, form in (("rows.json", "list"), ("rows.jsonl", "lines")):
        (tmp_path / name).write_text(WRITTEN[form])
    monkeypatch.setenv("ALLOTROPE_DATA_LIMIT", TINY)
    one, other = (allotrope.read(tmp_path / name) for name in ("rows.json", "rows.jsonl"))
    assert isinstance(other.train["text"], StoredRows) and isinstance(one.train["text"], np.ndarray)
    assert one.train["text"].tobytes() == other.train["text"][:].tobytes()


def test_a_json_file_beside_others_is_about_something_else(tmp_path):
    (tmp_path / "train.jsonl").write_text(lines(ROWS))
    (tmp_path / "dataset.json").write_text('{"license": "none"}')
    assert len(allotrope.read(tmp_path).train) == 42
