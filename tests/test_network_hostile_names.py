"""Names in a hostile file cannot steer a terminal, break a line or fill a screen."""

import pytest
from onnx import helper

import allotrope
from allotrope.errors import UnsupportedError, UsageError
from onnx_models import model, node, tensor

EVIL = "evil\x1b[2J\nallotrope: all is well\u202e"


def test_names_cannot_steer_a_terminal_or_break_a_line():
    with pytest.raises(UnsupportedError) as caught:
        allotrope.load(model([node("Rleu", "x", "y", name=EVIL)]))
    assert "evil\\x1b[2J\\nallotrope: all is well\\u202e" in str(caught.value)
    lines = []
    network = allotrope.load(
        model([helper.make_node("Relu", [EVIL], ["y"])], [tensor(EVIL)]), report=lines.append
    )
    with pytest.raises(UsageError) as refused:
        network.run({})
    for text in (str(refused.value), *str(network).splitlines(), *lines):
        assert text.isprintable(), text


def test_a_name_of_a_million_letters_is_cut_in_messages():
    with pytest.raises(UnsupportedError) as caught:
        allotrope.load(model([node("Rleu", "x", "y", name="n" * 10**6)]))
    assert len(str(caught.value)) < 1000
