"""`.npz` files, IDX folders and the built-in digits.

What is accepted, and what is refused with which words.
"""

from __future__ import annotations

import gzip
import struct
import zipfile

import numpy as np
import pytest

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.sources.arrays.unpacked import Unpacker
from allotrope.data.sources.idx import read_idx_file
from allotrope.errors import DataError, UsageError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (40, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(40) % 4


def npz(folder, **arrays):
    path = folder / "some.npz"
    np.savez(path, **arrays)
    return path


def whole(folder, x, y=LABELS, **more):
    return read_data(npz(folder, x_train=x, y_train=y, **more))


def all_images(data):
    return np.concatenate([data.train["image"], data.validation["image"], data.test["image"]])


def test_digits_are_all_there():
    lines = []
    data = read_data("digits", report=lines.append)
    assert data.name == "digits"
    assert data.train["image"].shape[1:] == (8, 8, 1)
    assert data.tasks[0].classes == tuple("0123456789")
    assert [len(split) for split in (data.train, data.validation, data.test)] == [1259, 179, 359]
    assert data.train["image"].dtype == np.uint8
    assert data.train["image"].max() == 255
    assert data.train["label"].dtype == np.int64
    assert data.summary["class_counts"]["test"]["3"] == 37
    assert any("split off by seed 0" in line for line in lines)


def test_arrays_keep_their_own_splits(tmp_path):
    path = npz(
        tmp_path,
        x_train=IMAGES,
        y_train=LABELS,
        x_test=IMAGES[:8],
        y_test=LABELS[:8],
        class_names=list("abcd"),
    )
    data = read_data(path, DataOptions(validation=0.2))
    assert data.name == "some"
    assert data.tasks[0].classes == ("a", "b", "c", "d")
    assert data.train["image"].shape[1:] == (6, 5, 3)
    assert np.array_equal(data.test["image"], IMAGES[:8])
    assert np.array_equal(data.test["label"], LABELS[:8])
    assert data.summary["class_counts"]["validation"] == {"a": 2, "b": 2, "c": 2, "d": 2}
    assert data.summary["duplicates_across_splits"] == 8
    assert data.summary["duplicates"][0][1].startswith(("validation", "test"))


def test_medmnist_names_and_column_labels(tmp_path):
    arrays = {f"{part}_images": IMAGES[..., 0] for part in ("train", "val", "test")}
    data = read_data(
        npz(
            tmp_path,
            **arrays,
            **{f"{part}_labels": LABELS[:, None] for part in ("train", "val", "test")},
        )
    )
    assert data.train["image"].shape[1:] == (6, 5, 1) and len(data.validation) == 40
    assert np.array_equal(data.validation["label"], LABELS)


def test_a_folder_with_one_npz_is_that_npz(tmp_path):
    npz(tmp_path, x_train=IMAGES, y_train=LABELS)
    assert read_data(tmp_path).name == "some"


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda x: x.transpose(0, 3, 1, 2), "[n, c, h, w]"),
        (lambda x: x.astype(np.float32), "float32, read as 0..255"),
        (lambda x: x / 255, "float64, read as 0..1"),
        (lambda x: x.astype(np.int64), "int64"),
        (lambda x: x.astype(np.uint16) * 257, "uint16"),
    ],
)
def test_other_layouts_and_dtypes_are_accepted_and_said(tmp_path, change, note):
    data = whole(tmp_path, change(IMAGES))
    assert np.array_equal(all_images(data), all_images(whole(tmp_path, IMAGES)))
    assert any(note in line for line in data.summary["notes"])


def test_shapes_without_channels(tmp_path):
    assert whole(tmp_path, IMAGES[..., 0]).train["image"].shape[1:] == (6, 5, 1)
    assert whole(tmp_path, IMAGES[..., :1]).train["image"].shape[1:] == (6, 5, 1)
    assert whole(tmp_path, IMAGES[..., :1].transpose(0, 3, 1, 2)).train["image"].shape[1:] == (
        6,
        5,
        1,
    )


def test_labels_as_texts_numbers_and_one_hot(tmp_path):
    assert whole(tmp_path, IMAGES, np.array(["dog", "cat", "emu", "bee"])[LABELS]).tasks[
        0
    ].classes == (
        "bee",
        "cat",
        "dog",
        "emu",
    )
    assert whole(tmp_path, IMAGES, LABELS * 3 + 1).tasks[0].classes == ("1", "4", "7", "10")
    one_hot = whole(tmp_path, IMAGES, np.eye(4)[LABELS])
    assert np.array_equal(one_hot.train["label"], whole(tmp_path, IMAGES).train["label"])


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x_train": IMAGES, "y_train": LABELS[:-1]}, ["40 images but 39 labels"]),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:4], "y_test": LABELS[:3]},
            ["test has 4 images but 3 labels"],
        ),
        ({"x_train": IMAGES}, ["'x_train' but no labels of train, such as 'y_train'"]),
        (
            {"y_test": LABELS, "x_train": IMAGES, "y_train": LABELS},
            ["'y_test' but no images of test, such as 'x_test'"],
        ),
        ({"pictures": IMAGES}, ["'pictures' but no labels"]),
        (
            {"a": IMAGES, "b": LABELS[:9]},
            ["Found a [40, 6, 5, 3] uint8, b [9] int64", "Expected x_train"],
        ),
        ({"x_test": IMAGES, "y_test": LABELS}, ["no training images"]),
        (
            {"x_train": IMAGES - 128.0, "y_train": LABELS},
            ["from -128", "normalization", "--value-range"],
        ),
        ({"x_train": IMAGES * np.nan, "y_train": LABELS}, ["nan"]),
        ({"x_train": IMAGES.astype("U3"), "y_train": LABELS}, ["dtype <U3"]),
        ({"x_train": IMAGES.reshape(40, -1), "y_train": LABELS}, ["shape [40, 90]", "[n, h, w]"]),
        (
            {"x_train": np.zeros((40, 6, 5, 4), np.uint8), "y_train": LABELS},
            ["four channels", "x[..., :3]"],
        ),
        ({"x_train": IMAGES, "y_train": LABELS + np.nan}, ["holds no label"]),
        ({"x_train": IMAGES, "y_train": np.ones((40, 3))}, ["shape [40, 3]"]),
        ({"x_train": IMAGES, "y_train": LABELS, "class_names": ["a", "b"]}, ["0 to 3", "2 names"]),
        ({"x_train": IMAGES, "y_train": LABELS, "class_names": ["a", "b", "b", "c"]}, ["twice: b"]),
        ({"x_train": IMAGES, "y_train": LABELS * 0}, ["only one class"]),
        ({"x_train": IMAGES, "y_train": np.minimum(np.arange(40), 1)}, ["'0' has 1", "at least 3"]),
        (
            {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, :4], "y_test": LABELS},
            ["differ in size", "[40, 4, 5, 3]"],
        ),
        ({"x_train": IMAGES[:0], "y_train": LABELS[:0]}, ["empty"]),
    ],
)
def test_what_does_not_fit_together_is_named(tmp_path, arrays, words):
    with pytest.raises(DataError) as caught:
        read_data(npz(tmp_path, **arrays))
    assert all(word in str(caught.value) for word in ["some", *words])


def test_pickled_objects_are_never_loaded(tmp_path):
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    path = npz(tmp_path, x_train=np.array([Hostile()], dtype=object), y_train=np.zeros(1))
    with pytest.raises(DataError, match=r"'x_train' holds pickled Python objects"):
        read_data(path)
    assert not ran.exists()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 broken"])
def test_a_damaged_npz_is_named(tmp_path, content):
    path = tmp_path / "some.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"some\.npz: not a readable \.npz file"):
        read_data(path)


def test_a_truncated_npz_is_named(tmp_path):
    path = npz(tmp_path, x_train=IMAGES, y_train=LABELS)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"some\.npz"):
        read_data(path)


def test_an_npz_larger_than_memory_is_refused_before_it_is_read(tmp_path):
    path = npz(tmp_path, y_train=LABELS)
    shape = (len(LABELS), 10**7, 10**7)
    with zipfile.ZipFile(path, "a") as archive, archive.open("x_train.npy", "w") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(DataError, match="of memory"):
        read_data(path)


def write_idx(path, array):
    data = (
        struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        + array.astype(np.uint8).tobytes()
    )
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def idx_folder(folder, suffix=".gz"):
    for part in ("train", "t10k"):
        write_idx(folder / f"{part}-images-idx3-ubyte{suffix}", IMAGES[..., 0])
        write_idx(folder / f"{part}-labels-idx1-ubyte{suffix}", LABELS)
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files(tmp_path, suffix):
    data = read_data(idx_folder(tmp_path, suffix))
    assert np.array_equal(data.test["image"][..., 0], IMAGES[..., 0])
    assert np.array_equal(data.test["label"], LABELS)
    assert data.tasks[0].classes == ("0", "1", "2", "3") and data.name == tmp_path.name


def test_idx_class_names(tmp_path):
    (idx_folder(tmp_path) / "class_names.txt").write_text(
        "Bag\nÄpfel\ncoat\nshoe\n", encoding="utf-8"
    )
    assert read_data(tmp_path).tasks[0].classes == ("Bag", "Äpfel", "coat", "shoe")


def test_idx_folder_without_labels(tmp_path):
    (idx_folder(tmp_path) / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="test has images but no labels"):
        read_data(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with nothing"),
        (b"\x89PNG....", "two zero bytes"),
        (b"\0\0\x0a\x01\0\0\0\x01", "type 0x0a"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends inside its header"),
        (b"\0\0\x08\x03\0\0", "ends inside its header"),
        (b"\0\0\x08\xff" + b"\xff" * 1020, "255 dimensions"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "found 3"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "found more"),
        (b"\0\0\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff", "of memory"),
        (gzip.compress(b"\0\0\x08\x01\0\0\0\x05abcde", mtime=0)[:-9], "cannot be read"),
    ],
)
def test_damaged_idx_files_are_named(tmp_path, content, words):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        read_idx_file(path, Unpacker(None, print))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("source", "words"),
    [("digit", "Did you mean 'digits'"), ("no/such/place", "no such file or folder")],
)
def test_a_missing_source(source, words):
    with pytest.raises(DataError, match=words):
        read_data(source)


def test_archives_are_not_extracted(tmp_path):
    path = tmp_path / "photos.zip"
    path.write_bytes(b"PK")
    with pytest.raises(DataError, match="extract it"):
        read_data(path)


@pytest.mark.parametrize(
    "options",
    [DataOptions(validation=0), DataOptions(test=1.0), DataOptions(validation=0.5, test=0.5)],
)
def test_fractions_out_of_range(options):
    with pytest.raises(UsageError, match="fractions"):
        read_data("digits", options)


def test_an_image_size_for_arrays_is_said_to_be_ignored():
    data = read_data("digits", DataOptions(image_size=32))
    assert data.train["image"].shape[1:] == (8, 8, 1)
    assert any("keep their 8x8" in note for note in data.summary["notes"])


@pytest.mark.shared
def test_real_data(shared):
    fashion = read_data(shared / "data" / "fashion-mnist")
    assert fashion.train["image"].shape[1:] == (28, 28, 1)
    assert len(fashion.train) == 54000
    assert len(fashion.test) == 10000
    lungs = read_data(shared / "data" / "medical")
    assert lungs.name == "pneumoniamnist"
    assert lungs.summary["class_counts"]["test"] == {
        "0": 234,
        "1": 390,
    }
    assert lungs.summary["duplicates_across_splits"] == 8
