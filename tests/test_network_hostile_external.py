"""Hostile files of weights beside a model.

Outside of its folder, out of range, overlapping, holes.
"""

from __future__ import annotations

import os

import onnx
import pytest
from onnx import TensorProto

from hostile import assert_refused, with_tensor


def outside(location, offset=None, length=None):
    proto = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[3, 2], data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            proto.external_data.add(key=key, value=str(value))
    return with_tensor(proto)


@pytest.fixture
def folder(tmp_path):
    """A folder for the model, with a secret beside it and links of all kinds inside."""
    (tmp_path / "secret").write_bytes(b"\0" * 24)
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "data").write_bytes(b"\0" * 24)
    (inside / "good").write_bytes(b"\0" * 24)
    (inside / "short").write_bytes(b"\0" * 23)
    (inside / "symlink").symlink_to(tmp_path / "secret")
    (inside / "chain").symlink_to("symlink")
    (inside / "dangling").symlink_to("nothing")
    (inside / "loop").symlink_to("loop")
    (inside / "sub" / "out").symlink_to(tmp_path)
    os.mkfifo(inside / "fifo")
    return inside


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("../secret", "only files in the model's folder"),
        ("sub/../../secret", "only files in the model's folder"),
        ("sub/../good", "only files in the model's folder"),
        ("/etc/passwd", "only files in the model's folder"),
        ("//etc/passwd", "only files in the model's folder"),
        ("/dev/zero", "only files in the model's folder"),
        ("..\\secret", "only files in the model's folder"),
        ("\\\\host\\secret", "only files in the model's folder"),
        ("C:good", "only files in the model's folder"),
        ("C:\\good", "only files in the model's folder"),
        ("good\0", "only files in the model's folder"),
        ("", "only files in the model's folder"),
        (".", "only files in the model's folder"),
        ("..", "only files in the model's folder"),
        ("symlink", "outside of the model's own folder"),
        ("chain", "outside of the model's own folder"),
        ("sub/out/secret", "outside of the model's own folder"),
        ("fifo", "not a file"),
        ("sub", "not a file"),
        ("none", "which is not there"),
        ("sub/none", "which is not there"),
        ("dangling", "a link to a file that is not there"),
        ("loop", "which is not a plain file"),
        ("short", "cut off, or of another model"),
    ],
)
def test_external_data_elsewhere(folder, location, words):
    onnx.save(outside(location), folder / "m.onnx")
    assert_refused(folder / "m.onnx", words)


@pytest.mark.parametrize(
    ("offset", "length"),
    [(1, None), (-1, None), (0, 23), (0, 10**18), ("x", None), (10**30, None), (0, -24)],
)
def test_external_data_out_of_range(folder, offset, length):
    onnx.save(outside("good", offset, length), folder / "m.onnx")
    assert_refused(folder / "m.onnx", "'w'")


def test_external_data_of_bytes_has_no_folder():
    assert_refused(outside("good"), "loaded from a path")


def test_external_data_that_overlaps(folder):
    made = outside("good")
    for index in range(3):
        copy = made.graph.initializer.add()
        copy.CopyFrom(made.graph.initializer[0])
        copy.name, copy.dims[0] = f"w{index}", 2 - index % 2
    onnx.save(made, folder / "m.onnx")
    assert_refused(folder / "m.onnx", "overlaps")


def test_external_data_that_is_one_great_hole(folder):
    with open(folder / "holes", "wb") as file:
        file.truncate(10**11)
    made = outside("holes")
    made.graph.initializer[0].dims[:] = [10**11 // 4]
    onnx.save(made, folder / "m.onnx")
    assert_refused(folder / "m.onnx", "'holes'", "mostly holes")
