"""A network file that is asked for answers in a process of its own, as a runtime may crash."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from allotrope.data.store.carried_columns import write_columns
from allotrope.measure.machine import cores
from allotrope.measure.runtime_worker import MEASURING
from allotrope.process.carried_arrays import read_arrays
from allotrope.process.worker import WorkerProcess

Arrays = Mapping[str, np.ndarray]


class FileAnswers:
    """The file of a candidate's row, in its runtime and precision, with the options it chose."""

    def __init__(self, row: Mapping[str, Any], folder: Path, threads: int | None = None) -> None:
        """`row` names its file relative to `folder`. It is opened when it is first asked."""
        self._row, self._folder, self._threads = row, folder, threads or cores()
        self._stack = ExitStack()
        self._asked = 0

    def __enter__(self) -> FileAnswers:
        scratch = self._stack.enter_context(tempfile.TemporaryDirectory())
        self._scratch = Path(scratch)
        self._worker = self._stack.enter_context(WorkerProcess(MEASURING, self._threads))
        self._worker.ask("load", runtime=self._row["runtime"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """All outputs of the file by name. Raises: WorkerError."""
        path = self._written(inputs)
        output = self._scratch / "answers.npz"
        self._worker.ask("predict", inputs=str(path), output=str(output))
        path.unlink()
        return read_arrays(output)

    def tune(self, inputs: Arrays) -> None:
        """Chooses how such a batch is run from now on. Raises: WorkerError."""
        path = self._written(inputs)
        self._worker.ask("tune", inputs=str(path))
        path.unlink()

    def _written(self, inputs: Arrays) -> Path:
        # A worker knows inputs by the name of their file, so that no name may come twice.
        path = self._scratch / f"inputs-{self._asked}.npz"
        write_columns(path, inputs)
        if not self._asked:
            self._open(str(path), inputs)
        self._asked += 1
        return path

    def _open(self, path: str, inputs: Arrays) -> None:
        few = Path(path).with_name("first.npz")
        write_columns(few, {name: column[:1] for name, column in inputs.items()})
        row = self._row
        self._worker.ask(
            "open",
            runtime=row["runtime"],
            path=str(self._folder / row["file"]),
            precision=row["precision"],
            threads=self._threads,
            inputs=str(few),
            whole=False,
            options=row.get("options"),
        )
