"""Tables that name pictures: what is understood of real ones, what of hostile ones is refused."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

import allotrope
from allotrope.errors import UsageError
from read_sources import error_of, notes

COUNT = 24


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "cache"))


def pictures(folder, names=None, seed=0):
    """Small pictures of one size."""
    random = np.random.default_rng(seed)
    for name in names or [f"p{i}.png" for i in range(COUNT)]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (6, 6, 3), np.uint8)).save(path)
    return folder


def table(folder, rows, name="labels.csv", header="file,label", encoding="utf-8"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes("\n".join([header, *rows]).encode(encoding))
    return folder / name


def usual(folder, **options):
    return table(folder, [f"p{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(COUNT)], **options)


# --- what is understood


@pytest.mark.parametrize("alone", [True, False])
def test_a_table_and_its_folder_are_read_alike(tmp_path, alone):
    folder = pictures(tmp_path / "set")
    path = usual(folder)
    data = allotrope.read(path if alone else folder)
    assert [each.name for each in data.inputs] == ["image"]
    assert [(task.name, task.kind, task.classes) for task in data.tasks] == [
        ("label", "classification", ("cat", "dog"))
    ]
    for split in data.splits.values():
        for row, title in enumerate(split.origin):
            pixels = np.asarray(Image.open(folder / title))
            assert np.array_equal(split["image"][row], pixels)
            assert (
                data.tasks[0].classes[split["label"][row]] == ("dog", "cat")[int(title[1:-4]) % 2]
            )
    assert "'file' is an input (image): it names picture files" in notes(data)
    assert "its name says that it is the label" in notes(data)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("p{}.png", "p{}"),
        ("p{}.png", "p{}.png"),
        ("train/images/p{}.png", "p{}.png"),
        ("train/images/p{}.png", "train/images/p{}.png"),
        ("train/images/p{}.png", "images/p{}"),
        ("train/images/p{}.png", "train\\images\\p{}.png"),
    ],
)
def test_pictures_are_found_by_their_names(tmp_path, name, row):
    folder = pictures(tmp_path / "set", [name.format(i) for i in range(COUNT)])
    rows = [f"{row.format(i)},{i % 2}" for i in range(COUNT)]
    data = allotrope.read(table(folder, rows))
    assert sum(map(len, data.splits.values())) == COUNT
    assert data.train.origin[0].endswith(".png")


def test_several_targets_and_numbers_beside_the_pictures(tmp_path):
    folder = pictures(tmp_path / "set")
    rows = [
        f"p{i}.png,{'' if i == 3 else 'ab'[i % 2]},{'' if i == 5 else i / 4},{i * 2},{i}"
        for i in range(COUNT)
    ]
    path = table(folder, rows, header="file,kind,size,age,id")
    data = allotrope.read(path, target="kind,size", input="age=table")
    assert [each.kind for each in data.inputs] == ["image", "table"]
    assert data.inputs[1].columns == ("age",)
    assert [task.kind for task in data.tasks] == ["classification", "regression"]
    kinds = np.concatenate([split["kind"] for split in data.splits.values()])
    sizes = np.concatenate([split["size"] for split in data.splits.values()])
    assert np.count_nonzero(kinds < 0) == 1 and np.count_nonzero(np.isnan(sizes)) == 1
    for split in data.splits.values():
        known = ~np.isnan(split["size"])
        assert np.allclose(split["table"][known, 0], 8 * split["size"][known])
    assert "'id' is left out: the pictures alone are learned from; --input id=table" in notes(data)


def test_flags_in_one_cell_are_several_labels(tmp_path):
    folder = pictures(tmp_path / "set")
    rows = [
        f"p{i}.png,{'|'.join(x for x in 'abc' if (i + 1) % (ord(x) - 95) == 0)}"
        for i in range(COUNT)
    ]
    data = allotrope.read(table(folder, rows), task="label=multilabel")
    assert data.tasks[0].labels == ("a", "b", "c")
    row = data.train.origin.index("p5.png") if "p5.png" in data.train.origin else None
    assert row is None or data.train["label"][row].tolist() == [1, 1, 0]


def test_two_columns_of_pictures_are_two_inputs_if_asked_for(tmp_path):
    folder = pictures(tmp_path / "set", [f"{side}{i}.png" for side in "lr" for i in range(COUNT)])
    rows = [f"l{i}.png,r{i}.png,{i % 2}" for i in range(COUNT)]
    path = table(folder, rows, header="left,right,label")
    assert "'left', 'right' all name pictures" in error_of(path)
    data = allotrope.read(path, input=["left=image", "right=image"])
    assert [each.name for each in data.inputs] == ["left", "right"]
    one = allotrope.read(path, input={"left": "image"})
    assert [each.name for each in one.inputs] == ["image"]


def test_splits_from_a_column_and_from_the_names_of_tables(tmp_path):
    folder = pictures(tmp_path / "set")
    rows = [f"p{i}.png,{i % 2},{'train' if i < 16 else 'test'}" for i in range(COUNT)]
    data = allotrope.read(table(folder, rows, header="file,label,split"))
    assert len(data.test) == 8 and "column 'split' says the splits: 16 train, 8 test" in notes(data)
    (folder / "labels.csv").unlink()
    for name, part in (("train.csv", rows[:16]), ("val.csv", rows[16:20]), ("test.csv", rows[20:])):
        table(folder, [row.rpartition(",")[0] for row in part], name)
    data = allotrope.read(folder)
    assert [len(data.splits[name]) for name in ("train", "validation", "test")] == [16, 4, 4]
    table(folder, [row.partition(",")[0] for row in rows[20:]], "test.csv", header="file")
    assert "'test.csv' has no column 'label' and is left out" in notes(allotrope.read(folder))


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (
            lambda rows: ("file;label", [row.replace(",", ";") for row in rows], "utf-8"),
            "semicolons",
        ),
        (
            lambda rows: ("file,label", [row.replace("cat", "chät") for row in rows], "cp1252"),
            "cp1252",
        ),
        (lambda rows: ("file,label", rows, "utf-16"), "utf-16"),
        (lambda rows: (rows[0], rows[1:], "utf-8"), "no header"),
        (
            lambda rows: (
                "file,label",
                [f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in rows],
                "utf-8",
            ),
            "label",
        ),
        (lambda rows: ("file,label,", [row + "," for row in rows], "utf-8"), "label"),
    ],
)
def test_tables_as_they_are_written(tmp_path, change, note):
    folder = pictures(tmp_path / "set")
    rows = [f"p{i}.png,{'cat' if i % 2 else 'dog'}" for i in range(COUNT)]
    header, rows, encoding = change(rows)
    data = allotrope.read(table(folder, rows, header=header, encoding=encoding))
    assert sum(map(len, data.splits.values())) == COUNT and note in notes(data)


def test_class_folders_come_first_and_a_table_that_is_asked_for_wins(tmp_path):
    names = [f"{'ab'[i % 2]}/p{i}.png" for i in range(COUNT)]
    folder = pictures(tmp_path / "set", names)
    table(folder, [f"{name},{i / 4}" for i, name in enumerate(names)], header="file,size")
    by_folders = allotrope.read(folder)
    assert by_folders.tasks[0].classes == ("a", "b")
    assert "'labels.csv' names pictures too" in notes(by_folders)
    assert allotrope.read(folder, target="size").tasks[0].kind == "regression"


# --- what is refused


def test_pictures_that_are_not_there_or_lie_outside_are_all_named(tmp_path):
    folder = pictures(tmp_path / "set")
    pictures(tmp_path, ["secret.png"])
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "inside.png").symlink_to(folder / "p1.png")
    os.symlink(tmp_path, folder / "up", target_is_directory=True)
    good = [f"p{i}.png,{i % 2}" for i in range(COUNT)] + ["inside.png,1"]
    bad = [
        "gone.png,0",
        "../secret.png,1",
        f"{tmp_path / 'secret.png'},1",
        "C:\\pictures\\p1.png,0",
        "link.png,0",
        "up/secret.png,0",
        "https://example.com/p.png,1",
        "sub/../../secret.png,0",
        ",1",
    ]
    message = error_of(table(folder, good + bad))
    lines = message.split("\n")
    assert "'gone.png' (line 27) name pictures that are not there" in message
    outside = next(line for line in lines if "outside of the folder" in line)
    assert all(part in outside for part in ("'../secret.png'", "C:\\", "sub/../..", "(line 29)"))
    links = next(line for line in lines if "lead out of the folder" in line)
    assert "'link.png'" in links and "'up/secret.png'" in links
    assert "line 35 name no picture" in message and "nothing is downloaded" in message
    assert allotrope.read(table(folder, good)).train.origin is not None


def test_pictures_of_one_name_in_several_folders_are_not_guessed(tmp_path):
    names = [f"{side}/p{i}.png" for side in "ab" for i in range(COUNT)]
    folder = pictures(tmp_path / "set", names)
    rows = [f"p{i}.png,{i % 2}" for i in range(COUNT)]
    assert "lie in several folders" in error_of(table(folder, rows))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["no rows"]),
        (b"file,label\n", ["a header and no rows"]),
        (
            b"file,label\np1.png,1\np2.png\np3.png,1,2\n",
            ["rows differ in length", "line 3 has 1, line 4 has 3"],
        ),
        (b'file,label\np1.png,"1\np2.png,0\n', ["cannot be read after line 1", "in quotes"]),
        (b"file,label\np1.png,1\0\n", ["zero bytes"]),
        (b"file,file\np1.png,1\n", ["several columns are called 'file'"]),
    ],
)
def test_broken_tables(tmp_path, content, words):
    folder = pictures(tmp_path / "set")
    (folder / "labels.csv").write_bytes(content)
    message = error_of(folder / "labels.csv")
    assert all(word in message for word in ["labels.csv", *words])


def test_a_cell_that_is_very_long_makes_no_column_as_wide(tmp_path):
    folder = pictures(tmp_path / "set")
    rows = [f"p{i}.png,{i % 2},{'x' * (100_000 if i == 3 else 9)}" for i in range(COUNT)]
    path = table(folder, rows, header="file,label,story")
    assert "--input story=text takes it too" in notes(allotrope.read(path))
    assert "'story' holds texts of more than 1,000 characters" in error_of(path, target="story")


def test_texts_among_numbers_name_their_rows(tmp_path):
    folder = pictures(tmp_path / "set")
    rows = [f"p{i}.png,{i + 0.5},{'tall' if i == 4 else i / 2}" for i in range(COUNT)]
    path = table(folder, rows, header="file,age,height")
    message = error_of(path, target="height")
    assert "'height' holds numbers, but texts in some rows: 'tall' (line 6)" in message
    assert "--task height=classification" in message
    assert "'tall' (line 6)" in error_of(path, task="height=regression")
    assert "'tall' (line 6)" in error_of(path, target="age", input="height=table")


def test_missing_and_infinite_targets_name_their_rows(tmp_path):
    folder = pictures(tmp_path / "set")
    rows = [
        f"p{i}.png,{'' if i == 2 else 'ab'[i % 2]},{'inf' if i == 7 else i / 3}"
        for i in range(COUNT)
    ]
    path = table(folder, rows, header="file,kind,size")
    assert "'size' holds infinite numbers, or too large ones: 'inf' (line 9)" in error_of(
        path, target="size"
    )


def test_columns_that_are_asked_for_have_to_be_there_and_fit(tmp_path):
    folder = pictures(tmp_path / "set")
    path = table(folder, [f"p{i}.png,{i % 2},{i}" for i in range(COUNT)], header="file,label,age")
    message = error_of(path, UsageError, target="nothing", input="label=table,other=image")
    assert "no column 'nothing'" in message and "no column 'other'" in message
    message = error_of(path, UsageError, target="label", input="label=table")
    assert "'label' is asked for as an input and as a target" in message
    message = error_of(path, target="age", task="age=regression", input="label=image")
    assert "rows whose 'label' is no picture" in message
    assert "'foo' is no kind for 'age'" in error_of(path, UsageError, task="age=foo")
    assert "'age' is no NAME=KIND" in error_of(path, UsageError, task="age")


def test_what_may_be_classes_or_a_quantity_is_asked_for(tmp_path):
    folder = pictures(tmp_path / "set", [f"p{i}.png" for i in range(60)])
    path = table(folder, [f"p{i}.png,{i % 20}" for i in range(60)], header="file,age")
    message = error_of(path)
    assert "20 different whole numbers from 0 to 19, which may be classes or a quantity" in message
    assert "--task age=classification" in message and "--task age=regression" in message
    assert allotrope.read(path, task="age=regression").tasks[0].kind == "regression"
    assert allotrope.read(path, task="age=classification").tasks[0].size == 20
