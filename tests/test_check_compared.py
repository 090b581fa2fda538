"""Inputs that are compared with numbers: choices, and one-hot codes that are spelled out."""

import numpy as np

from allotrope.measure.roles import roles
from allotrope.network.build import Builder

LENGTHS = {"n": 8, "t": 5}


def test_a_choice_has_other_values_that_choose_otherwise():
    b = Builder()
    rate, x = b.input("rate", "int64", ()), b.input("x", "float32", ("n", "t"))
    for name, known in (("slow", 8000), ("fast", 16000)):
        chosen = b.add("Equal", [rate, b.constant(np.array(known))])
        b.output(b.add("Where", [chosen, x, b.constant(np.float32(0))]), name)
    role = roles(b.network(), LENGTHS)["rate"]
    assert role.kind == "16000"
    assert role.others == ("8000", "0")


def spelled_one_hot(places):
    """As jax.nn.one_hot: equal to each of the places or not."""
    b = Builder()
    ids = b.input("ids", "int32", ("n", "t"))
    column = b.add("Unsqueeze", [ids, b.constant(np.array([2]))])
    shape = b.constant(np.array([1, LENGTHS["t"], len(places)]))
    row = b.add("Expand", [b.constant(np.array(places, np.int32)[None, None]), shape])
    b.output(b.add("Cast", [b.add("Equal", [column, row])], {"to": 1}), "y")
    return roles(b.network(), LENGTHS)["ids"]


def test_a_one_hot_code_that_is_spelled_out_takes_indices():
    assert spelled_one_hot([0, 1, 2, 3, 4, 5]).kind == "0..5"
    assert spelled_one_hot([0, 4, 5]).what == "indices, perhaps"
