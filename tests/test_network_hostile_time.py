"""A file of many pieces is loaded in proportion to them."""

import cProfile
import itertools

import numpy as np
import pytest
from onnx import TensorProto, helper

import allotrope
from onnx_models import model, node, tensor


def chain(count, operator="Add", own_array=False):
    names = ["x", *(f"t{i}" for i in range(1, count)), "y"]
    arrays = {f"w{i}": np.ones(3, np.float32) for i in range(count if own_array else 1)}
    nodes = [
        node(operator, f"{a} w{i if own_array else 0}", b)
        for i, (a, b) in enumerate(itertools.pairwise(names))
    ]
    return model(nodes, arrays=arrays)


def many_outputs(count):
    names = [f"y{i}" for i in range(count)]
    return model(
        [node("Relu", "x", name) for name in names],
        None,
        [tensor(name, shape=None) for name in names],
    )


def many_branches(count):
    def branch(name):
        return helper.make_graph(
            [node("Relu", "x", name)], "branch", [], [tensor(name, shape=None)]
        )

    choices = [
        node("If", "c", f"y{i}", then_branch=branch(f"a{i}"), else_branch=branch(f"b{i}"))
        for i in range(count)
    ]
    return model(
        [*choices, node("Relu", "y0", "y")], [tensor("x"), tensor("c", TensorProto.BOOL, [])]
    )


@pytest.mark.parametrize(
    "grown",
    [
        chain,
        lambda count: chain(count, own_array=True),
        lambda count: chain(count, "Mul", own_array=True),
        many_outputs,
        many_branches,
    ],
    ids=["chain", "arrays", "scales", "outputs", "branches"],
)
def test_loading_takes_calls_in_proportion_to_the_nodes(grown):
    def calls(count):
        """Python's and C's function calls: the work of a load, which no busy machine changes."""
        content = grown(count).SerializeToString()
        profile = cProfile.Profile(builtins=True)
        profile.runcall(allotrope.load, content)
        return sum(entry.callcount for entry in profile.getstats())

    calls(100)
    small, large = calls(600), calls(3600)
    assert large < 9 * small  # what is linear takes 6 times as many, what is quadratic 36 times
