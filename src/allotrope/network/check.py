"""Whether a model holds together."""

from __future__ import annotations

import onnx

from allotrope.errors import UnsupportedError
from allotrope.network.opset import OLDEST, OPSET


def check_model(model: onnx.ModelProto) -> int:
    """The opset of the model."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    opset = versions.get("", versions.get("ai.onnx", OLDEST))
    if opset > OPSET:
        raise UnsupportedError(f"opset {opset}")
    return int(opset)
