"""What a network answers for many examples, asked for in batches of one size."""

import numpy as np
import pytest

from allotrope.errors import DataError
from allotrope.training.evaluate import in_batches


@pytest.mark.parametrize(("count", "sizes"), [(7, [7]), (10, [10]), (11, [6, 6]), (25, [9, 9, 9])])
def test_batches_are_all_of_one_size_and_answers_in_order(count, sizes):
    seen = []

    def answer(inputs):
        seen.append(len(inputs["a"]))
        return {"sum": inputs["a"][:, 0] + inputs["b"], "half": inputs["b"] / 2}

    inputs = {"a": np.arange(count)[:, None], "b": np.arange(count) ** 2}
    answers = in_batches(answer, inputs, batch=10)
    assert np.array_equal(answers["sum"], inputs["a"][:, 0] + inputs["b"])
    assert np.array_equal(answers["half"], inputs["b"] / 2)
    assert seen == sizes


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(DataError, match="no examples"):
        in_batches(lambda inputs: inputs, {"a": np.zeros((0, 2), np.uint8)})
