"""The process in which `no_aborts.py` trains: two steps of what it is asked for, and their end."""

from __future__ import annotations

import math
import warnings

import no_aborts_networks as networks
import numpy as np

from allotrope.config import Recipe, Settings
from allotrope.errors import AllotropeError, UnsupportedError
from allotrope.frameworks import framework
from allotrope.frameworks.contract import Batch
from allotrope.measure.agreement.computation import squared_error
from allotrope.measure.agreement.probe import probed
from allotrope.process.serve import serve
from allotrope.training.plan import training_plan

FLOAT = np.dtype(np.float32)


class Worker:
    """Trains one network after the other in one framework."""

    def settings(self, framework_name):
        """The plausible settings on the CPU."""
        return {
            "settings": [vars(s) for s in framework(framework_name).settings() if s.device == "cpu"]
        }

    def train(self, framework_name, name, settings):
        """`trained`, `refused` or `failed`, and why."""
        warnings.simplefilter("ignore")
        try:
            losses = self._losses(framework_name, name, Settings(**settings))
        except AllotropeError as error:
            return {"outcome": "refused", "why": str(error)[:200]}
        except Exception as error:  # noqa: BLE001 - an exception is no abort; it is counted
            return {"outcome": "failed", "why": f"{type(error).__name__}: {error}"[:300]}
        finite = all(map(math.isfinite, losses))
        return {"outcome": "trained", "why": "" if finite else f"losses {losses}"}

    def _losses(self, framework_name, name, settings):
        framework(framework_name)  # first, because it is imported without its chatter there
        try:
            return two_steps(*networks.made(name), framework_name, settings)
        except UnsupportedError:
            if not name.startswith("case:"):
                raise
        return two_steps(
            *networks.of_case(name.partition(":")[2], every=False), framework_name, settings
        )


def two_steps(network, inputs, framework_name, settings):
    """The losses of two steps of momentum over the squares of all float outputs."""
    results = network.run(inputs, framework_name)
    shapes = {n: y.shape for n, y in results.items() if y.dtype == FLOAT and y.size}
    if not shapes:
        raise UnsupportedError("it has no float outputs")
    whole = probed(network, list(shapes))
    recipe = Recipe(optimizer="momentum", learning_rate=1e-4, schedule="constant")
    plan = training_plan(whole, recipe, squared_error(1.0))
    trainer = framework(framework_name).trainer(whole, plan, settings)
    batch = Batch(inputs, {name: np.zeros(shape, FLOAT) for name, shape in shapes.items()})
    return [float(trainer.step(batch, 1e-4, step)) for step in (1, 2)]


if __name__ == "__main__":
    serve(Worker())
