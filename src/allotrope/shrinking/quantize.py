"""Post-training quantization: int8 forms of a float32 file, ranges taken from examples.

Weights are int8 with a scale per output channel, activations 8 bits with one scale. What was tried:
docs/delivery.md.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib import util
from pathlib import Path

import numpy as np

from allotrope.errors import MissingDependencyError
from allotrope.telemetry import no_telemetry

Arrays = Mapping[str, np.ndarray]
BATCH = 50

OPERATORS = (
    "Conv", "Gemm", "MatMul", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat",
    "Relu", "Clip",
)  # fmt: skip
"""What ONNX Runtime's quantizer may touch: not what stands before and behind the network, which it
would otherwise round to 8 bits step by step."""
LAYERS = frozenset(("Conv", "Gemm", "MatMul", "LSTM", "GRU", "RNN"))
"""What begins the network, as a Gather from learned rows does."""


def quantize_with_nncf(source: Path, calibration: Arrays, target: Path) -> None:
    """Write an ONNX file, quantized by NNCF on examples: raw inputs by name.

    NNCF places the quantizers where OpenVINO runs whole layers in int8, and corrects the biases for
    the mean error that quantization makes. As OpenVINO's own files (.xml and .bin) the same runs no
    faster, and takes up to twice the space.

    Raises: MissingDependencyError.
    """
    if util.find_spec("nncf") is None:
        install = "pip install 'allotrope[openvino]'"
        raise MissingDependencyError(f"nncf is not installed. Install it with: {install}")
    import logging

    import onnx

    with no_telemetry():
        import nncf

    nncf.set_log_level(logging.ERROR)
    examples = list(_batches(calibration, 1))
    quantized = nncf.quantize(onnx.load(source), nncf.Dataset(examples), subset_size=len(examples))
    onnx.save(quantized, target)


def quantize_with_onnxruntime(
    source: Path, calibration: Arrays, target: Path, *, per_channel: bool = True
) -> None:
    """Write an ONNX file with QuantizeLinear and DequantizeLinear, ranges from the extremes.

    Ranges from percentiles agreed with float32 a little more often, but keep every activation of
    every example in memory.
    """
    from onnxruntime.quantization import QuantType, quantize_static

    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        fold(source, folded)
        quantize_static(
            str(folded),
            str(target),
            _CalibrationBatches(calibration),
            nodes_to_exclude=_before_layers(folded),
            op_types_to_quantize=list(OPERATORS),
            per_channel=per_channel,
            # The kernels for unsigned activations are the faster ones without AMX.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True},
        )


def fold(source: Path, target: Path) -> None:
    """Write the float file whose nodes ONNX Runtime rounds: normalization is in its layers."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(str(source), str(target), skip_symbolic_shape=True)


def _before_layers(file: Path) -> list[str]:
    """The names of the nodes that stand before every layer: how a raw input becomes features.

    Rounded to 8 bits they only lose; and OpenVINO 2026.4.1 crashes (signal 11) if it compiles
    parts with a scale each behind a Concat, a Mul by constants and a layer.
    """
    import onnx

    graph = onnx.load(file).graph
    tables = {array.name for array in graph.initializer if len(array.dims) > 1}
    behind: set[str] = set()
    before = []
    for node in graph.node:
        embeds = node.op_type == "Gather" and node.input[0] in tables
        if embeds or node.op_type in LAYERS or not behind.isdisjoint(node.input):
            behind.update(node.output)
        else:
            before.append(node.name)
    return before


class _CalibrationBatches:
    """ONNX Runtime's CalibrationDataReader over examples."""

    def __init__(self, calibration: Arrays) -> None:
        self._batches = _batches(calibration, BATCH)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next batch by input name, None after the last."""
        return next(self._batches, None)


def _batches(arrays: Arrays, size: int) -> Iterator[dict[str, np.ndarray]]:
    """Parts of all arrays, `size` examples each."""
    count = len(next(iter(arrays.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in arrays.items()}


QUANTIZERS: dict[str, Callable[[Path, Arrays, Path], None]] = {
    "nncf": quantize_with_nncf,
    "onnxruntime": quantize_with_onnxruntime,
}

FLOAT_FORMS: dict[str, Callable[[Path, Path], object]] = {
    "nncf": shutil.copyfile,
    "onnxruntime": fold,
}
"""What writes the float file whose nodes, by their names, are those of a quantizer's file."""
