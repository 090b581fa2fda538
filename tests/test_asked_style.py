"""What is asked for of a network's layers reaches it, or is refused by name."""

import numpy as np
import pytest

from allotrope.architectures.asked_style import style_for
from allotrope.architectures.choose import choose
from allotrope.config import DataOptions, Recipe
from allotrope.data import read_data
from allotrope.errors import UsageError
from allotrope.network import zoo


def table():
    random = np.random.default_rng(0)
    columns = {f"x{number}": random.standard_normal(60) for number in range(3)}
    return read_data({**columns, "y": np.arange(60) % 2}, DataOptions(target=("y",)))


def operators(network):
    return {node.operator for node in network.graph.nodes}


def test_tables_have_the_activation_that_was_asked_for():
    assert "HardSwish" in operators(choose(table(), "auto", {"activation": "hard-swish"}).network)
    assert "HardSwish" not in operators(choose(table(), "auto").network)


def test_tables_have_no_normalization_to_choose():
    with pytest.raises(UsageError, match=r"'table_mlp' takes no normalization\. It takes activ"):
        choose(table(), "auto", {"normalization": "batch"})


def test_networks_with_gates_of_their_own_have_no_activation():
    with pytest.raises(UsageError, match=r"network 'gru' takes no activation\. It takes dropout"):
        style_for(zoo.gru, Recipe(activation="relu"))
    assert style_for(zoo.transformer, Recipe(activation="swiglu")) == {"activation": "swiglu"}
