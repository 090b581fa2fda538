"""Files of labelled lines: forms of labels, splits by names, encodings, and what is refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

import allotrope
from allotrope.data.sources.lines.text_file import read_text_file
from allotrope.errors import DataError
from allotrope.inputs.text.raw_bytes import text_of

STORY = "the film was long but very good and we would see it again tomorrow with friends"
WORDS = STORY.split()


def sentences(count, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 7)) for _ in range(count)]


def lines(labels, count=60, seed=0):
    texts = sentences(count, seed)
    return "".join(f"{labels[row % len(labels)]} {text}\n" for row, text in enumerate(texts))


def first_text(data):
    (text,) = data.inputs
    return text_of(data.train[text.name][0])


def notes(data):
    return "\n".join(data.summary["notes"])


def test_the_first_word_is_the_label(tmp_path):
    (tmp_path / "reviews.txt").write_text(lines(["0", "1"]))
    data = allotrope.read(tmp_path / "reviews.txt")
    assert data.tasks[0].classes == ("0", "1")
    assert [each.kind for each in data.inputs] == ["text"]
    assert "the first word is the label" in notes(data)
    assert not first_text(data).startswith(("0", "1"))


def test_coarse_labels_are_learned_unless_fine_ones_are_asked_for(tmp_path):
    (tmp_path / "questions.txt").write_text(lines(["NUM:date", "NUM:money", "LOC:city"]))
    coarse = allotrope.read(tmp_path / "questions.txt")
    assert (coarse.tasks[0].name, coarse.tasks[0].classes) == ("coarse", ("LOC", "NUM"))
    assert "--target fine" in notes(coarse)
    fine = allotrope.read(tmp_path / "questions.txt", target="fine")
    assert fine.tasks[0].classes == ("LOC:city", "NUM:date", "NUM:money")
    # The one would tell the other.
    assert [each.name for data in (coarse, fine) for each in data.inputs] == ["text", "text"]


@pytest.mark.parametrize(
    ("asked", "inputs"),
    [
        ({}, ["text"]),
        ({"target": "fine"}, ["text"]),
        ({"target": "coarse,fine"}, ["text"]),
        ({"input": {"fine": "categorical"}}, ["text", "table"]),
    ],
)
def test_a_label_that_is_not_predicted_tells_the_network_nothing_unasked(tmp_path, asked, inputs):
    (tmp_path / "questions.txt").write_text(lines(["NUM:date", "NUM:money", "LOC:city"]))
    data = allotrope.read(tmp_path / "questions.txt", **asked)
    assert [each.kind for each in data.inputs] == inputs


def test_the_labels_of_fasttext_are_one_or_several_a_line(tmp_path):
    (tmp_path / "one.txt").write_text(lines(["__label__good", "__label__bad"]))
    one = allotrope.read(tmp_path / "one.txt")
    assert one.tasks[0].classes == ("bad", "good")
    several = lines(["__label__good __label__long", "__label__bad", "__label__long"])
    (tmp_path / "several.txt").write_text(several)
    data = allotrope.read(tmp_path / "several.txt")
    assert (data.tasks[0].kind, data.tasks[0].labels) == ("multilabel", ("bad", "good", "long"))


def test_a_folder_is_read_by_the_splits_in_its_names_compressed_or_not(tmp_path):
    for split, seed in (("train", 0), ("dev", 1)):
        with gzip.open(tmp_path / f"films.binary.{split}.gz", "wt") as file:
            file.write(lines(["0", "1"], seed=seed))
    (tmp_path / "films.binary.test").write_text(lines(["0", "1"], 20, seed=2))
    (tmp_path / "README.txt").write_text("About films.\n")
    data = allotrope.read(tmp_path)
    sizes = {name: len(split) for name, split in data.splits.items()}
    assert sizes == {"train": 60, "validation": 60, "test": 20}
    assert data.train.origin[0] == "films.binary.train.gz line 1"


def test_lists_of_pictures_are_no_texts(tmp_path):
    from PIL import Image

    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            picture = np.full((8, 8), 30 * number + len(name), np.uint8)
            picture[number, 2] = 255
            Image.fromarray(picture).save(tmp_path / name / f"{number}.png")
    (tmp_path / "test.txt").write_text("cat/0.png 0\ndog/0.png 1\n")
    (tmp_path / "test" / "notes").mkdir(parents=True)
    (tmp_path / "test" / "notes" / "0.txt").write_text("a cat that sits in the sun")
    assert [each.kind for each in allotrope.read(tmp_path).inputs] == ["image"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings_are_found_and_said(tmp_path, encoding):
    text = lines(["good", "bad"]).replace("film", "fïlm")
    (tmp_path / "reviews.txt").write_bytes(text.encode(encoding))
    data = allotrope.read(tmp_path / "reviews.txt")
    whole = [text_of(row) for row in data.train["text"]]
    assert any("fïlm" in each for each in whole)
    assert ("save it as UTF-8" in notes(data)) == (encoding != "utf-8-sig")


def test_lines_of_two_encodings_are_each_read_in_their_own(tmp_path):
    good = "good the fïlm was very long\n"
    mixed = lines(["good", "bad"]).encode() + good.encode() + good.encode("latin-1")
    (tmp_path / "mixed.txt").write_bytes(mixed)
    data = allotrope.read(tmp_path / "mixed.txt")
    whole = [text_of(row) for split in data.splits.values() for row in split["text"]]
    assert whole.count("the fïlm was very long") == 2
    assert "1 line (62), read as cp1252" in notes(data)


def test_lines_without_a_text_are_left_out_and_said(tmp_path):
    (tmp_path / "reviews.txt").write_text("good\nbad\n\n" + lines(["good", "bad"]))
    data = allotrope.read(tmp_path / "reviews.txt")
    assert sum(map(len, data.splits.values())) == 60
    assert "hold a label and no text: line 1, line 2" in notes(data)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "do not begin with labels; found nothing"),
        ("\n".join(sentences(50)).replace("the", "a").encode(), "do not begin with labels"),
        (b"good a\0b\n" * 5 + b"bad a b\n" * 5, "holds zero bytes"),
    ],
)
def test_what_is_no_labelled_text_is_refused(tmp_path, content, message):
    rng = np.random.default_rng(0)
    rows = [f"{rng.integers(10**9)} {line}" for line in content.decode("latin-1").split("\n")]
    whole = "\n".join(rows).encode() if b"friends" in content else content
    (tmp_path / "texts.txt").write_bytes(whole)
    with pytest.raises(DataError, match=message):
        allotrope.read(tmp_path / "texts.txt")


def test_a_compressed_file_that_is_cut_short_or_bursts_is_refused(tmp_path):
    data = gzip.compress(lines(["good", "bad"]).encode())
    (tmp_path / "cut.txt.gz").write_bytes(data[:-20])
    with pytest.raises(DataError, match="cannot be decompressed"):
        allotrope.read(tmp_path / "cut.txt.gz")
    (tmp_path / "none.txt.gz").write_bytes(b"good text\n")
    with pytest.raises(DataError, match=r"cannot be decompressed.*Expected a whole gzip file"):
        allotrope.read(tmp_path / "none.txt.gz")
    (tmp_path / "bomb.txt.gz").write_bytes(gzip.compress(b"good text\n" * 2_000_000))
    with pytest.raises(DataError, match=r"bomb.txt.gz: holds more than 5,000,000 bytes"):
        read_text_file(tmp_path / "bomb.txt.gz", most=5_000_000)


def test_files_of_one_split_and_labels_that_were_not_learned_are_refused(tmp_path):
    (tmp_path / "train.txt").write_text(lines(["good", "bad"]))
    (tmp_path / "test.txt").write_text(lines(["good", "awful", "dull"]))
    with pytest.raises(DataError, match="not among the training labels: test: awful, dull"):
        allotrope.read(tmp_path)
    (tmp_path / "train-2.txt").write_text(lines(["good", "bad"]))
    with pytest.raises(DataError, match=r"'train-2.txt', 'train.txt' are all train"):
        allotrope.read(tmp_path)
    for name in ("train.txt", "train-2.txt"):
        (tmp_path / name).unlink()
    with pytest.raises(DataError, match=r"holds 'test.txt' and no file to train on"):
        allotrope.read(tmp_path)


def test_columns_of_many_words_are_texts_and_names_are_not(tmp_path):
    texts = sentences(60)
    table = {"review": texts, "author": [f"Anna {n}" for n in range(60)], "stars": [1, 5] * 30}
    data = allotrope.read(table, target="stars")
    assert [(each.name, each.kind) for each in data.inputs] == [("review", "text")]
    asked = allotrope.read(table, target="stars", input="author=text")
    assert [each.name for each in asked.inputs] == ["review", "author"]
    rows = "".join(f'"{text}, indeed";{n % 2}\n' for n, text in enumerate(texts))
    (tmp_path / "reviews.csv").write_text(f"review;good\n{rows}")
    read = allotrope.read(tmp_path / "reviews.csv", target="good")
    assert first_text(read).endswith(", indeed")
    with pytest.raises(DataError, match="only empty texts"):
        allotrope.read({"review": ["", " "] * 30, "label": [0, 1] * 30}, input="review=text")


def test_cells_of_a_megabyte_are_texts_and_no_labels(tmp_path):
    cells = [*sentences(58), "very long " * 100_000, "very long indeed " * 100]
    rows = "".join(f"{cell},{number % 2}\n" for number, cell in enumerate(cells))
    (tmp_path / "reviews.csv").write_text(f"review,good\n{rows}")
    data = allotrope.read(tmp_path / "reviews.csv", target="good")
    (text,) = data.inputs
    assert (text.kind, data.train["review"].shape[1]) == ("text", text.longest)
    assert text.longest <= 4096
    with pytest.raises(DataError, match=r"target 'review' holds texts of more than 1,000"):
        allotrope.read(tmp_path / "reviews.csv", target="review")
