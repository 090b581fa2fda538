"""What a training tells while it runs; the display is elsewhere."""

from __future__ import annotations

from typing import Any, Protocol


class Progress(Protocol):
    """Is told how a training goes. Called from the training's own thread, so each method should return at once."""

    def step(
        self,
        epoch: int,
        epochs: float | None,
        step: int,
        steps: int,
        loss: float,
        accuracy: float | None,
        images_per_second: float,
        seconds_left: float | None,
    ) -> None:
        """A few times a second at most. `epoch` counts from 0 and `step` of `steps` within it; `accuracy` is the last validation's."""

    def epoch(self, row: dict[str, Any]) -> None:
        """After each validation: the new row of the history."""

    def note(self, message: str) -> None:
        """Anything else the user should know, such as a damaged checkpoint."""


class Silent:
    """A progress that shows nothing."""

    def step(
        self,
        epoch: int,
        epochs: float | None,
        step: int,
        steps: int,
        loss: float,
        accuracy: float | None,
        images_per_second: float,
        seconds_left: float | None,
    ) -> None:
        """Shows nothing."""

    def epoch(self, row: dict[str, Any]) -> None:
        """Shows nothing."""

    def note(self, message: str) -> None:
        """Shows nothing."""
