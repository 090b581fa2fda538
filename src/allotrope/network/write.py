"""Writes a network as ONNX."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import ModelProto, TensorProto

import allotrope
from allotrope.errors import ModelError
from allotrope.network.protos import model_of, tensor_proto
from allotrope.network.reading.external import write_external
from allotrope.network.reading.opset import lowest_opset
from allotrope.network.weights import recorded
from allotrope.storage import replace_file

if TYPE_CHECKING:
    from allotrope.network.network import Network

LARGEST_FILE = 2**31 - 2**20
"""Protocol buffers end at 2 GiB; what weights take beyond this lies in a file of its own."""


def to_onnx(network: Network, largest: int = LARGEST_FILE) -> ModelProto:
    """The network as an ONNX model, weights inside, in the lowest opset that means the same.

    Raises: ModelError if its weights take more bytes than `largest`: a model in memory has an end;
    `save` can write it.
    """
    if _bytes(network.weights.values()) > largest:
        raise ModelError(
            f"network '{network.graph.name}' has over 2 GiB of weights: use save(path), which "
            "puts them into a second file."
        )
    return _model(network, [tensor_proto(name, array) for name, array in network.weights.items()])


def save(network: Network, path: str | Path, largest: int = LARGEST_FILE) -> None:
    """Write an ONNX file, and beside it `<name>.data` if the weights need more than `largest`.

    Raises: RunFolderError where it cannot be written; what was there before is then still there.
    """
    path = Path(path)
    if _bytes(network.weights.values()) > largest:
        _save_in_two(network, path)
    else:
        replace_file(path, to_onnx(network).SerializeToString(deterministic=True))


def _save_in_two(network: Network, path: Path) -> None:
    location = path.name + ".data"
    tensors = write_external(path.with_name(location), network.weights)
    replace_file(path, _model(network, tensors).SerializeToString(deterministic=True))


def as_it_computes(network: Network) -> ModelProto:
    """The network as an ONNX model to run at once: it does not say which weights learn."""
    tensors = [tensor_proto(name, array) for name, array in network.weights.items()]
    return model_of(network.graph, lowest_opset(network.graph, network.weights), tensors)


def _model(network: Network, tensors: Iterable[TensorProto]) -> ModelProto:
    model = model_of(network.graph, lowest_opset(network.graph, network.weights), tensors)
    model.producer_name, model.producer_version = "allotrope", allotrope.__version__
    metadata = {**network.metadata, **recorded(network)}
    onnx.helper.set_model_props(model, dict(metadata))
    return model


def _bytes(arrays: Iterable[np.ndarray]) -> int:
    return sum(array.nbytes for array in arrays)
