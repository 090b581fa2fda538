"""Weights that lie beside the model, as stores and exporters leave them."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import allotrope
from allotrope.errors import ModelError
from onnx_models import model, node

W = np.arange(12, dtype=np.float32).reshape(3, 4)
V = np.arange(8, dtype=np.float32).reshape(4, 2)
WEIGHTS = W.tobytes() + V.tobytes()


def beside(location, **places):
    """A model whose weights w and v lie in one file: w first, v behind it."""
    made = model([node("MatMul", "x w", "h"), node("MatMul", "h v", "y")])
    offset = 0
    for name, array in (("w", W), ("v", V)):
        entries = {"location": location, "offset": offset, "length": array.nbytes, **places}
        made.graph.initializer.append(external(name, array, **entries))
        offset += array.nbytes
    return made


def external(name, array, **entries):
    tensor = numpy_helper.from_array(array, name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        if value is not None:
            tensor.external_data.add(key=key, value=str(value))
    return tensor


def assert_read(path):
    network = allotrope.load(path)
    np.testing.assert_array_equal(network.weights["w"], W)
    np.testing.assert_array_equal(network.weights["v"], V)


def written(folder, location, content=WEIGHTS):
    (folder / location).parent.mkdir(parents=True, exist_ok=True)
    (folder / location).write_bytes(content)


@pytest.mark.parametrize(
    ("location", "file"),
    [
        ("m.onnx_data", "m.onnx_data"),
        ("./m.data", "m.data"),
        ("weights/w.bin", "weights/w.bin"),
        ("./a/./b/w.bin", "a/b/w.bin"),
        ("weights\\w.bin", "weights/w.bin"),
        (".\\w.bin", "w.bin"),
        ("Gewichte für x.data", "Gewichte für x.data"),
        ("..data", "..data"),
    ],
)
def test_locations_below_the_folder(tmp_path, location, file):
    written(tmp_path, file)
    onnx.save(beside(location), tmp_path / "m.onnx")
    assert_read(tmp_path / "m.onnx")


def cache(tmp_path, location="model.onnx_data"):
    """A snapshot in Hugging Face's cache: links into the blobs of the same repository."""
    top = tmp_path / "models--some--net"
    snapshot = top / "snapshots" / "0123abc" / "onnx"
    snapshot.mkdir(parents=True)
    written(top, "blobs/f00d")
    onnx.save(beside(location), top / "blobs" / "beef")
    (snapshot / "model.onnx").symlink_to("../../../blobs/beef")
    (snapshot / location).symlink_to("../../../blobs/f00d")
    return snapshot


def test_the_cache_of_hugging_face(tmp_path, monkeypatch):
    snapshot = cache(tmp_path)
    assert_read(snapshot / "model.onnx")
    (tmp_path / "link").symlink_to(snapshot)
    assert_read(tmp_path / "link" / "model.onnx")
    monkeypatch.chdir(snapshot)
    assert_read("model.onnx")


def test_the_cache_stays_its_own(tmp_path):
    """Neither another repository's blobs nor blobs that are a link are the model's own."""
    snapshot = cache(tmp_path)
    written(tmp_path, "models--other--net/blobs/f00d")
    (snapshot / "model.onnx_data").unlink()
    (snapshot / "model.onnx_data").symlink_to(tmp_path / "models--other--net" / "blobs" / "f00d")
    with pytest.raises(ModelError, match="outside of the model's own folder"):
        allotrope.load(snapshot / "model.onnx")
    other = tmp_path / "forged" / "snapshots" / "1"
    other.mkdir(parents=True)
    written(tmp_path, "home/secret")
    (tmp_path / "forged" / "blobs").symlink_to(tmp_path / "home")
    onnx.save(beside("w"), other / "m.onnx")
    (other / "w").symlink_to("../../blobs/secret")
    with pytest.raises(ModelError, match="outside of the model's own folder"):
        allotrope.load(other / "m.onnx")


def test_a_download_that_did_not_end(tmp_path):
    snapshot = cache(tmp_path)
    (snapshot.parents[2] / "blobs" / "f00d").rename(
        snapshot.parents[2] / "blobs" / "f00d.incomplete"
    )
    with pytest.raises(ModelError, match="a link to a file that is not there"):
        allotrope.load(snapshot / "model.onnx")


def test_hard_links_of_stores_and_links_inside_the_folder(tmp_path):
    written(tmp_path, "store/f00d")
    (tmp_path / "net").mkdir()
    os.link(tmp_path / "store" / "f00d", tmp_path / "net" / "w.data")
    (tmp_path / "net" / "again").symlink_to("w.data")
    for location in ("w.data", "again"):
        onnx.save(beside(location), tmp_path / "net" / "m.onnx")
        assert_read(tmp_path / "net" / "m.onnx")


def test_a_link_to_a_model_whose_weights_lie_beside_the_real_file(tmp_path):
    written(tmp_path, "store/w.data")
    onnx.save(beside("w.data"), tmp_path / "store" / "m.onnx")
    (tmp_path / "m.onnx").symlink_to("store/m.onnx")
    assert_read(tmp_path / "m.onnx")


def test_offsets_and_lengths_that_are_left_out(tmp_path):
    written(tmp_path, "w", W.tobytes())
    made = model([node("MatMul", "x w", "y")])
    made.graph.initializer.append(external("w", W, location="w", checksum="0" * 40))
    onnx.save(made, tmp_path / "m.onnx")
    np.testing.assert_array_equal(allotrope.load(tmp_path / "m.onnx").weights["w"], W)


def test_two_tensors_at_one_place_and_one_in_a_constant_node(tmp_path):
    written(tmp_path, "w", W.tobytes())
    same = external("w", W, location="w", offset=0, length=W.nbytes)
    constant = helper.make_node("Constant", [], ["c"], value=external("", W, location="w"))
    nodes = [constant, node("MatMul", "x w", "a"), node("MatMul", "x u", "b")]
    made = model([*nodes, node("MatMul", "x c", "d"), node("Sum", "a b d", "y")])
    made.graph.initializer.append(same)
    made.graph.initializer.append(external("u", W, location="w", offset=0, length=W.nbytes))
    onnx.save(made, tmp_path / "m.onnx")
    network = allotrope.load(tmp_path / "m.onnx")
    assert sorted(network.weights) == ["c", "u", "w"]
    np.testing.assert_array_equal(network.weights["c"], W)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 80\n",
            "pointer of Git LFS",
        ),
        (b"<!doctype html>", "web page"),
        (W.tobytes(), "cut off, or of another model"),
        (b"", "cut off, or of another model"),
    ],
)
def test_data_that_is_not_there_whole(tmp_path, content, words):
    written(tmp_path, "m.onnx_data", content)
    onnx.save(beside("m.onnx_data"), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=words):
        allotrope.load(tmp_path / "m.onnx")


def test_missing_data_is_said_once_with_what_lies_there(tmp_path):
    written(tmp_path, "renamed.onnx.data")
    onnx.save(beside("m.onnx.data"), tmp_path / "renamed.onnx")
    with pytest.raises(ModelError, match=r"'renamed\.onnx\.data'") as caught:
        allotrope.load(tmp_path / "renamed.onnx")
    assert str(caught.value).count("which is not there") == 1
