"""Post-training quantization: int8 forms of a float32 file, their ranges taken from calibration images.

Weights are int8 with a scale per output channel, activations 8 bits with one scale. What was tried: docs/delivery.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import MissingDependencyError
from allotrope.telemetry import no_telemetry

BATCH = 50

OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Relu", "Clip")
"""What ONNX Runtime's quantizer may touch: not pre-processing and softmax, which it would otherwise round to 8 bits step by step."""


def quantize_with_nncf(source: Path, images: np.ndarray, target: Path) -> None:
    """Write an ONNX file, quantized by NNCF on images: uint8 [n, h, w, c].

    NNCF places the quantizers where OpenVINO runs whole layers in int8, and corrects the biases for the mean error that
    quantization makes. As OpenVINO's own files (.xml and .bin) the same runs no faster, and takes up to twice the space.

    Raises: MissingDependencyError.
    """
    if util.find_spec("nncf") is None:
        raise MissingDependencyError("nncf is not installed. Install it with: pip install 'allotrope[openvino]'")
    import logging

    import onnx

    with no_telemetry():
        import nncf

    nncf.set_log_level(logging.ERROR)
    model = onnx.load(source)
    name = model.graph.input[0].name
    calibration = nncf.Dataset([images[i : i + 1] for i in range(len(images))], lambda image: {name: image})
    onnx.save(nncf.quantize(model, calibration, subset_size=len(images)), target)


def quantize_with_onnxruntime(source: Path, images: np.ndarray, target: Path) -> None:
    """Write an ONNX file with QuantizeLinear and DequantizeLinear, ranges from the extremes over images: uint8 [n, h, w, c].

    Ranges from percentiles agreed with float32 a little more often, but keep every activation of every image in memory.
    """
    from onnxruntime import InferenceSession
    from onnxruntime.quantization import QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    name = InferenceSession(str(source), providers=["CPUExecutionProvider"]).get_inputs()[0].name
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        quant_pre_process(str(source), str(folded), skip_symbolic_shape=True)
        quantize_static(
            str(folded),
            str(target),
            _CalibrationBatches(name, images),
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            activation_type=QuantType.QUInt8,  # the kernels for unsigned activations are the faster ones without AMX
            weight_type=QuantType.QInt8,
            extra_options={"WeightSymmetric": True},
        )


class _CalibrationBatches:
    """ONNX Runtime's CalibrationDataReader over images."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self._batches: Iterator[dict[str, Any]] = ({name: images[i : i + BATCH]} for i in range(0, len(images), BATCH))

    def get_next(self) -> dict[str, Any] | None:
        """The next batch by input name, None after the last."""
        return next(self._batches, None)


QUANTIZERS: dict[str, Callable[[Path, np.ndarray, Path], None]] = {
    "nncf": quantize_with_nncf,
    "onnxruntime": quantize_with_onnxruntime,
}
