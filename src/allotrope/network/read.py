"""Reads ONNX models, as hostile files: every check on what a file claims is made here or called from here."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from allotrope.errors import ModelError
from allotrope.network.check import check_model
from allotrope.network.network import Network
from allotrope.network.normalize import normalize
from allotrope.network.opset import OLDEST
from allotrope.network.parse import metadata_of, parse_graph


def load(source: str | Path | bytes | onnx.ModelProto, *, free_batch: bool = True) -> Network:
    """The network in an ONNX file, in bytes or in a ModelProto.

    `free_batch` makes a baked-in batch of 1 free where that provably changes nothing else.

    Raises: ModelError for a file that is broken or hostile, UnsupportedError for one that uses what is not supported.
    """
    if isinstance(source, onnx.ModelProto):
        model, external = source, None
    else:
        model, external = _parsed(source if isinstance(source, bytes) else Path(source).read_bytes()), None
    opset = check_model(model)
    graph = parse_graph(model.graph, external)
    return normalize(graph, max(opset, OLDEST), metadata_of(model), free_batch)


def _parsed(content: bytes) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ModelError(f"this is not an ONNX model: {error}") from error
