"""Rows of an attention in which a mask hides everything."""

import numpy as np

from allotrope.network.build import Builder
from allotrope.network.hidden_rows import hidden_rows


def test_hidden_rows_of_the_operator_attention():
    b, lengths = Builder(), (1, 1, 3, 2)
    q, k, v = (b.input(name, "float32", lengths) for name in "qkv")
    b.output(b.add("Attention", [q, k, v, b.input("mask", "bool", (3, 3))], {"is_causal": 1}), "y")
    mask = np.array([[False, True, True]] * 3)
    values = {name: np.zeros(lengths, np.float32) for name in "qkv"}
    assert hidden_rows(b.network(), {**values, "mask": mask}) == {
        b.network().graph.nodes[0].name or "y": 1
    }
    assert hidden_rows(b.network(), {**values, "mask": ~mask}) == {}
