"""Ctrl-C as a wish to stop after the current step: weights are never left half updated."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class Interruption:
    """While entered, the first Ctrl-C only sets `requested`; a second raises KeyboardInterrupt.

    Outside the main thread, or where Ctrl-C is ignored or handled by somebody else, nothing is
    changed.
    """

    def __init__(self) -> None:
        """Nothing has been requested yet."""
        self.requested = False
        self._installed = False

    def __enter__(self) -> Self:
        """Take over Ctrl-C."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._request)
            self._installed = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give Ctrl-C back."""
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
