"""The other end of `isolated.py`: a bare Python that holds onnx's C++ library and nothing else.

Run as `python -I -S isolated_worker.py <library>`; reads requests from standard input until it ends. A message is a count and
then each part with its length, little-endian. Only the standard library is imported, so that it starts in 30 ms.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import struct
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any, BinaryIO

SECONDS = 3.0
SECONDS_A_BYTE = 1e-6
"""How long one request may keep the processor; a busy machine takes nothing from it."""
MEMORY = 2**30
"""Bytes of address space; what a hostile graph asks for beyond it fails here and nowhere else."""


def main() -> None:
    """Answer requests one by one."""
    with contextlib.suppress(ValueError, OSError):  # some systems do not let a process bound itself
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    loader = ExtensionFileLoader("onnx_cpp2py_export", sys.argv[1])
    spec = spec_from_file_location(loader.name, loader.path, loader=loader)
    assert spec is not None
    library = module_from_spec(spec)
    loader.exec_module(library)
    while request := read(sys.stdin.buffer):
        signal.setitimer(signal.ITIMER_PROF, SECONDS + SECONDS_A_BYTE * sum(map(len, request)))  # ends this process when it runs out
        try:
            reply = [b"ok", answer(library, *request)]
        except Exception as error:  # noqa: BLE001 - whatever it is goes back as text
            reply = [b"error", f"{type(error).__name__}: {error}".encode()]
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(pack(reply))
        sys.stdout.buffer.flush()


def answer(library: Any, operation: bytes, *arguments: bytes) -> bytes:
    """What onnx's C++ code gives."""
    if operation == b"shapes":
        return bytes(library.shape_inference.infer_shapes(arguments[0], False, False, True))
    if operation == b"judge":
        return bytes(library.shape_inference.infer_shapes(arguments[0], True, True, True))
    if operation == b"inline":
        return bytes(library.inliner.inline_local_functions(arguments[0], False))
    if operation == b"body":
        operator, domain, version, body_version, node, *types = arguments
        schema = library.defs.get_schema(operator.decode(), int(version), domain.decode())
        return bytes(schema.get_context_dependent_function_with_opset_version(int(body_version), node, types))
    raise ValueError(f"unknown request {operation!r}")


def pack(parts: list[bytes]) -> bytes:
    """A message as bytes."""
    return struct.pack("<I", len(parts)) + b"".join(struct.pack("<Q", len(part)) + part for part in parts)


def read(stream: BinaryIO) -> list[bytes]:
    """The next message; empty at the end."""
    count = stream.read(4)
    if len(count) < 4:
        return []
    return [stream.read(struct.unpack("<Q", stream.read(8))[0]) for _ in range(struct.unpack("<I", count)[0])]


if __name__ == "__main__":
    main()
