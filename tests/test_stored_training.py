"""Trainings whose pictures lie on disk: the same run as with pictures in memory, in each place."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

import allotrope
from allotrope.architectures.text_networks import beside_linear
from allotrope.config import Recipe
from allotrope.data.store.stored_rows import StoredRows
from allotrope.frameworks import framework as find_framework
from allotrope.measure.candidates import Split, measure
from allotrope.measure.race.files import read_data as read_race_data
from allotrope.measure.race.files import write_inputs
from allotrope.network import zoo
from allotrope.network.rewriting.named_after import named_after
from allotrope.progress import Progress
from allotrope.training.loop import train
from alone import alone
from quick import ONE, fit, fit_with, one_candidate
from stored_pictures import TINY, hash_of_batches, pets
from stored_tables import held_and_stored, people, table_file
from stored_texts import csv_file, reviews
from tested import InEach

LIMIT = "ALLOTROPE_DATA_LIMIT"
QUICK = {"network": "mlp", "epochs": 3, "threads": 1, "quiet": True, "batch_size": 4}


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ALLOTROPE_CACHE", str(tmp_path / "store"))
    return tmp_path / "store"


def start_for(data):
    (image,), (task,) = data.inputs, data.tasks
    network = zoo.mlp(task.size, (image.channels, image.height, image.width), hidden=(8,))
    return named_after(image.prepare(network), [image.name], [task.name])


def network_for(data):
    """A small network for rows, whose scaling is made from training rows."""
    (table,), (task,) = data.inputs, data.tasks
    numbers = len(table.numbers)
    edges = zoo.quantile_edges(table.numbers_seen(data.train[table.name]), 4)
    style = zoo.TableStyle(hidden=(8,), members=2, pieces=4)
    others = table.features - numbers
    network = zoo.table_mlp({task.name: task.size}, numbers, others, edges, style, 0)
    outputs = [value.name for value in network.outputs]
    return table.prepare(named_after(network, [table.name], outputs))


def started(data, recipe):
    """What learns from texts: a linear model and their words are part of its beginning."""
    return beside_linear(data, data.inputs[0], "ngram", recipe, seed=0)


class TestInEachFramework(InEach):
    def test_weights_of_texts_are_the_same_from_disk(self, tmp_path, monkeypatch, name):
        path = csv_file(tmp_path, reviews())
        held = allotrope.read(path, cache_size=0)
        monkeypatch.setenv(LIMIT, TINY)
        stored = allotrope.read(path)
        assert isinstance(stored.train["text"], StoredRows)
        # Two lengths of batches, each of which is compiled.
        recipe = Recipe(epochs=2, batch_size=16, learning_rate=0.05, augmentation="light")
        settings = find_framework(name).settings()[0]
        one, other = (
            train(started(data, recipe), data, recipe, settings, name) for data in (held, stored)
        )
        for weight, array in one.network.weights.items():
            np.testing.assert_array_equal(other.network.weights[weight], array)
        assert one.best["validation_loss"] == other.best["validation_loss"]

    def test_weights_of_tables_are_the_same_from_disk(self, tmp_path, monkeypatch, name):
        path = table_file(tmp_path, people())
        held, stored = held_and_stored(path, monkeypatch, target="label")
        assert isinstance(stored.train["table"], StoredRows)
        recipe = Recipe(epochs=2, batch_size=16, learning_rate=0.01, mixup=0.2)
        settings = find_framework(name).settings()[0]
        one, other = (
            train(network_for(data), data, recipe, settings, name) for data in (held, stored)
        )
        for weight, array in one.network.weights.items():
            np.testing.assert_array_equal(other.network.weights[weight], array)
        assert one.best["validation_loss"] == other.best["validation_loss"]

    def test_weights_are_the_same_from_disk(self, tmp_path, monkeypatch, name):
        held = allotrope.read(pets(tmp_path / "pets"), cache_size=0)
        monkeypatch.setenv(LIMIT, TINY)
        stored = allotrope.read(tmp_path / "pets")
        assert isinstance(stored.train["image"], StoredRows)
        recipe = Recipe(epochs=2, batch_size=4, learning_rate=0.05)
        start, settings = start_for(held), find_framework(name).settings()[0]
        one, other = (train(start, data, recipe, settings, name) for data in (held, stored))
        for weight, array in one.network.weights.items():
            np.testing.assert_array_equal(other.network.weights[weight], array)
        assert one.best["validation_loss"] == other.best["validation_loss"]


class PressingOnce(Progress):
    """Presses Ctrl-C after the first validation."""

    def __init__(self):
        self.pressed = False

    def epoch(self, row):
        if not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@alone  # by `test_training_loop.py`, with its own in one process
def test_a_whole_run_and_one_that_is_taken_up_again(tmp_path, monkeypatch):
    pets(tmp_path / "pets")
    held = fit(tmp_path / "pets", out=tmp_path / "held", cache_size="0", **QUICK)
    monkeypatch.setenv(LIMIT, TINY)
    stopped = fit_with(ONE, PressingOnce())(tmp_path / "pets", out=tmp_path / "stored", **QUICK)
    assert stopped.json["status"] == "interrupted"
    stored = fit(resume=stopped.folder, quiet=True)
    assert stored.json["status"] == "done"
    assert held.json["test"] == stored.json["test"]
    first, second = (each.json["candidates"][0] for each in (held, stored))
    assert first["test_accuracy"] == second["test_accuracy"]
    one, other = (allotrope.load(each.folder / "model.onnx").weights for each in (held, stored))
    for name, array in one.items():
        np.testing.assert_array_equal(other[name], array)


def test_racers_and_workers_read_the_same_file(tmp_path, monkeypatch, store):
    monkeypatch.setenv(LIMIT, TINY)
    data = allotrope.read(pets(tmp_path / "pets"))
    folder = tmp_path / "race"
    folder.mkdir()
    write_inputs(folder, data, [start_for(data)], Recipe(epochs=1))
    assert sum(path.stat().st_size for path in folder.glob("*.npy")) < data.train["image"].nbytes
    again = read_race_data(folder)
    assert again.train["image"].file.folder == data.train["image"].file.folder
    assert hash_of_batches(again) == hash_of_batches(data)


def test_a_measuring_process_reads_from_disk(tmp_path, monkeypatch):
    monkeypatch.setenv(LIMIT, TINY)
    data = allotrope.read(pets(tmp_path / "pets"))
    network = start_for(data)
    network.save(tmp_path / "model.onnx")
    expected = network.run({"image": data.test["image"][:]})["label"]
    answers = {}

    def judged(split):
        def keep(answer):
            answers[split] = answer["label"]
            return 1.0

        return Split(data.taken(split), keep)

    calibration = {"image": data.train["image"][:4]}
    splits = {split: judged(split) for split in ("validation", "test")}
    (row,) = measure(one_candidate(tmp_path), calibration, splits, threads=1)
    assert "reason" not in row
    np.testing.assert_allclose(answers["test"], expected, atol=1e-5)


def test_a_whole_run_of_texts(tmp_path, monkeypatch):
    path = csv_file(tmp_path, reviews())
    options = {**QUICK, "network": "ngram"}
    held = fit(path, out=tmp_path / "held", cache_size="0", **options)
    monkeypatch.setenv(LIMIT, TINY)
    stored = fit(path, out=tmp_path / "stored", **options)
    assert held.json["test"] == stored.json["test"]
    one, other = (allotrope.load(each.folder / "model.onnx").weights for each in (held, stored))
    for name, array in one.items():
        np.testing.assert_array_equal(other[name], array)
