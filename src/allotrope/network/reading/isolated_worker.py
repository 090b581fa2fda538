"""The other end of `isolated.py`: a bare Python that holds onnx's C++ library and nothing else."""

from __future__ import annotations

import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from allotrope.process.serve import serve

SECONDS = 2.0
SECONDS_A_BYTE = 1e-6
"""How long one request may keep the processor."""
MEMORY = 2**30
"""Bytes of address space; what a hostile graph asks for beyond it fails here and nowhere else."""


class OnnxLibrary:
    """What is asked of onnx's C++ code; models, nodes and types as they are serialized."""

    def __init__(self, path: str) -> None:
        loader = ExtensionFileLoader("onnx_cpp2py_export", path)
        spec = spec_from_file_location(loader.name, loader.path, loader=loader)
        assert spec is not None
        self._library: Any = module_from_spec(spec)
        loader.exec_module(self._library)

    def shapes(self, model: bytes) -> list[bytes]:
        """The model with the shapes that can be inferred."""
        return [self._library.shape_inference.infer_shapes(model, False, False, True)]

    def judge(self, model: bytes) -> list[bytes]:
        """The same, and an error if the shapes contradict each other."""
        return [self._library.shape_inference.infer_shapes(model, True, True, True)]

    def inline(self, model: bytes) -> list[bytes]:
        """The model without functions of its own."""
        return [self._library.inliner.inline_local_functions(model, False)]

    def body(
        self,
        operator: bytes,
        domain: bytes,
        version: bytes,
        body_version: bytes,
        node: bytes,
        *types: bytes,
    ) -> list[bytes]:
        """What an operator is made of, if that depends on its node."""
        schema = self._library.defs.get_schema(operator.decode(), int(version), domain.decode())
        make = schema.get_context_dependent_function_with_opset_version
        return [make(int(body_version), node, types)]


def main() -> None:
    """Answers requests one by one."""
    library = OnnxLibrary(sys.argv[1])
    serve(library, memory=MEMORY, seconds=SECONDS, seconds_a_byte=SECONDS_A_BYTE)
