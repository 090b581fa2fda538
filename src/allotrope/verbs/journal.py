"""Keeps the values of a run as they appear, and gives them back when the run is resumed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from allotrope.errors import RunFolderError
from allotrope.run import Run
from allotrope.storage import writing

Value = TypeVar("Value")


class Page(ABC, Generic[Value]):
    """How a kind of value is written into a run folder, and read back."""

    @abstractmethod
    def write(self, run: Run, value: Value) -> Value:
        """Files first, then the entry of run.json that says they are there.

        Gives what to go on with.
        """

    @abstractmethod
    def read(self, run: Run) -> Value | None:
        """The value as it was written, None if it was not, or if it is to be made anew."""


class Journal:
    """The values of one run, in their order.

    After one that is made anew, all later ones are too.
    """

    def __init__(self, run: Run, began: float | None = None) -> None:
        """`began`: the clock when the work on the run began, by default now."""
        self.run = run
        if began is None:
            self.began = time.monotonic()
        else:
            self.began = began
        self._can_restore = True

    @property
    def seconds(self) -> float:
        """Since the work began."""
        return time.monotonic() - self.began

    def value(self, page: Page[Value], make: Callable[[], Value]) -> Value:
        """What the page holds; if it is empty, what `make` gives, once it is written."""
        if self._can_restore:
            restored = page.read(self.run)
            if restored is not None:
                return restored
        self._can_restore = False
        value = page.write(self.run, make())
        self.run.save(seconds=self.seconds)
        return value


@contextmanager
def ends_on_record(run: Run, remedy: str = "") -> Iterator[None]:
    """Leaves a run.json that says how the run broke off.

    a disk that cannot be written is a RunFolderError.

    `remedy` says what to do after Ctrl-C.
    """
    try:
        with writing(run.folder):
            yield
    except BaseException as error:
        stopped = isinstance(error, KeyboardInterrupt)
        status = "failed"
        if stopped:
            status = "interrupted"
        # The first error tells more than that its record could not be written either.
        with suppress(RunFolderError):
            run.save(status=status, reason=f"{type(error).__name__}: {error}")
        if stopped and remedy:
            raise KeyboardInterrupt(remedy) from None
        raise
