"""onnx's C++ code in a process of its own.

Shape inference, inlining and function bodies are C++ that trusts its input: a hostile axis makes it
read outside its arrays (seen with onnx 1.23.2: GatherND, LayerNormalization), a hostile number of
outputs fills the memory (Split), a hostile equation never ends (Einsum). There, the worst that
happens is a ModelError here, and a fresh process for the next graph.
"""

from __future__ import annotations

import onnx

from allotrope.errors import ModelError
from allotrope.process.isolation import Crashed, Refused, bare

_LIBRARY = str(onnx.onnx_cpp2py_export.__file__)
_PROCESS = bare("allotrope.network.reading.isolated_worker", _LIBRARY)


def isolated(operation: str, *arguments: bytes) -> bytes:
    """What onnx's C++ code gives for `shapes`, `judge`, `inline` or `body`.

    Raises: ModelError if it refuses, crashes or takes too long.
    """
    try:
        (content,) = _PROCESS.ask(operation, *arguments)
    except Crashed as error:
        crashed = "onnx crashed on it, or took too long"
        raise ModelError(f"{crashed}: an attribute or shape in it is far out of range.") from error
    except Refused as error:
        raise ModelError(" ".join(str(error).split())) from error
    return content
