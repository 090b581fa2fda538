"""Arrays under every usual name, in `.npz` and `.npy` files, and labels in every usual form."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import DataOptions
from allotrope.data import read_data
from allotrope.data.sources.arrays.array_names import array_name, shared_words
from allotrope.errors import DataError
from read_sources import notes

IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
LABELS = np.arange(60) % 3
SOME, SOME_LABELS = IMAGES[:20], LABELS[:20]


def read(folder, arrays, **options):
    np.savez(folder / "some.npz", **arrays)
    return read_data(folder / "some.npz", DataOptions(**options))


def error_of(folder, arrays):
    with pytest.raises(DataError) as caught:
        read(folder, arrays)
    return str(caught.value)


def sizes(data):
    return [len(part) for part in (data.train, data.validation, data.test)]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("X_train", "y_train"),
        ("X_TRAIN", "Y_TRAIN"),
        ("trainX", "trainY"),
        ("train_x", "train_y"),
        ("x_tr", "y_tr"),
        ("xtrain", "ytrain"),
        ("XTrain", "YTrain"),
        ("images", "labels"),
        ("Images", "Labels"),
        ("x", "y"),
        ("X", "Y"),
        ("data", "target"),
        ("data", "labels"),
        ("features", "targets"),
        ("inputs", "outputs"),
        ("img", "label"),
        ("images", "classes"),
        ("train_data", "train_labels"),
        ("train_dataset", "train_labels"),
        ("trainImages", "trainLabels"),
        ("training_images", "training_labels"),
        ("images_train", "labels_train"),
        ("train_set_x_orig", "train_set_y_orig"),
        ("mnist_x_train", "mnist_y_train"),
        ("arr_0", "arr_1"),
        ("arr_1", "arr_0"),
    ],
)
def test_usual_names(tmp_path, images, labels):
    data = read(tmp_path, {images: IMAGES, labels: LABELS})
    assert sizes(data) == [42, 6, 12] and data.tasks[0].classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("val", [60, 20, 20]),
        ("valid", [60, 20, 20]),
        ("dev", [60, 20, 20]),
        ("validate", [60, 20, 20]),
        ("eval", [60, 20, 20]),
    ],
)
def test_usual_names_of_splits(tmp_path, split, expected):
    arrays = {"X_train": IMAGES, "y_train": LABELS, "X_te": SOME, "y_te": SOME_LABELS}
    assert (
        sizes(read(tmp_path, arrays | {f"X_{split}": SOME, f"y_{split}": SOME_LABELS})) == expected
    )


@pytest.mark.parametrize(
    "order", [(IMAGES, LABELS, SOME, SOME_LABELS), (IMAGES, SOME, LABELS, SOME_LABELS)]
)
def test_arrays_without_names_are_told_by_their_shapes(tmp_path, order):
    data = read(tmp_path, {f"arr_{place}": array for place, array in enumerate(order)})
    assert sizes(data) == [54, 6, 20] and np.array_equal(data.test["image"][..., 0], SOME)
    assert "arrays without names, told by their shapes: train is arr_0" in notes(data)


@pytest.mark.parametrize(
    "order",
    [
        (IMAGES, LABELS, IMAGES, LABELS),
        (SOME, SOME_LABELS, IMAGES, LABELS),
        (IMAGES, LABELS, SOME, SOME_LABELS, SOME[:9], SOME_LABELS[:9]),
        (IMAGES, SOME_LABELS),
        (IMAGES,),
    ],
)
def test_arrays_that_cannot_be_told_apart_are_listed(tmp_path, order):
    message = error_of(tmp_path, {f"arr_{place}": array for place, array in enumerate(order)})
    assert "cannot tell which" in message
    assert f"arr_0 [{len(order[0])}, 8, 8] uint8" in message
    assert "Expected x_train" in message


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"images": IMAGES, "x": IMAGES, "y": LABELS},
            ["images, x may each be the images of train", "y [60] int64"],
        ),
        ({"x": IMAGES, "y": LABELS, "labels": LABELS}, ["y, labels may each be the labels"]),
        ({"x": IMAGES, "y": LABELS, "x_train": IMAGES, "y_train": LABELS}, ["which to learn from"]),
        (
            {"x_train": IMAGES, "fine_labels": LABELS, "coarse_labels": LABELS},
            ["no labels of train", "fine_labels [60]"],
        ),
        (
            {"foo": IMAGES, "bar": LABELS[:9]},
            ["foo [60, 8, 8] uint8, bar [9] int64", "in any case"],
        ),
        (
            {"x": np.moveaxis(IMAGES, 0, -1), "y": LABELS},
            ["along the last axis", "numpy.moveaxis(x, -1, 0)"],
        ),
        ({"x": IMAGES, "y": np.ones((60, 3))}, ["one class per image"]),
        (
            {"x": IMAGES, "y": LABELS + 0.5, "class_names": np.array(["a", "b", "c"])},
            ["whole class number"],
        ),
        ({"x": IMAGES, "y": LABELS, "class_names": np.array(["a", "b"])}, ["0 to 2", "2 names"]),
    ],
)
def test_what_may_be_read_in_two_ways_is_listed(tmp_path, arrays, words):
    message = error_of(tmp_path, arrays)
    assert all(word in message for word in ["some.npz", *words])


def test_of_several_arrays_those_shaped_like_images_are_read(tmp_path):
    arrays = {
        "images": IMAGES,
        "data": IMAGES.reshape(60, -1),
        "target": LABELS,
        "target_names": np.array(list("abc")),
    }
    data = read(tmp_path, arrays)
    assert data.tasks[0].classes == ("a", "b", "c")
    assert "left out: data [60, 64] uint8" in notes(data)


def test_a_bunch_of_scikit_learn_is_read(tmp_path):
    from sklearn.datasets import load_digits

    digits = load_digits()
    arrays = {name: value for name, value in digits.items() if value is not None}
    data = read(tmp_path, arrays)
    assert data.train["image"].shape[1:] == (8, 8, 1)
    assert data.tasks[0].classes == tuple("0123456789")


def test_what_has_no_labels_is_left_out_and_said(tmp_path):
    data = read(
        tmp_path,
        {
            "x_train": IMAGES,
            "y_train": LABELS,
            "x_test": SOME,
            "x_unlabeled": SOME + 1,
            "x_pred": SOME,
            "ids": np.arange(60),
        },
    )
    assert len(data.splits["unlabelled"]) == 20 and "'x_test' has no labels" in notes(data)
    assert "x_pred [20, 8, 8] uint8, ids [60] int64" in notes(data)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LABELS[None], ("0", "1", "2")),
        (LABELS[:, None], ("0", "1", "2")),
        (np.eye(3, dtype=bool)[LABELS], ("0", "1", "2")),
        (LABELS.astype(np.float32), ("0", "1", "2")),
        (LABELS.astype(">i8"), ("0", "1", "2")),
        (LABELS + 1, ("1", "2", "3")),
        (LABELS > 0, ("0", "1")),
        (np.array(["a", "b", "c"])[LABELS], ("a", "b", "c")),
        (np.array([b"caf\xe9", "ä".encode(), b"a"])[LABELS], ("a", "café", "ä")),
        (LABELS * 2 - 1, ("-1", "1", "3")),
    ],
)
def test_labels_in_every_form(tmp_path, labels, classes):
    assert read(tmp_path, {"x": IMAGES, "y": labels}).tasks[0].classes == classes


def test_texts_and_bytes_are_the_same_names_and_numbers_are_not(tmp_path):
    texts = np.array(["käse", "b", "c"])[LABELS]
    arrays = {"x_train": IMAGES, "y_train": texts, "x_test": SOME}
    coded = np.array([text.encode("latin-1") for text in texts[:20]])
    assert read(tmp_path, arrays | {"y_test": coded}).tasks[0].classes == ("b", "c", "käse")
    message = error_of(tmp_path, arrays | {"y_test": SOME_LABELS})
    assert "labels are texts and numbers: train texts, test numbers" in message


def test_numbers_from_one_are_the_names_in_their_order(tmp_path):
    data = read(tmp_path, {"x": IMAGES, "y": LABELS + 1, "class_names": np.array(list("abc"))})
    assert data.tasks[0].classes == ("a", "b", "c") and "labels go from 1 to 3" in notes(data)
    assert (
        sum(data.summary["class_counts"][split]["a"] for split in ("train", "validation", "test"))
        == 20
    )


def test_one_image_in_a_class_is_enough_if_all_splits_are_there(tmp_path):
    labels = LABELS.copy()
    labels[0] = 9
    splits = {"train": (IMAGES, labels), "val": (SOME, SOME_LABELS), "test": (SOME, SOME_LABELS)}
    arrays = {
        f"{kind}_{split}": pair[place]
        for split, pair in splits.items()
        for place, kind in enumerate("xy")
    }
    assert read(tmp_path, arrays).summary["class_counts"]["train"]["9"] == 1
    del arrays["x_val"], arrays["y_val"]
    assert "'9' has 1. Expected at least 2 of each for training and validation" in error_of(
        tmp_path, arrays
    )


def save(folder, **arrays):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


def test_files_of_one_array_each(tmp_path):
    save(
        tmp_path / "set" / "inner", X_train=IMAGES, y_train=LABELS, X_test=SOME, y_test=SOME_LABELS
    )
    data = read_data(tmp_path)
    assert sizes(data) == [54, 6, 20] and data.name == "inner"


@pytest.mark.parametrize("names", [("train", "test"), ("kmnist-train", "kmnist-test")])
def test_an_archive_for_each_split(tmp_path, names):
    np.savez(tmp_path / f"{names[0]}.npz", x=IMAGES, y=LABELS)
    np.savez(tmp_path / f"{names[1]}.npz", x=SOME, y=SOME_LABELS)
    assert sizes(read_data(tmp_path)) == [54, 6, 20]


def test_an_archive_for_each_array(tmp_path):
    for name, array in (
        ("train-imgs", IMAGES),
        ("train-labels", LABELS),
        ("test-imgs", SOME),
        ("test-labels", SOME_LABELS),
    ):
        np.savez_compressed(tmp_path / f"k49-{name}.npz", array)
    assert sizes(read_data(tmp_path)) == [54, 6, 20]


def test_several_data_sets_are_named(tmp_path):
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", x=IMAGES, y=LABELS)
    with pytest.raises(
        DataError, match=r"several data sets \(a\.npz, b\.npz\)\. Name one of the files"
    ):
        read_data(tmp_path)
    assert read_data(tmp_path / "a.npz").name == "a"


def test_several_kinds_of_data_are_named_and_a_layout_chooses_the_pictures(tmp_path):
    from PIL import Image

    np.savez(tmp_path / "some.npz", x=IMAGES, y=LABELS)
    for number, image in enumerate(IMAGES):
        (tmp_path / str(LABELS[number])).mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / str(LABELS[number]) / f"{number}.png")
    with pytest.raises(
        DataError,
        match=r"folders of pictures, and files of arrays in .*some\.npz.*--layout classes",
    ):
        read_data(tmp_path)
    assert read_data(tmp_path, DataOptions(layout="classes")).train.origin is not None
    assert read_data(tmp_path / "some.npz").train.origin is None
    (tmp_path / "some.npz").unlink()
    save(tmp_path, embeddings=IMAGES)
    assert read_data(tmp_path).train.origin is not None


def test_options_for_pictures_are_said_to_be_unused(tmp_path):
    options = {"layout": "splits", "image_size": 32}
    assert "layout 'splits' is for folders of pictures" in notes(
        read(tmp_path, {"x": IMAGES, "y": LABELS}, **options)
    )
    digits = read_data("digits", DataOptions(value_range=(0, 16)))
    assert "that of digits is known" in notes(digits)


def test_a_run_folder_beside_an_archive_is_no_data(tmp_path):
    from PIL import Image

    np.savez(tmp_path / "some.npz", x=IMAGES, y=LABELS)
    pictures = tmp_path / "runs" / "some-1" / "pictures"
    pictures.mkdir(parents=True)
    (pictures.parent / "run.json").write_text('{"schema": 1, "status": "done"}')
    Image.fromarray(IMAGES[0]).save(pictures / "mistake-00.png")
    assert read_data(tmp_path).name == "some"


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00\xff\xff{", b"x" * 200]
)
def test_a_damaged_npy_is_named(tmp_path, content):
    (tmp_path / "x_train.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"x_train\.npy: not a readable \.npy file"):
        read_data(tmp_path / "x_train.npy")


def test_a_header_that_promises_too_much_is_refused_before_memory_is_asked_for(tmp_path):
    np.save(tmp_path / "y_train.npy", LABELS)
    with (tmp_path / "x_train.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (60, 10**7, 10**7)}
        )
    with pytest.raises(DataError, match="PB of memory"):
        read_data(tmp_path)


@pytest.mark.parametrize(
    ("name", "role", "split"),
    [
        ("Yte", "labels", "test"),
        ("image_labels", "labels", None),
        ("label_names", "names", None),
        ("x_unlabeled", "images", "unlabelled"),
    ],
)
def test_what_names_say(name, role, split):
    meaning = array_name(name)
    assert (meaning.role, meaning.split) == (role, split)


@pytest.mark.parametrize(
    "name",
    ["fine_labels", "x_mean", "ids", "X1", "arr_0", "filenames", "image_names", "train_test", ""],
)
def test_what_names_do_not_say(name):
    assert array_name(name) is None


def test_words_that_all_names_share():
    assert shared_words(["kmnist-train-imgs", "kmnist-test-imgs"]) == {"kmnist"}
    assert shared_words(["x_train", "x_test"]) == frozenset() == shared_words(["kmnist"])
