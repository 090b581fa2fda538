"""What takes the bytes of an ONNX file, as it is and stripped.

python benchmarks/file_bytes.py model.onnx [more.onnx …]

For an int8 file as a quantizer wrote it, before `fit` strips it:
python benchmarks/file_bytes.py runs/digits-1/model.onnx --quantized onnxruntime nncf
(ranges from random numbers: they change no size)
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto

from allotrope.shrinking.quantize import QUANTIZERS
from allotrope.shrinking.stripped import strip_model

EXAMPLES = 4


def main() -> None:
    """Prints a table for each file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--quantized", nargs="*", choices=sorted(QUANTIZERS), default=())
    asked = parser.parse_args()
    for file in asked.files:
        print_table(str(file), onnx.load(file))
        for quantizer in asked.quantized:
            print_table(f"{file}, int8 by {quantizer}", quantized(file, quantizer))


def quantized(file: Path, quantizer: str) -> ModelProto:
    """The file as a quantizer writes it."""
    inputs = {value.name: numbers_for(value) for value in onnx.load(file).graph.input}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        QUANTIZERS[quantizer](file, inputs, target)
        return onnx.load(target)


def numbers_for(value: onnx.ValueInfoProto) -> np.ndarray:
    """Random examples of an input, free lengths as one."""
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [dimension.dim_value or 1 for dimension in tensor.shape.dim]
    return (100 * np.random.default_rng(0).random((EXAMPLES, *shape[1:]))).astype(dtype)


def print_table(title: str, model: ModelProto) -> None:
    """A line for each part: bytes before and after."""
    before = dict(parts(model))
    strip_model(model)
    after = dict(parts(model))
    print(f"\n{title}\n{'':22}{'as it is':>10}{'stripped':>10}")
    for name, size in before.items():
        print(f"{name:22}{size:10,}{after[name]:10,}")


def parts(model: ModelProto) -> Iterator[tuple[str, int]]:
    """The bytes of the whole, and of what is in the outermost graph."""
    graph = model.graph
    yield "whole file", model.ByteSize()
    yield "arrays", sum(onnx.numpy_helper.to_array(each).nbytes for each in graph.initializer)
    yield "names of arrays", sum(len(each.name) for each in graph.initializer)
    yield "names of nodes", sum(len(node.name) for node in graph.node)
    names = (name for node in graph.node for name in (*node.input, *node.output))
    yield "names that nodes take", sum(map(len, names))
    attributes = (each for node in graph.node for each in node.attribute)
    yield "attributes", sum(each.ByteSize() for each in attributes)
    yield "shapes of values", sum(each.ByteSize() for each in graph.value_info)
    yield "metadata", sum(each.ByteSize() for each in model.metadata_props)
    yield "imported domains", sum(each.ByteSize() for each in model.opset_import)


if __name__ == "__main__":
    main()
