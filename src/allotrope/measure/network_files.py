"""The files of a network in a folder, of which its candidates are made."""

from __future__ import annotations

from pathlib import Path

from allotrope.network.network import Network

FLOAT_FILE = "model.onnx"
INT8_FOLDER = "candidates"
INFERENCE_FILE = "inference.onnx"
"""In the folder of candidates, what they are made of, if the network has a faster form."""


def write_network(network: Network, form: Network, folder: Path) -> None:
    """Writes a network of raw inputs and answers, and its form if that is another."""
    file = folder / INT8_FOLDER / INFERENCE_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    network.save(folder / FLOAT_FILE)
    file.unlink(missing_ok=True)
    if form is not network:
        form.save(file)


def source_in(folder: Path) -> Path:
    """The file that candidates are made of."""
    form = folder / INT8_FOLDER / INFERENCE_FILE
    return form if form.exists() else folder / FLOAT_FILE
