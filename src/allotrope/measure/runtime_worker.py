"""A process that runs one file in one runtime: `python -m allotrope.measure.runtime_worker`.

Arrays come and go by name as files.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import UnsupportedError
from allotrope.measure.machine import peak_memory
from allotrope.measure.plain import plain
from allotrope.memory_limit import examples_at_once
from allotrope.process.carried_arrays import STORED, read_arrays, write_arrays
from allotrope.process.serve import serve
from allotrope.telemetry import no_telemetry

BATCH = 256

MEASURING = "allotrope.measure.runtime_worker"
"""What a process runs that measures."""


class Worker:
    """The process's state: at most one open session, and the inputs that were read last."""

    def __init__(self) -> None:
        self._session: Any = None
        self._inputs: tuple[str, dict[str, np.ndarray]] = ("", {})

    def load(self, runtime: str) -> dict[str, Any]:
        """Imports a runtime, so that `open` does not count the time for it."""
        from allotrope.runtimes import runtime as find

        wanted = find(runtime)
        with no_telemetry():
            __import__(wanted.package)
        return {"version": wanted.version()}

    def open(
        self,
        runtime: str,
        path: str,
        precision: str,
        threads: int,
        inputs: str,
        whole: bool,
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Opens a file and runs it once: the seconds until there is a first answer."""
        from allotrope.runtimes import runtime as find

        self._read(inputs)
        began = time.perf_counter()
        self._session = find(runtime).open(Path(path), precision, threads, **(options or {}))
        self._run(inputs, whole)
        return {"seconds": time.perf_counter() - began}

    def tune(self, inputs: str) -> dict[str, Any]:
        """Lets the session choose how it runs such a batch."""
        return {"options": self._session.tune(self._read(inputs))}

    def predict(self, inputs: str, output: str) -> dict[str, Any]:
        """Runs all examples in batches and writes every output, by name."""
        arrays = self._read(inputs)
        count = len(next(iter(arrays.values())))
        size = examples_at_once(arrays, BATCH)
        batches = [
            self._session.run({name: array[i : i + size] for name, array in arrays.items()})
            for i in range(0, count, size)
        ]
        names = batches[0].keys()
        joined = {name: np.concatenate([batch[name] for batch in batches]) for name in names}
        write_arrays(Path(output), joined)
        return {}

    def outputs(self, inputs: str, output: str) -> dict[str, Any]:
        """Runs the inputs in one piece and writes every output in order, as plain arrays."""
        np.savez(output, *plain(self._session.run_whole(self._read(inputs))))
        return {}

    def reference(self, path: str, inputs: str, output: str, names: list[str]) -> dict[str, Any]:
        """Writes what the float64 reference gives for the inputs, if it has all these outputs."""
        from allotrope.network.reading.read import load

        network = load(Path(path), repair=False)
        read = [value.name for value in network.outputs]
        if read != names:
            expected = ", ".join(names)
            raise UnsupportedError(f"of the outputs {expected} it reads {', '.join(read)}")
        np.savez(output, *plain(network.run(self._read(inputs))))
        return {}

    def time(
        self, inputs: str, warmup: int, least: int, seconds: float, whole: bool
    ) -> dict[str, Any]:
        """Milliseconds of each run after the warm-up, which too ends after `seconds`."""
        ends = time.perf_counter() + seconds
        for number in range(warmup):
            if number == 0 or time.perf_counter() < ends:
                self._run(inputs, whole)
        times: list[float] = []
        ends = time.perf_counter() + seconds
        while len(times) < least or time.perf_counter() < ends:
            began = time.perf_counter()
            self._run(inputs, whole)
            times.append(1e3 * (time.perf_counter() - began))
        return {"milliseconds": times}

    def memory(self) -> dict[str, Any]:
        """The most bytes of memory that this process has held, None if the system does not say."""
        return {"bytes": peak_memory()}

    def quantize(
        self, method: str, source: str, calibration: str, named: str, target: str
    ) -> dict[str, Any]:
        """Writes the int8 form of a file, and stripped of what only people and training read."""
        from allotrope.shrinking.quantize import QUANTIZERS
        from allotrope.shrinking.stripped import strip

        QUANTIZERS[method](Path(source), self._read(calibration), Path(named))
        strip(Path(named), Path(target))
        return {}

    def float_form(self, method: str, source: str, target: str) -> dict[str, Any]:
        """Writes the float file that a quantizer makes its own of."""
        from allotrope.shrinking.quantize import FLOAT_FORMS

        FLOAT_FORMS[method](Path(source), Path(target))
        return {}

    def _read(self, path: str) -> dict[str, np.ndarray]:
        if self._inputs[0] != path:
            self._inputs = path, {**read_arrays(Path(path)), **_stored(Path(path))}
        return self._inputs[1]

    def _run(self, path: str, whole: bool) -> Any:
        inputs = self._read(path)
        if whole:
            return self._session.run_whole(inputs)
        return self._session.run(inputs)


def _stored(path: Path) -> dict[str, np.ndarray]:
    """The inputs that stay on disk."""
    if not path.with_suffix(STORED).is_file():
        return {}
    # Only here: it takes longer to load than all else that a worker needs.
    from allotrope.data.store.carried_columns import read_stored

    return read_stored(path)


if __name__ == "__main__":
    serve(Worker())
