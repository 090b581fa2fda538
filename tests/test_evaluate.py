"""What a network answers for many examples, asked for in batches of one size."""

import numpy as np
import pytest

from allotrope.errors import DataError
from allotrope.training.evaluate import in_batches


@pytest.mark.parametrize(("count", "sizes"), [(7, [7]), (10, [10]), (11, [6, 6]), (25, [9, 9, 9])])
def test_batches_are_all_of_one_size_and_answers_in_order(count, sizes):
    seen = []

    def answer(images):
        seen.append(len(images))
        return images.astype(np.float32)

    images = np.arange(count, dtype=np.uint8)[:, None]
    assert np.array_equal(in_batches(answer, images, batch=10), images)
    assert seen == sizes


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(DataError, match="no images"):
        in_batches(lambda images: images, np.zeros((0, 2), np.uint8))
