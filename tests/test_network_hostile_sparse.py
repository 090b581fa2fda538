"""Sparse arrays that cannot be filled in are refused, before memory is asked for."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import allotrope
from hostile import assert_refused
from onnx_models import model, node


def test_sparse_arrays_out_of_range():
    sparse = onnx.SparseTensorProto(dims=[2, 2])
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "w"))
    sparse.indices.CopyFrom(numpy_helper.from_array(np.array([[5, 5]]), "i"))
    made = model([node("MatMul", "x w", "y")])
    made.graph.sparse_initializer.append(sparse)
    assert_refused(made, "do not fit")


def sparse(values, indices, dims):
    made = model([node("MatMul", "x w", "y")])
    made.graph.sparse_initializer.append(
        onnx.SparseTensorProto(values=values, indices=indices, dims=dims)
    )
    return made


@pytest.mark.parametrize(
    ("values", "indices", "dims", "word"),
    [
        (np.ones(1, np.float32), np.array([5]), [2**14, 2**14], "elements"),
        (np.ones(1, np.float32), np.array([1]), [2**62, 2**62, 0], "elements"),
        (np.ones(1, np.float32), np.array([-5]), [2, 3], "do not fit"),
        (np.ones(1, np.float32), np.array([[0, 1, 2]]), [2, 3], "do not fit"),
        (np.ones(2, np.float32), np.array([1, 2, 3]), [2, 3], "do not fit"),
        (np.ones(1, np.float32), np.array([1.5]), [2, 3], "int64"),
        (np.ones(1, np.float32), np.array(1), [2, 3], "int64"),
        (np.array(["a"], object), np.array([1]), [2, 3], "object"),
    ],
)
def test_sparse_arrays_that_cannot_be_filled_in(values, indices, dims, word):
    assert_refused(
        sparse(numpy_helper.from_array(values, "w"), numpy_helper.from_array(indices, "i"), dims),
        "'w'",
        word,
    )


def test_a_sparse_array_is_filled_in_either_way():
    for indices in (np.array([1, 5]), np.array([[0, 1], [1, 2]])):
        made = sparse(
            numpy_helper.from_array(np.float32([7, 8]), "w"),
            numpy_helper.from_array(indices, "i"),
            [2, 3],
        )
        network = allotrope.load(made)
        (filled,) = [*network.weights.values(), *network.graph.constants.values()]
        assert filled.tolist() == [[0, 7, 0], [0, 0, 8]]
