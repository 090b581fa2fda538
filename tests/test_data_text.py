"""Class names and file names in whatever encoding other systems wrote."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from allotrope.data import read_data
from allotrope.data.encodings import decoded, read_class_names
from allotrope.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
LABELS = (np.arange(60) % 3).astype(np.uint8)
TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
QMNIST = np.stack([LABELS, *[np.arange(60)] * 7], 1).astype(np.int32)


def write_idx(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = TYPES[array.dtype.str[1:]]
    data = (
        struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def mnist(
    folder,
    images="train-images-idx3-ubyte.gz",
    labels="train-labels-idx1-ubyte.gz",
    x=IMAGES,
    y=LABELS,
):
    write_idx(folder / images, x)
    write_idx(folder / labels, y)
    return folder


@pytest.mark.parametrize(
    "code",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_class_names_in_every_encoding(tmp_path, code, end):
    (mnist(tmp_path) / "class_names.txt").write_bytes(
        end.join(["äpfel", "birne", "kirsche", ""]).encode(code)
    )
    data = read_data(tmp_path)
    assert data.tasks[0].classes == ("äpfel", "birne", "kirsche")
    assert any("read as" in note for note in data.summary["notes"]) == (
        code not in ("utf-8", "utf-8-sig")
    )


@pytest.mark.parametrize("name", ["class_names.txt", "classes.txt", "labels.txt", "names.txt"])
def test_usual_names_of_lists(tmp_path, name):
    (mnist(tmp_path) / name).write_text("a\nb\nc\n")
    assert read_data(tmp_path).tasks[0].classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0 cat\n1 dog\n", ("cat", "dog")),
        ("1: cat\n2: dog\n", ("cat", "dog")),
        ("0,cat\n1,dog\n", ("cat", "dog")),
        ("7 up\n8 ball\n", ("7 up", "8 ball")),
        ("0\n1\n", ("0", "1")),
        ("0 cat\ndog\n", ("0 cat", "dog")),
        ("\n a \n\nb\x85c\n", ("a", "b\x85c")),
    ],
)
def test_numbers_that_count_lines_are_no_names(tmp_path, text, names):
    (tmp_path / "names.txt").write_text(text, encoding="utf-8", newline="")
    notes = []
    assert read_class_names(tmp_path / "names.txt", notes) == names
    assert bool(notes) == (names == ("cat", "dog"))


@pytest.mark.parametrize(
    ("text", "words"), [("a\nb\na\n", "names a class twice: a"), ("\n\n", "holds no class names")]
)
def test_lists_that_name_no_classes(tmp_path, text, words):
    (mnist(tmp_path) / "labels.txt").write_text(text)
    with pytest.raises(DataError, match=words):
        read_data(tmp_path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"caf\xe9", "café"),
        (b"\x80\x99", "€™"),
        (b"\x81", "\x81"),
        (b"", ""),
        ("日本".encode(), "日本"),
        (b"ab", "ab"),
    ],
)
def test_bytes_of_unknown_encoding(data, text):
    assert decoded(data)[0] == text


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte"),
        ("train_images.idx3", "train_labels.idx1"),
        ("train-images.idx", "train-labels.idx"),
        ("Train-Images-IDX3-ubyte.gz", "Train-Labels-IDX1-ubyte.gz"),
        ("train-images-idx3-ubyte (1).gz", "train-labels-idx1-ubyte.gz"),
        ("xnist-images-idx3-ubyte", "xnist-labels-idx1-ubyte"),
        ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters-train-labels-idx1-ubyte.gz"),
        ("MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte"),
    ],
)
def test_idx_files_by_any_usual_name(tmp_path, images, labels):
    data = read_data(mnist(tmp_path, images, labels))
    assert len(data.train) + len(data.validation) + len(data.test) == 60


def test_qmnist_has_the_class_in_the_first_of_eight_columns(tmp_path):
    for split in ("train", "test"):
        mnist(
            tmp_path,
            f"qmnist-{split}-images-idx3-ubyte.gz",
            f"qmnist-{split}-labels-idx2-int.gz",
            y=QMNIST,
        )
    data = read_data(tmp_path)
    assert np.array_equal(data.test["label"], LABELS) and data.name == "qmnist"
    assert any("8 columns" in note for note in data.summary["notes"])


def test_a_file_that_is_there_zipped_and_plain_is_read_once(tmp_path):
    mnist(tmp_path)
    mnist(tmp_path, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    assert len(read_data(tmp_path).train) == 42
    mnist(tmp_path, "train-images-idx3-ubyte(1)")
    with pytest.raises(DataError, match="already from another file"):
        read_data(tmp_path)


def test_of_several_data_sets_one_file_names_one(tmp_path):
    for name in ("letters", "digits"):
        mnist(
            tmp_path,
            f"emnist-{name}-train-images-idx3-ubyte.gz",
            f"emnist-{name}-train-labels-idx1-ubyte.gz",
        )
    with pytest.raises(
        DataError, match=r"2 data sets \(emnist-digits, emnist-letters\)\. Name one of the files"
    ) as caught:
        read_data(tmp_path)
    named = str(caught.value).split("such as ")[1].rstrip(".")
    assert read_data(named).name == "emnist-digits"
    assert any("on their side" in note for note in read_data(named).summary["notes"])


@pytest.mark.parametrize(
    ("images", "value_range"),
    [
        ((IMAGES / 255).astype(np.float32), None),
        (IMAGES.astype(np.int16) * 16, True),
        (IMAGES.astype(np.int32), None),
    ],
)
def test_idx_of_every_type_of_number(tmp_path, images, value_range):
    data = read_data(mnist(tmp_path, x=images, y=LABELS.astype(np.int32)))
    assert data.train["image"].max() == 255
    assert bool(data.summary["value_range"]) == bool(value_range)


def test_sets_in_several_folders_are_named(tmp_path):
    for name in ("MNIST", "Fashion"):
        mnist(tmp_path / name / "raw")
    with pytest.raises(
        DataError, match=r"several folders: .*Fashion/raw .*MNIST/raw .*Name one of the folders"
    ):
        read_data(tmp_path)
    assert len(read_data(tmp_path / "MNIST").train) == 42
