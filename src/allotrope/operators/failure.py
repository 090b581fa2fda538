"""What is said of a node that could not be computed: its inputs, the cause, what ONNX expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from allotrope.errors import AllotropeError, NodeError, UnsupportedError
from allotrope.memory_limit import MEMORY_LIMIT
from allotrope.network.graph import Graph, Node, Value
from allotrope.network.reading.shapes import objection

_OF_ARRAYS = (
    ArithmeticError,
    AttributeError,
    BufferError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What Python, NumPy, PyTorch and JAX raise about arrays that do not fit. Any other exception is
not about arrays: it passes."""
_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "unable to allocate",
    "resource_exhausted",
    "oom when allocating",
)
_SHOWN_VALUES = 8
_LONGEST = 400


def explained(error: Exception, node: Node, frame: Mapping[str, Any], p: Any) -> Exception:
    """The error to raise in the place of one that came from computing a node.

    The node's own inputs are in `frame`.

    An AllotropeError keeps its kind and is told the node. What says that arrays do not fit becomes
    a NodeError, a kernel that the framework lacks an UnsupportedError, each with the first as its
    cause. Anything else, such as a failed assertion or an exception of the user's own, stays itself
    and gets a note.
    """
    if isinstance(error, AllotropeError):
        return type(error)(f"{node}: {error}")
    if not isinstance(error, (*_OF_ARRAYS, *p.failures)):
        error.add_note(f"while computing {node}")
        return error
    inputs = ", ".join(_described(name, frame, p) for name in node.inputs if name) or "no inputs"
    start = f"{node} cannot be computed from {inputs}"
    cause = _cause(error)
    if isinstance(error, p.lacking):
        return UnsupportedError(f"{start}: {p.title} lacks it. {cause}")
    if isinstance(error, MemoryError) or any(words in cause.lower() for words in _MEMORY):
        return NodeError(
            f"{start}: there is not enough memory. {cause} "
            f"{MEMORY_LIMIT} says what one array may take."
        )
    return NodeError(f"{start}: {cause}{_expected(node, frame, p)}")


def _cause(error: Exception) -> str:
    """The first lines of what was raised, with its kind where the text alone says little."""
    text = " ".join(str(error).split())
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} …"
    name = type(error).__name__
    if text:
        return f"{name}: {text.rstrip('.')}."
    return f"{name}."


def _described(name: str, frame: Mapping[str, Any], p: Any) -> str:
    """An input's type and shape, and its values where these are few and known."""
    if name not in frame:
        return f"'{name}', which the node before it did not give"
    value = frame[name]
    if value is None:
        return f"'{name}' = nothing"
    if isinstance(value, list):
        return f"'{name}' = a sequence of {len(value)}"
    known = _type(value, p)
    if known is None:
        return f"'{name}' = a {type(value).__name__}"
    text = f"'{name}' = {known.dtype} {list(known.shape or ())}"
    few = (
        isinstance(value, np.ndarray) and value.size <= _SHOWN_VALUES and value.dtype.kind in "biu"
    )
    if few:
        return f"{text} with values {value.tolist()}"
    return text


def _type(value: Any, p: Any) -> Value | None:
    """The type and shape of an array, of the framework or NumPy's; None where it does not say."""
    if isinstance(value, np.ndarray | np.generic):
        return Value("", value.dtype, value.shape)
    try:
        return Value("", np.dtype(p.dtype(value)), tuple(int(n) for n in p.shape(value)))
    except (AllotropeError, *_OF_ARRAYS):
        return None


def _expected(node: Node, frame: Mapping[str, Any], p: Any) -> str:
    """What ONNX's own definition of the operator has against these types and shapes.

    Empty where it has nothing.
    """
    # Of a subgraph the inference knows nothing without the graph around it.
    if any(isinstance(value, Graph) for value in node.attributes.values()):
        return ""
    names = [name for name in dict.fromkeys(node.inputs) if name]
    # The same value may go to several inputs: it is described once.
    types = {name: _type(frame.get(name), p) for name in names}
    if any(known is None for known in types.values()):
        return ""
    inputs = [
        Value(name, known.dtype, known.shape) for name, known in types.items() if known is not None
    ]
    arrays = {name: frame[name] for name in names if isinstance(frame[name], np.ndarray)}
    against = objection(node, inputs, arrays) or _channels(node, inputs)
    if not against:
        return ""
    return f" By ONNX's definition: {against}"


def _channels(node: Node, inputs: list[Value]) -> str:
    """What onnx 1.23's inference does not look at: the channels of a convolution."""
    shapes = [value.shape or () for value in inputs[:2]]
    if node.operator not in ("Conv", "ConvTranspose") or min(map(len, shapes)) < 2:
        return ""
    if node.operator == "Conv":
        axis, group = 1, node.attributes.get("group", 1)
    else:
        axis, group = 0, 1
    if shapes[0][1] == int(shapes[1][axis] or 0) * group:
        return ""
    return (
        f"{shapes[0][1]} channels of input and {shapes[1][axis]} of weight times group {group} "
        "differ."
    )
