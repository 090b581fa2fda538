"""What a file says of its inputs and tasks is written, joined and read back."""

from __future__ import annotations

import pytest

from allotrope.errors import ModelError
from allotrope.inputs.image.image import Image
from allotrope.network.columns import KEY, columns_of, with_columns
from allotrope.network.reading.read import load
from allotrope.testing.runtime_network import two_inputs_three_outputs


def test_entries_join_and_survive_the_file(tmp_path):
    network = with_columns(two_inputs_three_outputs(), tasks=[{"name": "which", "kind": "a"}])
    network = with_columns(
        network,
        inputs=[Image(name="front view", height=6, width=6, channels=2).facts()],
        tasks=[
            {"name": "flags", "kind": "b", "labels": ("x", "y")},
            {"name": "which", "kind": "c"},
        ],
    )
    network.save(tmp_path / "m.onnx")
    said = columns_of(load(tmp_path / "m.onnx").metadata)
    (view,) = said["inputs"]
    assert view == {"kind": "image", "name": "front view", "height": 6, "width": 6, "channels": 2}
    assert [(task["name"], task["kind"]) for task in said["tasks"]] == [
        ("flags", "b"),
        ("which", "c"),
    ]
    assert said["tasks"][0]["labels"] == ["x", "y"]


def test_a_file_that_says_nothing_has_no_entries():
    assert columns_of({}) == {"inputs": [], "tasks": []}


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", '{"inputs": 3}', '{"tasks": [3]}', '{"tasks": [{"name": "x"}]}', "[" * 10_000],
)
def test_what_is_no_list_of_columns_is_refused(text):
    with pytest.raises(ModelError, match=r"metadata 'allotrope\.columns' must be a JSON object"):
        columns_of({KEY: text})
