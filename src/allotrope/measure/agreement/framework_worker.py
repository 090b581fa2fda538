"""Records a network in one framework: `python -m allotrope.measure.agreement.framework_worker`."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from allotrope.config import Settings
from allotrope.errors import AllotropeError
from allotrope.frameworks import FRAMEWORKS
from allotrope.frameworks import framework as find
from allotrope.frameworks.contract import Trainer
from allotrope.frameworks.jax.releases import flags
from allotrope.measure.agreement.computation import Computation
from allotrope.measure.agreement.objectives import framework_objective, places
from allotrope.measure.agreement.probe import probed
from allotrope.measure.agreement.slopes import directions_of, moved, slope_along
from allotrope.measure.agreement.step_files import StepFiles
from allotrope.measure.machine import version
from allotrope.process.carried_arrays import write_arrays
from allotrope.process.serve import serve


def refusing(method: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """The method, with a named error as an answer: what comes after it may still work."""

    @wraps(method)
    def answer(*arguments: Any, **keywords: Any) -> dict[str, Any]:
        try:
            return method(*arguments, **keywords)
        except AllotropeError as error:
            return {"refused": str(error)}

    return answer


class AgreementWorker:
    """The process's state: one computation, and the trainer that carries it out."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._sloped = ("", 0)

    def begin(
        self, framework: str, computation: dict[str, Any], long: bool = False
    ) -> dict[str, Any]:
        """Takes the computation and imports the framework.

        If the training is `long`, some optimization of its code takes less time than it saves.
        """
        self._computation = Computation(**computation)
        if self._computation.precision == "float64":
            # Before JAX is imported: float64 shows meanings, its code need not be the fastest.
            told = flags(version("jaxlib"), optimization=int(long))
            os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {told}".strip()
        self._framework = find(framework)
        self._framework.compile_soon()
        self._trainer, self._sloped = None, ("", 0)
        installed, engine = version(FRAMEWORKS[framework]), self._framework.engine
        return {"version": installed if engine is None else f"{installed} on {engine}"}

    @refusing
    def outputs(self, training: bool, output: str) -> dict[str, Any]:
        """Runs the network and writes what every node computes."""
        network = probed(self._computation.network, self._computation.probes)
        write_arrays(
            Path(output), self._framework.run(network, self._computation.inputs(), training)
        )
        return {}

    @refusing
    def gradients(self, output: str) -> dict[str, Any]:
        """Writes gradients of the weighted sum of outputs by each weight and float input."""
        write_arrays(
            Path(output),
            self._framework.gradients(
                self._computation.network,
                self._computation.inputs(),
                self._computation.output_gradients(),
            ),
        )
        return {}

    @refusing
    def train(self, first: int, last: int, saved: list[int], folder: str) -> dict[str, Any]:
        """Takes steps `first` to `last`, writes weights after those `kept`, gives the losses."""
        if self._trainer is None:
            self._trainer = self._framework.trainer(
                self._computation.trained, self._computation.plan, Settings()
            )
        files, losses = StepFiles(Path(folder), tuple(saved)), []
        for step in range(first, last + 1):
            batch = self._computation.batch_of(step)
            losses.append(float(self._trainer.step(batch, self._computation.learning_rate, step)))
            if step in saved:
                write_arrays(files.path(step), self._trainer.weights())
        return {"losses": losses}

    @refusing
    def slope(self, part: str, groups: int, number: int, far: float) -> dict[str, Any]:
        """One slope of `part` by this framework's own differences, and the value `far` away."""
        if self._sloped != (part, groups):
            self._sloped, self._places = (part, groups), places(self._computation, part)
            self._objective = framework_objective(self._computation, part, self._framework)
            self._directions = directions_of(self._places, groups, self._computation.seed)
            self._here = self._objective(self._places)
        directions = self._directions[number]
        slope = slope_along(self._objective, self._places, directions, self._here)
        away = 0.0
        if far:
            away = moved(self._objective, self._places, directions, far)
        return {"value": slope.value, "uncertainty": slope.uncertainty, "far": away}


if __name__ == "__main__":
    serve(AgreementWorker())
