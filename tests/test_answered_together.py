"""Texts of like lengths are answered together, and answers come in the order of the questions."""

from __future__ import annotations

import numpy as np
import pytest

from allotrope.delivery.asked import Example
from allotrope.delivery.predictor import AT_ONCE, TEXTS_READ, answered, predicted, read_at_once
from allotrope.delivery.text_lines import BYTES_AT_ONCE, groups

TASK = {"name": "length", "kind": "regression"}
COLUMNS = {"inputs": [{"name": "text", "kind": "text"}], "tasks": [TASK]}


def counting(sizes):
    """A network that answers how many bytes of a text are not 0; notes the shapes it is asked."""

    def run(inputs):
        rows = inputs["text"]
        sizes.append(rows.shape)
        return {"length": (rows != 0).sum(1, keepdims=True).astype(np.float32)}

    return run


def texts(lengths):
    return [Example({"file": str(n)}, {"text": np.ones(n, np.uint8)}) for n in lengths]


def test_answers_are_in_the_order_of_the_texts_with_little_padding():
    lengths = np.random.default_rng(0).integers(1, 400, TEXTS_READ)
    sizes = []
    rows = list(answered(COLUMNS, counting(sizes), texts(lengths), 1))
    assert [row["answers"]["length"]["value"] for row in rows] == lengths.tolist()
    assert max(count for count, _ in sizes) <= AT_ONCE
    computed = sum(count * length for count, length in sizes)
    assert computed < 1.25 * lengths.sum()
    assert len({length for _, length in sizes}) <= 13


def test_those_that_cannot_be_read_stay_in_their_places(tmp_path):
    file = tmp_path / "asked.txt"
    file.write_text("ccc\na\nbb\n")
    rows = list(predicted(COLUMNS, counting([]), [str(file), "dddd"]))
    assert [row["answers"]["length"]["value"] for row in rows] == [3, 1, 2, 4]


@pytest.mark.parametrize("most", [1, 3, 64])
def test_groups_hold_every_text_once(most):
    examples = [one.inputs for one in texts([5, BYTES_AT_ONCE, 1, 7, BYTES_AT_ONCE // 2 + 1, 2])]
    every = list(groups(examples, most))
    assert sorted(number for group in every for number in group) == list(range(6))
    for group in every:
        longest = max(examples[number]["text"].size for number in group)
        assert len(group) <= most
        assert len(group) == 1 or len(group) * longest <= BYTES_AT_ONCE


def test_pictures_are_read_a_batch_at_a_time():
    assert read_at_once({"inputs": [{"name": "image", "kind": "image"}], "tasks": []}) == AT_ONCE
    assert read_at_once(COLUMNS) == TEXTS_READ
