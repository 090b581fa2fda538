"""Texts in the encodings that systems write: found and said, asked for, or refused by name."""

import itertools
import json
import subprocess
import sys

import pytest

import allotrope
from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.predictor import read
from allotrope.delivery.text_lines import in_encoding, text_in
from allotrope.errors import DataError, UsageError
from allotrope.inputs.text.raw_bytes import text_of
from quick import fit

SENTENCES = {
    "gb18030": ["这部电影很好看", "剧情无聊，演员也不行", "下次还会再来的", "质量太差了，退货"],
    "big5": ["這部電影很好看", "劇情無聊，演員也不行", "下次還會再來的", "品質太差了，退貨"],
    "cp932": [
        "この映画はとても良い",
        "サービスが悪かったです",
        "また来たいと思います",
        "値段が高い",
    ],
    "euc_jp": [
        "この映画はとても良い",
        "サービスが悪かったです",
        "また来たいと思います",
        "値段が高い",
    ],
    "cp949": ["이 영화는 아주 좋다", "서비스가 나빴어요", "다시 오고 싶습니다", "너무 비싸요"],
    "cp1251": ["Этот фильм очень хорош", "Плохое обслуживание", "Приду ещё раз", "Слишком дорого"],
    "koi8_r": ["Этот фильм очень хорош", "Плохое обслуживание", "Приду ещё раз", "Слишком дорого"],
    "cp1253": ["Η ταινία ήταν πολύ καλή", "Κακή εξυπηρέτηση", "Θα ξαναέρθω", "Πολύ ακριβό"],
    "cp1252": ["Der Film ist schön", "L’été à la plage", "¿Qué pasó mañana?", "Pää on täällä"],
}
QUICK = {"target": "label", "task": "label=classification", "epochs": 1, "quiet": True}
ENCODED = pytest.mark.parametrize("encoding", SENTENCES)


def texts(encoding: str) -> list[str]:
    """Forty different texts, some with English words beside."""
    own = SENTENCES[encoding]
    pairs = itertools.product(own, own, ("", " a good film", " never again"))
    return [f"{first} {second}{more}" for first, second, more in pairs][:40]


def table(encoding: str) -> str:
    rows = [f'{number % 2},"{text}"' for number, text in enumerate(texts(encoding))]
    return "\n".join(["label,text", *rows]) + "\n"


def lines(encoding: str) -> str:
    return "".join(f"{number % 2} {text}\n" for number, text in enumerate(texts(encoding)))


def objects(encoding: str) -> str:
    rows = [{"text": text, "label": n % 2} for n, text in enumerate(texts(encoding))]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def whole(data) -> list[str]:
    return sorted(text_of(row) for split in data.splits.values() for row in split["text"])


def options(name: str) -> dict:
    return {"target": "label", "task": "label=classification"} if name != "reviews.txt" else {}


FILES = {"reviews.csv": table, "reviews.txt": lines, "reviews.jsonl": objects}


@ENCODED
@pytest.mark.parametrize("name", FILES)
def test_what_systems_write_is_found_and_said(tmp_path, encoding, name):
    (tmp_path / name).write_bytes(FILES[name](encoding).encode(encoding))
    data = allotrope.read(tmp_path / name, **options(name))
    assert whole(data) == sorted(texts(encoding))
    assert f"'{name}' was read as {encoding}" in str(data) and "--encoding" in str(data)


@ENCODED
def test_short_files_of_a_folder_are_read_alike(tmp_path, encoding):
    for number, text in enumerate(texts(encoding)):
        (tmp_path / str(number % 2)).mkdir(exist_ok=True)
        (tmp_path / str(number % 2) / f"{number}.txt").write_bytes(text.encode(encoding))
    data = allotrope.read(tmp_path)
    assert whole(data) == sorted(texts(encoding))
    assert f"40 files as {encoding}" in str(data)


@pytest.mark.parametrize("name", FILES)
def test_an_encoding_that_is_asked_for_is_taken(tmp_path, name):
    # Polish in its own encoding has letters where Windows-1252 has others.
    sentences = [f"Zła obsługa, cóż {number} źle" for number in range(40)]
    rows = {
        "reviews.csv": ["label,text", *(f'{n % 2},"{text}"' for n, text in enumerate(sentences))],
        "reviews.txt": [f"{n % 2} {text}" for n, text in enumerate(sentences)],
        "reviews.jsonl": [
            json.dumps({"text": text, "label": n % 2}, ensure_ascii=False)
            for n, text in enumerate(sentences)
        ],
    }
    (tmp_path / name).write_bytes("\n".join(rows[name]).encode("cp1250"))
    data = allotrope.read(tmp_path / name, encoding="cp1250", **options(name))
    assert whole(data) == sorted(sentences)
    assert "was read as" not in str(data)


def test_an_encoding_that_it_is_not_is_refused_with_the_line(tmp_path):
    (tmp_path / "reviews.csv").write_bytes(table("cp1251").encode("cp1251"))
    with pytest.raises(DataError, match=r"reviews\.csv: is not utf-8 in line 2"):
        allotrope.read(tmp_path / "reviews.csv", target="label", encoding="utf-8")


@pytest.mark.parametrize("name", ["klingon", "base64", "hex"])
def test_a_name_of_no_encoding_of_texts_is_refused(tmp_path, name):
    (tmp_path / "reviews.csv").write_text(table("cp1251"))
    with pytest.raises(UsageError, match=f"--encoding {name}: there is no such encoding"):
        allotrope.read(tmp_path / "reviews.csv", target="label", encoding=name)


def test_what_may_be_of_several_encodings_is_not_guessed(tmp_path):
    rows = [f"{number % 2},电影" for number in range(40)]
    (tmp_path / "reviews.csv").write_bytes("\n".join(["label,word", *rows]).encode("gb18030"))
    asked = {"target": "label", "task": "label=classification", "input": "word=text"}
    with pytest.raises(DataError, match=r"gb18030 \(Chinese\).*--encoding"):
        allotrope.read(tmp_path / "reviews.csv", **asked)
    data = allotrope.read(tmp_path / "reviews.csv", encoding="gb18030", **asked)
    assert {text_of(row) for row in data.train["word"]} == {"电影"}


def test_a_few_lines_in_another_encoding_do_not_change_how_the_others_are_read(tmp_path):
    utf8 = lines("gb18030").encode()
    latin = "1 L’été à la plage\n".encode("cp1252")
    (tmp_path / "reviews.txt").write_bytes(utf8 + latin)
    data = allotrope.read(tmp_path / "reviews.txt")
    assert whole(data) == sorted([*texts("gb18030"), "L’été à la plage"])
    assert "it is UTF-8 but for 1 line (41), read as cp1252" in str(data)


def test_predictions_read_marked_texts_and_name_those_in_another_encoding(tmp_path):
    path = tmp_path / "new.csv"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(table("gb18030").encode(encoding))
        assert text_in(path) == table("gb18030")
    path.write_bytes(table("gb18030").encode("gb18030"))
    with pytest.raises(ArgumentError, match=r"new\.csv: is not in UTF-8.*--encoding"):
        text_in(path)
    assert text_in(path, "gb18030") == table("gb18030")
    with pytest.raises(ArgumentError, match=r"new\.csv: is not in ascii"):
        text_in(path, "ascii")


@pytest.mark.parametrize("name", FILES)
def test_predictions_take_the_encoding_that_they_are_told(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name]("gb18030").encode("gb18030"))
    columns = in_encoding({"inputs": [{"name": "text", "kind": "text"}], "tasks": []}, "gb18030")
    read_texts = [bytes(one.inputs["text"]).decode() for one in read(columns, str(tmp_path / name))]
    lines_alone = [f"{number % 2} {text}" for number, text in enumerate(texts("gb18030"))]
    assert read_texts == (lines_alone if name == "reviews.txt" else texts("gb18030"))
    with pytest.raises(ArgumentError, match="--encoding klingon: there is no such encoding"):
        in_encoding(columns, "klingon")


def test_a_run_and_its_program_answer_in_the_encoding_that_fit_was_told(tmp_path):
    (tmp_path / "reviews.csv").write_bytes(table("gb18030").encode("gb18030"))
    run = fit(tmp_path / "reviews.csv", encoding="gb18030", out=tmp_path / "runs", **QUICK)
    answers = allotrope.predict(run.folder, tmp_path / "reviews.csv", out=tmp_path / "out.csv")
    assert answers.exit_code == 0 and len(answers.json) == 40
    assert SENTENCES["gb18030"][0] in (tmp_path / "out.csv").read_text("utf-8-sig")
    program = [sys.executable, str(run.folder / "delivered" / "predict.py"), "reviews.csv"]
    for options, code in (([], 1), (["--encoding", "gb18030"], 0)):
        ended = subprocess.run([*program, *options], cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == code, ended.stderr
