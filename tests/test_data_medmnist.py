"""MedMNIST's files as they are: pictures and volumes; one class, several findings, grades."""

from __future__ import annotations

import numpy as np
import pytest

import allotrope
from allotrope.data.recognize.frame import holds_voxels
from allotrope.errors import UsageError
from quick import fit
from read_sources import error_of, notes

COUNTS = {"train": 60, "val": 18, "test": 24}
RANDOM = np.random.default_rng(0)


def saved(path, shape, labels, images=None):
    """A file with the keys and types of MedMNIST v2."""
    arrays = {}
    for split, count in COUNTS.items():
        arrays[f"{split}_labels"] = labels(count).astype(np.uint8)
        pixels = RANDOM.integers(0, 200, (count, *shape), np.uint8)
        arrays[f"{split}_images"] = pixels if images is None else images(pixels, labels(count))
    np.savez(path, **arrays)
    return path


def one_of(classes):
    return lambda count: (np.arange(count) % classes)[:, None]


def findings(count):
    return np.random.default_rng(count).random((count, 14)) < 0.2


def test_pictures_of_one_class(tmp_path):
    data = allotrope.read(saved(tmp_path / "pathmnist.npz", (9, 9, 3), one_of(9)))
    assert [len(data.splits[name]) for name in ("train", "validation", "test")] == [60, 18, 24]
    assert data.inputs[0].kind == "image" and data.tasks[0].size == 9
    grades = allotrope.read(saved(tmp_path / "retinamnist.npz", (9, 9, 3), one_of(5)))
    assert grades.tasks[0].classes == ("0", "1", "2", "3", "4")
    said = "5 classes by number, taken as classes without an order; of grades --loss ordinal"
    assert said in notes(grades)
    assert "quadratic_kappa" not in notes(data)
    judged = allotrope.read(tmp_path / "retinamnist.npz", metric={"label": "quadratic_kappa"})
    assert judged.tasks[0].metric.name == "quadratic_kappa"


def test_several_findings_are_a_task_of_flags(tmp_path):
    data = allotrope.read(saved(tmp_path / "chestmnist.npz", (9, 9), findings))
    (task,) = data.tasks
    assert (task.kind, task.size, data.inputs[0].name) == ("multilabel", 14, "image")
    assert np.array_equal(data.test["label"], findings(24))
    one_hot = saved(tmp_path / "hot.npz", (9, 9), lambda n: np.eye(3)[np.arange(n) % 3])
    assert allotrope.read(one_hot).tasks[0].kind == "classification"


@pytest.mark.parametrize("shape", [(8, 8, 8), (7, 8, 9), (1, 7, 8, 9), (7, 8, 9, 1)])
def test_volumes(tmp_path, shape):
    data = allotrope.read(saved(tmp_path / "organmnist3d.npz", shape, one_of(2)))
    (volume,), (task,) = data.inputs, data.tasks
    sides = tuple(side for side in shape if side > 1)
    assert (volume.name, volume.shape, volume.spacing) == ("volume", sides, (1, 1, 1))
    assert data.train["volume"].dtype == np.float32 and data.train["volume"].shape[1:] == sides
    assert task.classes == ("0", "1")
    assert "voxels for cubes of 1 mm, as arrays do not say" in notes(data)


def test_what_is_voxels_and_what_channels():
    for shape in (
        (5, 8, 8, 3),
        (5, 3, 8, 8),
        (5, 1, 8, 8),
        (5, 8, 8),
        (5, 2, 8, 8),
        (5, 2, 8, 8, 2),
    ):
        assert not holds_voxels(np.zeros(shape, np.uint8)), shape
    for shape in ((5, 8, 8, 8), (5, 9, 8, 7), (5, 1, 8, 8, 8), (5, 8, 8, 8, 1)):
        assert holds_voxels(np.zeros(shape, np.float32)), shape
    assert not holds_voxels(np.zeros((5, 8, 8, 8), "U1"))


def test_columns_in_memory_and_what_does_not_fit():
    x = RANDOM.normal(size=(40, 6, 6, 7))
    columns = {"scan": x, "facts": RANDOM.normal(size=(40, 3)), "age": RANDOM.normal(size=40)}
    data = allotrope.read(columns, target="age")
    assert [each.kind for each in data.inputs] == ["volume", "table"]
    window = allotrope.read(columns, target="age", value_range=(-2.0, 2.0)).inputs[0].window
    assert window == (-2.0, 2.0)
    x[3, 0, 0, 0] = np.nan
    assert "'scan' holds values that are no numbers, in row 3" in error_of(columns, target="age")
    parts = {"train": {"scan": x[:20, :5], "age": x[:20, 0, 0, 1]}, "test": {}}
    parts["test"] = {"scan": x[20:], "age": x[20:, 0, 0, 1]}
    parts["train"]["scan"] = np.nan_to_num(parts["train"]["scan"])
    assert "volumes of 5x6x7 and 6x6x7; expected one size" in error_of(parts, target="age")
    with pytest.raises(UsageError, match="--input scan=image: it holds voxels"):
        allotrope.read({"scan": x, "age": columns["age"]}, target="age", input={"scan": "image"})


def brighter(pixels, labels):
    pixels[labels[:, 0] == 1, 2:6, 2:6, 2:6] = 255
    return pixels


def test_fit_learns_them_and_predicts_arrays(tmp_path):
    path = saved(tmp_path / "nodulemnist3d.npz", (8, 8, 8), one_of(2), brighter)
    options = {"epochs": 6, "threads": 1, "quiet": True, "out": tmp_path / "runs", "max_drop": 100}
    run = fit(path, **options)
    assert run.json["test"]["accuracy"] > 0.9
    with np.load(path) as arrays:
        rows = run.predict({"volume": arrays["test_images"]})
    assert np.mean(rows.probabilities["label"].argmax(1) == one_of(2)(24)[:, 0]) > 0.9
