"""What a runtime supplies: whether it is there, and sessions that run a file."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from importlib import metadata, util
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np


class Session(Protocol):
    """A file that is loaded and ready to run: inputs by name in, outputs by name out."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs.

        Examples are the first axis of all inputs and outputs, so that a batch may be run in parts.
        """

    def run_whole(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs, in one piece, whatever the axes are."""

    def tune(self, inputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Tries the ways to run such a batch; gives the options of `open` that repeat the best."""


class Runtime(abc.ABC):
    """Runs network files on this machine. Nothing of it is imported before `open`.

    `package` is the distribution and the module that must be there, `install` the command that
    brings it. `session_module` is the module whose text a delivered predict.py carries: it imports
    the runtime and NumPy only; None if nothing is delivered for this runtime.
    """

    name: ClassVar[str]
    package: ClassVar[str]
    install: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]]
    session_module: ClassVar[str | None] = None

    def available(self) -> str | None:
        """None if the runtime is installed, else the reason with the command that mends it."""
        if util.find_spec(self.package) is None:
            return f"{self.package} is not installed. Install it with: {self.install}"
        return None

    def version(self) -> str | None:
        """The installed version, None if it is not installed."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None

    @abc.abstractmethod
    def open(
        self, path: Path, precision: str, threads: int | None = None, **options: Any
    ) -> Session:
        """The file, loaded to run with so many threads (all cores if None).

        `options` are what `Session.tune` gave.

        Raises: UnsupportedError if this processor lacks the precision; anything that the runtime
        raises on the file.
        """
