"""Runtimes run network files and train nothing.

Each has one file or folder, which alone imports it.
"""

from __future__ import annotations

from importlib import import_module

from allotrope.errors import unknown_name
from allotrope.runtimes.contract import Runtime

_HOMES = {
    "onnxruntime": ("allotrope.runtimes.onnxruntime.runtime", "OnnxRuntime"),
    "openvino": ("allotrope.runtimes.openvino.runtime", "OpenVino"),
    "pytorch": ("allotrope.runtimes.pytorch", "PyTorchEager"),
}

RUNTIMES = tuple(_HOMES)


def runtime(name: str) -> Runtime:
    """The runtime of that name, installed or not; nothing of it is imported yet.

    Raises: UsageError for a name that is not known.
    """
    if name not in _HOMES:
        raise unknown_name("runtime", name, RUNTIMES)
    module, kind = _HOMES[name]
    made: Runtime = getattr(import_module(module), kind)()
    return made
