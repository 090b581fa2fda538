"""Files made to do harm, and that they are refused soon."""

import time

import pytest
from onnx import TensorProto

import allotrope
from allotrope.errors import ModelError
from onnx_models import model, node

SECONDS = 5.0


def assert_refused(source, *words, kind=ModelError):
    """Loads it, and gives the error."""
    start = time.process_time()
    with pytest.raises(kind) as caught:
        allotrope.load(source)
    assert time.process_time() - start < SECONDS
    assert type(caught.value) is kind
    assert all(word in str(caught.value) for word in words), str(caught.value)


def field(number, payload):
    """A length-delimited field as protobuf writes it."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def relu(**more):
    return model([node("Relu", "x", "y")], **more)


def raw(name="w", dims=(2, 2), data=b"\0" * 16, kind=TensorProto.FLOAT):
    return TensorProto(name=name, data_type=kind, dims=dims, raw_data=data)


def with_tensor(proto):
    made = model([node("MatMul", "x w", "y")])
    made.graph.initializer.append(proto)
    return made
