"""A network file in OpenVINO, a text that predict.py carries: OpenVINO and NumPy only."""

from __future__ import annotations

import functools
import os
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino

PARTS = (4, 8, 16, 32, 64)


@functools.cache
def _core() -> Any:
    """One for as long as the process lives.

    Each prepares a stack for handlers of signals, and ends with putting back the one before it,
    which is gone if that core ended first: the next Ctrl-C then ends in a segmentation fault
    (OpenVINO 2026.4.1).
    """
    return openvino.Core()


class Session:
    """A loaded file; `threads` are all cores if None.

    One example is run on `together` threads (all if None), in a model compiled for exactly one. A
    batch is cut into parts of `part` examples and each thread works through parts of its own: the
    activations of a part stay in the core's cache, and no thread waits for another after every
    layer.
    """

    def __init__(
        self,
        path: str | Path,
        precision: str = "float32",
        threads: int | None = None,
        part: int = 8,
        together: int | None = None,
    ) -> None:
        self._threads, self._part = threads or _cores(), part
        self._together = min(together or self._threads, self._threads)
        # OpenVINO computes float32 files in bfloat16 where it can, unless told otherwise; an int8
        # file's rest may be either.
        hint = {
            "float32": {"INFERENCE_PRECISION_HINT": "f32"},
            "bfloat16": {"INFERENCE_PRECISION_HINT": "bf16"},
            "int8": {},
        }
        self._config = hint[precision]
        capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if precision == "bfloat16" and "BF16" not in capabilities:
            raise RuntimeError(
                "this processor has no bfloat16 instructions (AVX512_BF16 or AMX_BF16)"
            )
        self._model = _core().read_model(str(path))
        self._inputs = [parameter.friendly_name for parameter in self._model.get_parameters()]
        # A tensor may have several names, in no order; the node behind it has that of the file.
        results = [result.friendly_name for result in self._model.get_results()]
        self._outputs = [name.removesuffix("/sink_port_0") for name in results]
        self._single: Any = None
        self._requests: list[Any] = []
        self._whole: Any = None

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, such as {"label": [n, k]} for {"row": [n, c]}."""
        arrays = [inputs[name] for name in self._inputs]
        count = len(arrays[0])
        if count == 1 and self._suits_single(arrays):
            return self._run_one(arrays)
        if count == 1:
            return self.run_whole(inputs)
        requests = self._parallel()
        answers: list[list[np.ndarray]] = []
        starts = range(0, count, self._part)
        for number, start in enumerate(starts):
            request = requests[number % len(requests)]
            if number >= len(requests):  # it still works on an earlier part
                answers.append(self._finished(request))
            for index, array in enumerate(arrays):
                part = np.ascontiguousarray(array[start : start + self._part])
                request.set_input_tensor(index, openvino.Tensor(part, shared_memory=True))
            request.start_async()
        waiting = range(len(answers), len(starts))
        answers += [self._finished(requests[number % len(requests)]) for number in waiting]
        columns = zip(*answers, strict=True)
        return {
            name: np.concatenate(parts) for name, parts in zip(self._outputs, columns, strict=True)
        }

    def run_whole(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, in one piece."""
        if self._whole is None:
            self._whole = self._compiled(self._model, self._threads, 1).create_infer_request()
        arrays = {index: inputs[name] for index, name in enumerate(self._inputs)}
        results = self._whole.infer(arrays, share_inputs=True)
        return {name: results[index] for index, name in enumerate(self._outputs)}

    def tune(self, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Tries parts of several sizes on this batch, and one thread against all on one example.

        Gives the fastest as options.
        """
        single = {name: array[:1] for name, array in inputs.items()}
        parts = {part: self._seconds(inputs, part=part) for part in PARTS}
        together = {count: self._seconds(single, together=count) for count in (1, self._threads)}
        best = {
            "part": min(parts, key=lambda part: parts[part]),
            "together": min(together, key=lambda count: together[count]),
        }
        self._set(**best)
        return best

    def _set(self, part: int | None = None, together: int | None = None) -> None:
        self._part = part or self._part
        if together is not None and together != self._together:
            self._together, self._single = together, None

    def _seconds(self, inputs: Mapping[str, np.ndarray], **options: int) -> float:
        """The median time of up to ten runs with these options, after one that warms up.

        Fewer if they take over half a second.
        """
        self._set(**options)
        self.run(inputs)
        times: list[float] = []
        while not times or (len(times) < 10 and sum(times) < 0.5):
            began = time.perf_counter()
            self.run(inputs)
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    def _suits_single(self, arrays: list[np.ndarray]) -> bool:
        """Whether the model for one example takes these: it is compiled for the first one's shape.

        Texts have many lengths; to compile for each would take longer than to run them all.
        """
        if self._single is None:
            return True
        _, places, _ = self._single
        return all(place.shape == array.shape for place, array in zip(places, arrays, strict=True))

    def _run_one(self, arrays: list[np.ndarray]) -> dict[str, np.ndarray]:
        if self._single is None:
            model = self._model.clone()
            shapes = {index: [1, *array.shape[1:]] for index, array in enumerate(arrays)}
            model.reshape(shapes)
            request = self._compiled(model, self._together, 1).create_infer_request()
            places = [request.get_input_tensor(index).data for index in range(len(arrays))]
            results = [request.get_output_tensor(index).data for index in range(len(self._outputs))]
            self._single = request, places, results
        request, places, results = self._single
        for place, array in zip(places, arrays, strict=True):
            np.copyto(place, array)
        request.infer(share_outputs=True)
        return {name: np.array(data) for name, data in zip(self._outputs, results, strict=True)}

    def _parallel(self) -> list[Any]:
        """A few requests for each thread, of a model in which every thread works for itself."""
        if not self._requests:
            model = self._compiled(self._model, self._threads, self._threads)
            self._requests = [model.create_infer_request() for _ in range(4 * self._threads)]
        return self._requests

    def _compiled(self, model: Any, threads: int, streams: int) -> Any:
        config = {**self._config, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams}
        return _core().compile_model(model, "CPU", config)

    def _finished(self, request: Any) -> list[np.ndarray]:
        """Copies of the request's outputs, once they are there."""
        request.wait()
        return [np.array(request.get_output_tensor(i).data) for i in range(len(self._outputs))]


def _cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
