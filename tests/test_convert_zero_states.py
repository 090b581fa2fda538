"""First states that an exporter writes out as zeros leave the graph; others, and weights, stay."""

import numpy as np
import pytest

from allotrope.conversion.core.zero_states import without_zero_states
from allotrope.network.build import Builder


def graph(make):
    """A GRU whose first state `make` builds from a builder and the name of the input."""
    b = Builder("gru")
    x = b.input("x", "float32", ("t", "n", 3))
    arrays = [
        b.weight(name, np.ones(shape, np.float32))
        for name, shape in {"w": (1, 6, 3), "r": (1, 6, 2), "b": (1, 12)}.items()
    ]
    y, _ = b.add("GRU", [x, *arrays, "", make(b, x)], {"hidden_size": 2}, outputs=2)
    b.output(y, "y")
    return b.network().graph


def by_shape(b, x, value=0.0):
    """As torch's exporters write it: of the batch's length."""
    batch = b.add(
        "Slice", [b.add("Shape", [x]), b.constant(np.array([1])), b.constant(np.array([2]))]
    )
    shape = b.add(
        "Concat", [b.constant(np.array([1])), batch, b.constant(np.array([2]))], {"axis": 0}
    )
    return b.add("ConstantOfShape", [shape], {"value": np.array([value], np.float32)})


def by_expansion(b, x):
    shape = b.add(
        "Concat",
        [b.constant(np.array([1])), b.constant(np.array([4])), b.constant(np.array([2]))],
        {"axis": 0},
    )
    return b.add("Expand", [b.constant(np.zeros((1, 1, 1), np.float32)), shape])


@pytest.mark.parametrize(
    "make", [by_shape, by_expansion, lambda b, x: b.constant(np.zeros((1, 4, 2), np.float32))]
)
def test_zeros_leave_with_what_made_them(make):
    (node,) = without_zero_states(graph(make)).nodes
    assert node.operator == "GRU"
    assert node.inputs[5] == ""


@pytest.mark.parametrize(
    "make",
    [
        lambda b, x: by_shape(b, x, 0.5),
        lambda b, x: b.weight("state", np.zeros((1, 4, 2), np.float32)),
        lambda b, x: b.input("state", "float32", (1, "n", 2)),
    ],
)
def test_what_is_not_zero_or_may_learn_stays(make):
    before = graph(make)
    assert without_zero_states(before) is before
