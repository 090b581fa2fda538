"""Reads ONNX models, as hostile files.

What a file claims is checked here, or in what is called from here, before it is believed.

`wire.py` looks at the bytes, `check_operators.py` at the operators, `tensors.py` and `external.py`
at the arrays, `order.py` at the names.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx

from allotrope.config import Repair
from allotrope.errors import ModelError, UnsupportedError, printable
from allotrope.network.network import Network
from allotrope.network.order import ordered
from allotrope.network.reading.check_operators import check_model
from allotrope.network.reading.external import ExternalData
from allotrope.network.reading.file_formats import HEAD, by_name, check_format, folder_instead
from allotrope.network.reading.foreign.labels import without_labels
from allotrope.network.reading.functions import inlined
from allotrope.network.reading.normalize import normalize
from allotrope.network.reading.opset import OLDEST
from allotrope.network.reading.parse import metadata_of, parse_graph
from allotrope.network.reading.wire import check_wire
from allotrope.network.rewriting.repair import Report

_LARGEST_FILE = 2**31 - 1
_READ_AT_ONCE = 2**26
"""Bytes of a file that is read before it is looked at; its content is looked at in any case."""


def load(
    source: str | os.PathLike[str] | bytes | onnx.ModelProto,
    *,
    repair: Repair | bool = True,
    report: Report = lambda line: None,
) -> Network:
    """The network in an ONNX file, in bytes or in a ModelProto.

    `repair` says which losses of exporters are made good (True all of them, False none): see
    `Repair`. What was found and done is reported, a line a step.

    Raises: ModelError for a model that is broken or hostile, UnsupportedError for one that uses
    what is not supported.
    """
    if not isinstance(repair, Repair):
        repair = Repair() if repair else Repair.none()

    def tell(line: str) -> None:
        report(printable(line).replace("\n", "\\n"))  # names in it are the file's

    if isinstance(source, onnx.ModelProto):
        return _network(source, None, repair, tell)
    if isinstance(source, bytes | bytearray | memoryview):
        return _network(_parsed(bytes(source)), None, repair, tell)
    path = Path(source)
    try:
        return _network(_model_in(path), ExternalData(path), repair, tell)
    except (ModelError, UnsupportedError) as error:
        raise type(error)(f"'{path}': {error}") from error


def read_model(path: Path) -> onnx.ModelProto:
    """The model in a file as it is, its operators unchecked and data in other files left there.

    Raises: ModelError where it is no ONNX model.
    """
    try:
        return _parsed(_content(path))
    except ModelError as error:
        raise ModelError(f"'{path}': {error}") from error


def _network(
    model: onnx.ModelProto, external: ExternalData | None, repair: Repair, report: Report
) -> Network:
    model = without_labels(model, report)
    opset = check_model(model)
    model = inlined(model)
    graph = ordered(parse_graph(model.graph, external))
    graph = replace(graph, documentation=graph.documentation or model.doc_string)
    return normalize(graph, max(opset, OLDEST), metadata_of(model), repair, report)


def _model_in(path: Path) -> onnx.ModelProto:
    content = _content(path)
    with _named(path):
        return _parsed(content)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Adds to an error what the file is by its name, as its content does not tell."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"{error}{by_name(path)}") from error


def _parsed(content: bytes) -> onnx.ModelProto:
    check_format(content[:HEAD], len(content))
    check_wire(content)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:
        raise ModelError(f"this is not an ONNX model: {error}.") from error
    if not model.HasField("graph"):
        raise ModelError("there is no graph in this model: it is empty, or no ONNX model.")
    return model


def _content(path: Path) -> bytes:
    """The bytes of a plain file; a large one is looked at before it is read into memory."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        remedy = "Check the path."
        if path.is_symlink():
            remedy = "It is a link to a file that is not there: the download did not end."
        raise ModelError(f"it cannot be opened: {error.strerror}. {remedy}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise folder_instead(path)
        raise ModelError("it is not a file: give the path of an ONNX file.")
    with open(descriptor, "rb") as file:
        check_format(os.pread(descriptor, HEAD, 0), status.st_size)
        if status.st_size > _LARGEST_FILE:
            raise ModelError(
                f"it has {status.st_size:,} bytes; an ONNX file has at most 2 GiB, "
                "and more weights beside it."
            )
        if status.st_size > _READ_AT_ONCE:
            with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as view, _named(path):
                check_wire(view)
        return file.read()
