"""A folder of train, dev and test files is one data set with its splits, in every form of rows."""

from __future__ import annotations

import csv
import gzip
import json
import pathlib

import pytest

from allotrope import read
from allotrope.errors import DataError
from test_fit_texts import lines

SIZES = {"train": 60, "dev": 20, "test": 30}


def rows(count, seed):
    pairs = [line.split(" ", 1) for line in lines(count, seed).splitlines()]
    return [{"text": text, "label": label} for label, text in pairs]


def objects(path, made):
    text = "\n".join(json.dumps(row) for row in made)
    whole = gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode()
    path.write_bytes(whole)


def table(path, made):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"], delimiter=DELIMITERS[path.suffix])
        writer.writeheader()
        writer.writerows(made)


def parquet(path, made):
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(made), path)


def labelled_lines(path, made):
    path.write_text("".join(f"{row['label']} {row['text']}\n" for row in made))


DELIMITERS = {".csv": ",", ".tsv": "\t"}
FORMS = {
    ".jsonl": objects,
    ".ndjson": objects,
    ".jsonl.gz": objects,
    ".csv": table,
    ".tsv": table,
    ".parquet": parquet,
    ".txt": labelled_lines,
}


def write(folder, suffix, **sizes):
    for number, (split, count) in enumerate(sizes.items()):
        FORMS[suffix](folder / f"{split}{suffix}", rows(count, number))


def counts(data):
    return [len(data.splits[split]) for split in ("train", "validation", "test")]


@pytest.mark.parametrize("suffix", FORMS)
def test_each_form_has_its_splits_and_says_so(suffix, tmp_path):
    write(tmp_path, suffix, **SIZES)
    data = read(tmp_path)
    assert counts(data) == [60, 20, 30]
    assert [each.name for each in data.inputs] == ["text"]
    said = [line for line in data.lines if "splits by the names of files" in line]
    assert said == [
        f"note: splits by the names of files: train ('train{suffix}'), validation "
        f"('dev{suffix}'), test ('test{suffix}')"
    ]


@pytest.mark.parametrize("suffix", FORMS)
@pytest.mark.parametrize("other", ["validation", "test"])
def test_what_lacks_is_taken_from_training(other, suffix, tmp_path):
    write(tmp_path, suffix, train=80, **{other: 20})
    data = read(tmp_path)
    sizes = dict(zip(("train", "validation", "test"), counts(data), strict=True))
    assert sizes[other] == 20 and sum(sizes.values()) == 100
    assert all(sizes.values())


@pytest.mark.parametrize("suffix", FORMS)
def test_an_evaluation_is_what_lacks_and_hidden_files_are_none(suffix, tmp_path):
    write(tmp_path, suffix, **{"train": 60, "valid": 20, "my-eval": 25, ".test": 3})
    assert counts(read(tmp_path)) == [60, 20, 25]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".txt"])
def test_what_has_no_labels_is_not_read_and_said(suffix, tmp_path):
    write(tmp_path, suffix, **SIZES, unlabelled=5)
    data = read(tmp_path)
    assert counts(data) == [60, 20, 30]
    assert any(f"not read: 'unlabelled{suffix}'" in line for line in data.lines)


@pytest.mark.parametrize("suffix", FORMS)
def test_without_training_it_is_an_error(suffix, tmp_path):
    write(tmp_path, suffix, dev=20, test=30)
    with pytest.raises(DataError, match=r"holds '.*dev.* and no file to train on. Expected a name"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".txt"])
def test_two_of_one_split_are_an_error(suffix, tmp_path):
    write(tmp_path, suffix, train=20, dev=20, valid=20)
    with pytest.raises(DataError, match=r"'dev\..*', 'valid\..*' are all validation by their nam"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_files_that_name_no_split_are_an_error_beside_those_that_do(suffix, tmp_path):
    write(tmp_path, suffix, train=20, more=20)
    with pytest.raises(DataError, match=r"holds several .*: 'more\..*', 'train\..*Name one of th"):
        read(tmp_path)


def test_a_single_file_of_objects_is_read_whatever_its_name(tmp_path):
    objects(tmp_path / "reviews.jsonl", rows(80, 0))
    assert sum(counts(read(tmp_path))) == 80


def test_the_same_data_in_two_forms_is_an_error_that_names_both(tmp_path):
    write(tmp_path, ".jsonl", **SIZES)
    write(tmp_path, ".csv", **SIZES)
    said = r"may be read in 2 ways, from tables \(dev.csv, .*\); files of objects \(dev.jsonl, "
    with pytest.raises(DataError, match=said):
        read(tmp_path)


def test_files_of_another_form_that_say_no_training_are_passed_over(tmp_path):
    write(tmp_path, ".jsonl", **SIZES)
    pathlib.Path(tmp_path / "test_log.txt").write_text("all is well\n")
    table(tmp_path / "sources.csv", rows(5, 0))
    assert counts(read(tmp_path)) == [60, 20, 30]


def test_a_column_of_objects_is_of_one_kind_in_all_splits(tmp_path):
    write(tmp_path, ".jsonl", **SIZES)
    made = rows(20, 1)
    made[3]["text"] = 7
    objects(tmp_path / "dev.jsonl", made)
    with pytest.raises(DataError, match=r"'text' holds texts; numbers in dev.jsonl line 4"):
        read(tmp_path)
    made[3]["text"] = "seven"
    objects(tmp_path / "dev.jsonl", made)
    data = read(tmp_path)
    assert data.validation.origin[3] == "dev.jsonl line 4"
    (tmp_path / "dev.jsonl").write_text('{"text": "a"}\n[1]\n')
    with pytest.raises(DataError, match=r"dev.jsonl: no JSON object in line 2"):
        read(tmp_path)
