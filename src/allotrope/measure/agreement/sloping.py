"""Who takes finite differences: the reference, or a framework that computes the same sooner."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.objectives import Objective, places, reference_objective
from allotrope.measure.agreement.recording import WORKER
from allotrope.measure.agreement.slopes import Slope, directions_of, moved, slopes_of
from allotrope.measure.agreement.step_files import Arrays
from allotrope.process.worker import WorkerError, WorkerProcess
from allotrope.progress import SECONDS_BETWEEN_LINES

WORTH_A_PROCESS = 5.0
"""Seconds of NumPy that are worth another process."""

PASSES = 5
"""How often a network is run for a slope that settles at once."""

FAR = 1e-2
"""How far from its weights a network is run, by the reference too, before one is trusted."""

SAME = 1e-8
"""How well the two must agree there."""


@dataclass(frozen=True)
class Sloper:
    """Takes slopes: `trusted` computes as the reference does, `seconds` is one pass of this."""

    trusted: str | None
    seconds: float
    threads: int
    say: Callable[[str], None]
    reference: Callable[[Computation, str], Objective] = reference_objective

    def slopes(
        self, computation: Computation, part: str, groups: int
    ) -> tuple[tuple[Slope, ...], str]:
        """The slopes of `part`, an item of `objectives.PARTS`, and who took them."""
        count = min(groups, len(places(computation, part)))
        seconds = count * PASSES * self.seconds
        if self.trusted is not None and seconds > WORTH_A_PROCESS:
            self.say(
                f"{self.trusted}: {count} {part}; the reference would take about {seconds:.0f} s"
            )
            try:
                return self._by_framework(self.trusted, computation, part, groups), self.trusted
            except WorkerError as error:
                self.say(f"{self.trusted} takes no {part}: {error}")
        about = ""
        if seconds > 1:
            about = f", about {seconds:.0f} s"
        self.say(f"reference: {count} {part}{about}")
        objective, arrays = self.reference(computation, part), places(computation, part)
        return slopes_of(objective, arrays, groups, computation.seed, self._tell), "reference"

    def _tell(self, line: str) -> None:
        self.say(f"reference: {line}")

    def _by_framework(
        self, name: str, computation: Computation, part: str, groups: int
    ) -> tuple[Slope, ...]:
        """Raises: WorkerError if the framework fails, or differs from the reference elsewhere."""
        every = directions_of(places(computation, part), groups, computation.seed)
        slopes, said = [], time.monotonic()
        with WorkerProcess(WORKER, self.threads) as worker:
            worker.ask("begin", framework=name, computation=asdict(computation))
            for number, directions in enumerate(every):
                asked = {
                    "part": part,
                    "groups": groups,
                    "number": number,
                    "far": FAR * (number == 0),
                }
                answer = worker.ask("slope", **asked)
                if "refused" in answer:
                    raise WorkerError(answer["refused"])
                if number == 0:
                    self._check_equal(computation, part, directions, answer["far"])
                slopes.append(Slope(directions, answer["value"], answer["uncertainty"]))
                if time.monotonic() - said > SECONDS_BETWEEN_LINES:
                    said = time.monotonic()
                    self.say(f"{name}: slope {number + 1} of {len(every)}")
        return tuple(slopes)

    def _check_equal(
        self, computation: Computation, part: str, directions: Arrays, far: float
    ) -> None:
        """Raises: WorkerError where the reference has another value at the far place."""
        expected = moved(
            self.reference(computation, part), places(computation, part), directions, FAR
        )
        both_undefined = math.isnan(far) and math.isnan(expected)
        if not math.isclose(far, expected, rel_tol=SAME) and not both_undefined:
            where = f"away from the weights it has {far:.9g}"
            raise WorkerError(f"{where}, the reference {expected:.9g}")
