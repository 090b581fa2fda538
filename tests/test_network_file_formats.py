"""Files in the place of a model that are something else: named for what they are."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
import zlib

import numpy as np
import onnxruntime
import pytest
from safetensors.numpy import save

import allotrope
from allotrope.errors import ModelError
from allotrope.verbs.request import onnx_file
from onnx_models import model, node

MODEL = model([node("MatMul", "x w", "y")], arrays={"w": np.ones((3, 2), np.float32)})
MODEL_BYTES = MODEL.SerializeToString()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 102442450\n"


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return file.getvalue()


def tarred():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model.onnx"))
    return file.getvalue()


def arrays(write):
    file = io.BytesIO()
    write(file, np.ones(3))
    return file.getvalue()


FILES = {
    "model.onnx": [
        (POINTER, "pointer of Git LFS", "git lfs pull"),
        (b"\n <!DOCTYPE html>\n<html><body>Not found", "web page", "Download"),
        (b"<HTML><head>", "web page", "Download"),
        (b"<Error><Code>AccessDenied</Code></Error>", "XML", "Download"),
        (b'{"error": "Invalid username or password."}', "JSON", "ONNX file"),
        (b"Entry not found", "text that begins with 'Entry not found'", "ONNX file"),
        (b"", "empty", "again"),
        (bytes(5000), "zeros", "again"),
        (MODEL_BYTES[:-9], "cut off", "again"),
        (MODEL_BYTES[:3], "cut off", "again"),
    ],
    "model.onnx.gz": [(gzip.compress(MODEL_BYTES), "gzip", "gzip -d")],
    "model.xz": [(lzma.compress(MODEL_BYTES), "xz", "unpack it")],
    "model.bz2": [(bz2.compress(MODEL_BYTES), "bzip2", "unpack it")],
    "model.zst": [(b"\x28\xb5\x2f\xfd" + bytes(20), "zstd", "unpack it")],
    "model.7z": [(b"7z\xbc\xaf\x27\x1c" + bytes(20), "7z", "unpack it")],
    "model.tar": [(tarred(), "tar archive", "unpack it")],
    "model.zip": [
        (zipped("a/model.onnx"), "ONNX file inside", "unpack it"),
        (zipped("a"), "zip", ""),
    ],
    "model.joblib": [(zlib.compress(MODEL_BYTES), "joblib", "skl2onnx")],
    "model.pkl": [(pickle.dumps({"a": 1}), "pickle", "never opened")],
    "model.keras": [(zipped("metadata.json", "config.json"), "Keras", "format='onnx'")],
    "model.h5": [(b"\x89HDF\r\n\x1a\n" + bytes(20), "HDF5", "model.export")],
    "model.pt": [
        (zipped("archive/data.pkl"), "PyTorch checkpoint", "torch.onnx.export"),
        (zipped("m/code/__torch__.py", "m/data.pkl"), "TorchScript", "torch.onnx.export"),
        (pickle.dumps([1], protocol=2), "pickle", "torch.onnx.export"),
    ],
    "model.pt2": [(zipped("m/archive_format"), "torch.export", "torch.onnx.export")],
    "model.safetensors": [(save({"w": np.ones((3, 2), np.float32)}), "safetensors", "optimum-cli")],
    "model.tflite": [(b"\x1c\0\0\0TFL3" + bytes(20), "TFLite", "--tflite")],
    "model.pte": [(b"\x1c\0\0\0ET12" + bytes(20), "ExecuTorch", "no way back")],
    "model.gguf": [(b"GGUF\x03\0\0\0", "GGUF", "no way back")],
    "model.xml": [(b'<?xml version="1.0"?>\n<net name="m">', "OpenVINO", "no way back")],
    "saved_model.pb": [(b"\x08\x01\x12\x90\x4e" + bytes(9), "of TensorFlow", "--saved-model")],
    "model.mlmodel": [(b"\x08\x04\x12\x04\x0a\x02\x0a\0", "of Core ML", "no way back")],
    "model.pdmodel": [(np.random.default_rng(0).bytes(99), "of Paddle", "paddle2onnx")],
    "x.npy": [(arrays(np.save), "NumPy array", "data")],
    "x.npz": [(arrays(np.savez), ".npz", "data")],
    "cat.png": [(b"\x89PNG\r\n\x1a\n" + bytes(9), "picture", "ONNX file")],
    "config.json": [(json.dumps({"model_type": "bert"}).encode(), "JSON", "ONNX file")],
    "train.py": [(b"import torch\n", "text that begins with 'import torch'", "ONNX file")],
}
CASES = [(name, *case) for name, cases in FILES.items() for case in cases]


@pytest.mark.parametrize(("name", "content", "what", "remedy"), CASES)
def test_another_file_is_named(tmp_path, name, content, what, remedy):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError) as caught:
        allotrope.load(tmp_path / name)
    assert name in str(caught.value) and what in str(caught.value) and remedy in str(caught.value)
    if not name.endswith((".pb", ".mlmodel", ".pdmodel")):  # what bytes alone do not tell
        with pytest.raises(ModelError, match=f"(?s).*{what.replace('[', '.')}"):
            allotrope.load(content)


def test_the_format_of_onnx_runtime(tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "m.ort")
    options.log_severity_level = 4
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(MODEL_BYTES, options)
    with pytest.raises(ModelError, match="ORT format"):
        allotrope.load(tmp_path / "m.ort")


@pytest.mark.parametrize("name", ["model.pt", "a.tflite", "model", "weights.bin"])
def test_a_model_is_read_whatever_its_name_is(tmp_path, name):
    (tmp_path / name).write_bytes(MODEL_BYTES)
    assert allotrope.load(tmp_path / name).weights.keys() == {"w"}


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (["onnx/model.onnx", "config.json"], "onnx/model.onnx"),
        (["a.onnx", "b.onnx"], "b.onnx"),
        (["saved_model.pb", "variables/a"], "SavedModel"),
        (["Manifest.json"], "Core ML"),
        (["config.json"], "optimum-cli"),
        ([], "no ONNX file in it"),
    ],
)
def test_a_folder_in_the_place_of_a_model(tmp_path, files, words):
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(MODEL_BYTES)
    with pytest.raises(ModelError, match=words) as caught:
        allotrope.load(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_link_to_nothing(tmp_path):
    (tmp_path / "m.onnx").symlink_to("../../blobs/0123")
    with pytest.raises(ModelError, match="a link to a file that is not there"):
        allotrope.load(tmp_path / "m.onnx")


def test_a_folder_is_a_path_unless_a_network_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("models", "resnet18"):
        (tmp_path / name).mkdir()
    (tmp_path / "net.bin").write_bytes(MODEL_BYTES)
    paths = {
        name: onnx_file(name) for name in ("models", "./models", "resnet18", "auto", "net.bin")
    }
    of_files = {name for name, path in paths.items() if path is not None}
    assert of_files == {"models", "./models", "net.bin"} and onnx_file("gone.onnx") is not None
