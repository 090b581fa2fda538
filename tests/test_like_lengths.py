"""Batches of like lengths: the same examples, less padding, few shapes, still by seed and step."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.config import Recipe
from allotrope.data import SPLITS, Batches, Data, Examples
from allotrope.data.batches import shapes
from allotrope.data.like_lengths import ordinary
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.raw_bytes import rows_of, text_of
from allotrope.inputs.text.text_input import Text
from allotrope.tasks import Classification
from allotrope.training.evaluate import in_batches

COUNT = 200
LENGTHS = np.random.default_rng(0).integers(1, 300, COUNT)


def texts(longest=304, beside=False):
    """Texts of many lengths, each of which begins with its row."""
    written = [f"{row} ".ljust(length, "x")[:300] for row, length in enumerate(LENGTHS.tolist())]
    rows = np.arange(COUNT, dtype=np.float32)
    columns = {
        "text": rows_of(written, longest),
        "row": rows[:, None],
        "label": np.arange(COUNT) % 2,
    }
    inputs = (Text(name="text", longest=longest), Table(name="row", columns=("row",)))
    task = Classification(name="label", classes=("a", "b"))
    splits = dict.fromkeys(SPLITS, Examples(columns))
    return Data("texts", inputs[: 1 + beside], (task,), splits)


def batches(data=None, **options):
    data = texts() if data is None else data
    return Batches(data, Recipe(**({"batch_size": 16, "augmentation": "none"} | options)))


@pytest.mark.parametrize("options", [{}, {"sampling": "balanced"}])
def test_an_epoch_has_the_same_rows_in_batches_of_like_lengths(options):
    made = batches(**options)
    order = made.order(0)
    assert options or sorted(order) == list(range(COUNT))
    widths = [batch.inputs["text"].shape[1] for batch in made.epoch(0)]
    assert len(set(widths)) <= 8
    # Without order nearly every batch would have a text of nearly 300 bytes.
    assert np.mean(widths) < 220
    assert widths != sorted(widths)  # but batches come as they are drawn
    for step, batch in enumerate(made.epoch(0)):
        rows = order[step * 16 : (step + 1) * 16]
        assert batch.targets["label"].argmax(1).tolist() == (rows % 2).tolist()
        whole = made._train["text"][rows]
        assert [text_of(row) for row in batch.inputs["text"]] == [text_of(row) for row in whole]


def test_batches_of_like_lengths_are_a_function_of_seed_epoch_and_step():
    first = list(batches().epoch(3))
    again = [batches().batch(3, step) for step in range(len(first))]
    pairs = zip(first, again, strict=True)
    assert all(np.array_equal(a.inputs["text"], b.inputs["text"]) for a, b in pairs)
    assert not np.array_equal(batches().order(3), batches().order(4))
    assert not np.array_equal(batches().order(3), batches(seed=1).order(3))


def test_other_inputs_follow_the_order():
    for batch in batches(texts(beside=True)).epoch(0):
        numbers = [int(text_of(row).split()[0]) for row in batch.inputs["text"]]
        assert numbers == batch.inputs["row"][:, 0].astype(int).tolist()


def test_batches_alike_have_one_shape_for_which_is_compiled():
    alike = batches(batch_size=8).alike(3)
    assert len(alike) == 3
    assert all(shapes(batch) == shapes(alike[0]) for batch in alike)
    assert not np.array_equal(alike[0].inputs["text"], alike[1].inputs["text"])


def test_batches_alike_are_as_long_as_those_in_the_middle():
    for seed in range(3):
        made = batches(batch_size=8, seed=seed)
        widths = sorted(batch.inputs["text"].shape[1] for batch in made.epoch(0))
        (batch,) = made.alike(1)
        assert batch.inputs["text"].shape[1] == widths[len(widths) // 2]


def test_answers_come_back_in_the_order_of_the_examples():
    data, widths = texts(beside=True), []

    def answer(inputs):
        widths.append(inputs["text"].shape[1])
        bytes_of = np.count_nonzero(inputs["text"], axis=1)
        return {"bytes": bytes_of, "row": inputs["row"][:, 0]}

    answers = in_batches(answer, data.taken("test"), data.inputs, batch=30)
    assert answers["row"].tolist() == list(range(COUNT))
    assert np.array_equal(answers["bytes"], np.count_nonzero(data.test["text"], axis=1))
    assert widths[0] == 48 and widths == sorted(widths)


def test_what_is_timed_is_of_ordinary_length_and_without_padding():
    data = texts(beside=True)
    one = ordinary(data.inputs, data.taken("validation"), 1)
    assert one["text"].shape[1] < np.median(LENGTHS) * 1.5
    assert abs(len(text_of(one["text"][0])) - np.median(LENGTHS)) < np.median(LENGTHS) / 2
    several = ordinary(data.inputs, data.taken("validation"), COUNT + 3)
    assert several["row"][:, 0].tolist() == [*range(COUNT), 0, 1, 2]
    eight = ordinary(data.inputs, data.taken("validation"), 8)["text"]
    assert eight.shape[1] == data.inputs[0].lengths(data.validation["text"][:8]).max() <= 304
