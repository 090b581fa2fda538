"""Folders of pictures: layouts, odd contents, sizes, and unreadable files."""

from __future__ import annotations

import os
import tarfile
import zlib

import numpy as np
import pytest
from PIL import Image

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.sources.pictures.decode_pictures import choose_size
from allotrope.data.sources.pictures.decoder import Decoder
from allotrope.errors import DataError, UsageError
from allotrope.inputs.image.pictures import Header, read_header


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ALLOTROPE_CACHE", str(folder))
    return folder


def pictures(folder, count=10, value=0, size=(8, 8), mode="RGB", suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(zlib.crc32(f"{folder.parent.name} {folder.name} {value}".encode()))
    for number in range(count):
        pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{number:03}{suffix}")


def classes(root, names=("cat", "dog"), **options):
    for value, name in enumerate(names):
        pictures(root / name, value=value, **options)
    return root


def error_of(source, options=None):
    with pytest.raises(DataError) as caught:
        read_data(source, options)
    return str(caught.value)


def test_class_folders(tmp_path):
    lines = []
    data = read_data(classes(tmp_path / "pets", ("dog", "cat", "äpfel 🍎")), report=lines.append)
    assert data.name == "pets"
    assert data.tasks[0].classes == ("cat", "dog", "äpfel 🍎")
    assert data.train["image"].shape[1:] == (8, 8, 3)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [21, 3, 6]
    for split in (data.train, data.validation, data.test):
        for image, label, file in zip(split["image"], split["label"], split.origin, strict=True):
            assert file.split("/")[0] == data.tasks[0].classes[label]
            assert np.array_equal(image, np.asarray(Image.open(tmp_path / "pets" / file)))
    assert data.summary["modes"] == {"RGB": 30}
    assert data.summary["sizes"] == {
        "smallest": [8, 8],
        "largest": [8, 8],
        "distinct": 1,
    }
    assert lines[0].startswith("pets: 30 images in 3 classes: 21 train, 3 validation, 6 test")


@pytest.mark.parametrize(
    "names",
    [("train", "val", "test"), ("training", "validation", "testing"), ("Train", "valid", "Test")],
)
def test_split_folders(tmp_path, names):
    for count, name in zip((6, 2, 3), names, strict=True):
        classes(tmp_path / name, count=count)
    data = read_data(tmp_path)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [12, 4, 6]
    assert all(file.startswith(names[2] + "/") for file in data.test.origin)
    assert not any("split off" in note for note in data.summary["notes"])


def test_only_some_splits_given(tmp_path):
    classes(tmp_path / "train", count=10)
    classes(tmp_path / "test", count=2)
    data = read_data(tmp_path)
    assert [len(split) for split in (data.train, data.validation, data.test)] == [18, 2, 4]


def test_a_class_may_be_called_train(tmp_path):
    assert read_data(classes(tmp_path, ("plane", "train"))).tasks[0].classes == ("plane", "train")
    pictures(tmp_path / "train" / "steam")
    assert "--layout deepest" in error_of(tmp_path)
    assert read_data(tmp_path, DataOptions(layout="classes")).tasks[0].classes == ("plane", "train")


def test_odd_contents_are_ignored_and_counted(tmp_path):
    classes(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("hello")
    (tmp_path / "cat" / "._000.png").write_text("hidden")
    (tmp_path / ".thumbnails").mkdir()
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "loose.png")
    pictures(tmp_path / "cat" / "kittens" / "small", count=2, value=9)
    (tmp_path / "dog" / "loop").symlink_to(tmp_path / "dog")
    data = read_data(tmp_path, DataOptions(layout="classes"))
    assert data.summary["class_counts"]["train"] == {"cat": 9, "dog": 7}
    notes = " ".join(data.summary["notes"])
    assert "ignored 1 files" in notes
    assert ".txt 1" in notes
    assert "they hold no pictures: 'empty'" in notes
    assert "left out: 1 picture in no class folder" in notes


def test_names_that_are_not_utf8(tmp_path):
    classes(tmp_path)
    os.rename(os.fsencode(tmp_path / "cat"), os.fsencode(tmp_path) + b"/caf\xe9")
    data = read_data(tmp_path)
    assert data.tasks[0].classes == ("café", "dog")
    "".join(data.train.origin).encode()


def test_grey_folders_have_one_channel_and_one_colour_picture_makes_three(tmp_path):
    classes(tmp_path, mode="L")
    assert read_data(tmp_path).train["image"].shape[1:] == (8, 8, 1)
    pictures(tmp_path / "cat", count=1, value=5)
    assert read_data(tmp_path).train["image"].shape[1:] == (8, 8, 3)


def test_an_image_size_that_is_asked_for(tmp_path):
    classes(tmp_path, size=(50, 40))
    data = read_data(tmp_path, DataOptions(image_size=20))
    assert data.train["image"].shape[1:] == (20, 20, 3)
    assert data.summary["sizes"]["largest"] == [
        40,
        50,
    ]
    with pytest.raises(UsageError, match="image size 0"):
        read_data(tmp_path, DataOptions(image_size=0))


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(8, 8)], (8, 8)),
        ([(28, 20)] * 3, (28, 20)),
        ([(20, 30), (25, 25)], (32, 32)),
        ([(100, 130), (99, 99), (70, 900)], (96, 96)),
        ([(3000, 4000)] * 3, (128, 128)),
    ],
)
def test_the_size_is_chosen_from_the_data(sizes, chosen):
    assert choose_size([Header(size, "RGB", "PNG") for size in sizes], None)[0] == chosen


def test_few_unreadable_files_are_listed_and_left_out(tmp_path):
    classes(tmp_path, count=120)
    (tmp_path / "dog" / "050.png").write_bytes((tmp_path / "dog" / "051.png").read_bytes()[:100])
    (tmp_path / "cat" / "007.png").write_bytes(b"")
    lines = []
    data = read_data(tmp_path, report=lines.append)
    assert [entry["file"] for entry in data.summary["unreadable"]] == ["cat/007.png", "dog/050.png"]
    assert len(data.train) + len(data.validation) + len(data.test) == 238
    assert "files that could not be read: 2" in lines
    assert any("dog/050.png: damaged" in line for line in lines)
    for split in (data.train, data.validation, data.test):
        assert "dog/050.png" not in split.origin
        for image, file in zip(split["image"], split.origin, strict=True):
            assert np.array_equal(image, np.asarray(Image.open(tmp_path / file)))


def test_many_unreadable_files_end_it_with_the_whole_list(tmp_path):
    classes(tmp_path)
    for number in (3, 4):
        (tmp_path / "dog" / f"{number:03}.png").write_bytes(b"broken")
    (tmp_path / "cat" / "gone.png").symlink_to(tmp_path / "nowhere")
    # The beginning of a picture opens, and cannot be decoded.
    whole = (tmp_path / "cat" / "006.png").read_bytes()
    (tmp_path / "cat" / "005.png").write_bytes(whole[:100])
    message = error_of(tmp_path)
    assert "4 of 21 pictures cannot be read" in message
    assert all(name in message for name in ("dog/003.png", "dog/004.png", "cat/005.png"))
    assert "cat/gone.png: cannot be opened" in message


def test_names_for_another_format_are_said(tmp_path):
    classes(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "cat" / "wrong.jpg", format="PNG")
    notes = read_data(tmp_path).summary["notes"]
    assert any(
        "1 files are named for another format" in note and "cat/wrong.jpg" in note for note in notes
    )


def test_duplicates_across_splits_are_listed_by_file(tmp_path):
    for part in ("train", "val", "test"):
        classes(tmp_path / part)
    (tmp_path / "test" / "dog" / "copy.png").write_bytes(
        (tmp_path / "train" / "cat" / "004.png").read_bytes()
    )
    lines = []
    summary = read_data(tmp_path, report=lines.append).summary
    assert summary["duplicates_across_splits"] == 1
    assert summary["duplicates"] == [["train/cat/004.png", "test/dog/copy.png"]]
    assert any("different labels" in note for note in summary["notes"])
    assert "  train/cat/004.png = test/dog/copy.png" in lines


def test_folders_without_anything_to_learn(tmp_path):
    assert "found no pictures" in error_of(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "loose.png")
    assert "1 picture in no class folder" in error_of(tmp_path)
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.heic").write_bytes(b"heic")
    assert ".heic" in error_of(tmp_path)
    pictures(tmp_path / "dog")
    assert "only one class, 'dog'" in error_of(tmp_path)


def test_a_class_with_one_image(tmp_path):
    classes(tmp_path)
    pictures(tmp_path / "emu", count=1)
    pictures(tmp_path / "fox", count=2)
    assert "'emu' has 1, 'fox' has 2" in error_of(tmp_path)


def test_a_folder_too_high_is_read_all_the_same(tmp_path):
    classes(tmp_path / "inner")
    assert read_data(tmp_path).tasks[0].classes == ("cat", "dog")


def test_test_classes_that_training_does_not_know(tmp_path):
    classes(tmp_path / "train")
    classes(tmp_path / "test", ("cat", "wolf"))
    assert "test: wolf" in error_of(tmp_path)


def test_an_empty_split_folder(tmp_path):
    classes(tmp_path / "train")
    (tmp_path / "test" / "cat").mkdir(parents=True)
    assert f"{tmp_path / 'test'}: found no pictures" in error_of(tmp_path)


def test_pictures_beyond_memory_are_refused(tmp_path):
    message = error_of(classes(tmp_path), DataOptions(image_size=10**6))
    assert "of memory" in message and "Choose a smaller --image-size" in message


def test_progress_is_reported(tmp_path):
    files = sorted(classes(tmp_path).rglob("*.png"))
    lines = []
    decoder = Decoder(tmp_path, files, 2, lines.append, seconds=0)
    assert len(list(decoder.each(read_header, range(len(files)), "decoded"))) == len(files)
    assert any(line.startswith("decoded 20 of 20 pictures (") for line in lines)


@pytest.mark.shared
def test_photographs(shared, tmp_path):
    with tarfile.open(shared / "data" / "images" / "caltech101-12.tar") as archive:
        names = [name for name in archive.getnames() if "/car_side/" in name or "/watch/" in name]
        archive.extractall(tmp_path, [archive.getmember(name) for name in names], filter="data")
    data = read_data(tmp_path / "caltech101-12")
    assert data.train["image"].shape[1:] == (128, 128, 3)
    assert len(data.train) + len(data.validation) + len(data.test) == 123 + 239
    assert data.summary["modes"]["L"] >= 123
