"""A network file in OpenVINO. A delivered predict.py carries this text: it imports OpenVINO and NumPy only."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino

PARTS = (4, 8, 16, 32)


class Session:
    """A loaded file; `threads` are all cores where None.

    One image is run on `together` threads (all where None), in a model compiled for exactly one image. A batch is cut into
    parts of `part` images and each thread works through parts of its own: the activations of a part stay in the core's cache,
    and no thread waits for another after every layer.
    """

    def __init__(
        self, path: str | Path, precision: str = "float32", threads: int | None = None, part: int = 8, together: int | None = None
    ) -> None:
        self._core = openvino.Core()
        self._threads, self._part = threads or _cores(), part
        self._together = min(together or self._threads, self._threads)
        # OpenVINO computes float32 files in bfloat16 where it can, unless told otherwise; an int8 file's rest may be either.
        hint = {"float32": {"INFERENCE_PRECISION_HINT": "f32"}, "bfloat16": {"INFERENCE_PRECISION_HINT": "bf16"}, "int8": {}}
        self._config = hint[precision]
        if precision == "bfloat16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeError("this processor has no bfloat16 instructions (AVX512_BF16 or AMX_BF16)")
        self._model = self._core.read_model(str(path))
        self._single: Any = None
        self._requests: list[Any] = []
        self._whole: Any = None

    def run(self, images: np.ndarray) -> np.ndarray:
        """The first output for the first input, such as probabilities [n, k] for images [n, h, w, c]."""
        if len(images) == 1:
            return self._run_one(images)
        parts = [np.ascontiguousarray(images[i : i + self._part]) for i in range(0, len(images), self._part)]
        requests = self._parallel()
        found: list[np.ndarray] = []
        for i, part in enumerate(parts):
            if i >= len(requests):
                found.append(_finished(requests[i % len(requests)]))
            requests[i % len(requests)].set_input_tensor(openvino.Tensor(part, shared_memory=True))
            requests[i % len(requests)].start_async()
        found += [_finished(requests[i % len(requests)]) for i in range(len(found), len(parts))]
        return np.concatenate(found)

    def run_whole(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name."""
        if self._whole is None:
            self._whole = self._compiled(self._model, self._threads, 1).create_infer_request()
        found = self._whole.infer(dict(inputs), share_inputs=True)
        return {next(iter(output.get_names())): found[output] for output in self._whole.model_outputs}

    def tune(self, images: np.ndarray) -> dict[str, Any]:
        """Tries parts of several sizes on this batch, and one thread against all on one image; gives the fastest as options."""
        parts = {part: self._seconds(images, part=part) for part in PARTS}
        together = {count: self._seconds(images[:1], together=count) for count in (1, self._threads)}
        best = {"part": min(parts, key=lambda part: parts[part]), "together": min(together, key=lambda count: together[count])}
        self._set(**best)
        return best

    def _set(self, part: int | None = None, together: int | None = None) -> None:
        self._part = part or self._part
        if together is not None and together != self._together:
            self._together, self._single = together, None

    def _seconds(self, images: np.ndarray, **options: int) -> float:
        """The median time of up to ten runs with these options, after one that warms up; fewer where they take over half a second."""
        self._set(**options)
        self.run(images)
        times: list[float] = []
        while not times or (len(times) < 10 and sum(times) < 0.5):
            began = time.perf_counter()
            self.run(images)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    def _run_one(self, images: np.ndarray) -> np.ndarray:
        if self._single is None:
            model = self._model.clone()
            model.reshape([1, *images.shape[1:]])
            request = self._compiled(model, self._together, 1).create_infer_request()
            self._single = request, request.get_input_tensor().data, request.get_output_tensor().data
        request, pixels, probabilities = self._single
        np.copyto(pixels, images)
        request.infer(share_outputs=True)
        return np.array(probabilities)

    def _parallel(self) -> list[Any]:
        """A few requests for each thread, of a model in which every thread works for itself."""
        if not self._requests:
            model = self._compiled(self._model, self._threads, self._threads)
            self._requests = [model.create_infer_request() for _ in range(4 * self._threads)]
        return self._requests

    def _compiled(self, model: Any, threads: int, streams: int) -> Any:
        return self._core.compile_model(model, "CPU", {**self._config, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams})


def _finished(request: Any) -> np.ndarray:
    """A copy of the request's output, once it is there."""
    request.wait()
    return np.array(request.get_output_tensor().data)


def _cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
