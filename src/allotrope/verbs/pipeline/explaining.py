"""What spoke for some answers, to be seen in the report; after the answers were scored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.data.examples import Data
from allotrope.inputs.contract import Input
from allotrope.inputs.heat import laid_over
from allotrope.inputs.showing import with_maps
from allotrope.measure.saliency import Question, Saliency, saliency
from allotrope.network.network import Network
from allotrope.tasks.contract import Explained, Task

SAMPLE = 64
"""Training examples by which a network without knowledge normalizes."""


@dataclass(frozen=True)
class Explanations:
    """What run.json says of them by task, and the files that show them by name.

    `seconds` that each task's took are of this machine and hour, and not in run.json.
    """

    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    def remarks(self) -> list[str]:
        """Whether the maps are to be believed, in a line for each task."""
        return [remark(task, facts, self.seconds[task]) for task, facts in self.facts.items()]


@dataclass(frozen=True)
class Explaining:
    """A trained network and its data; it is asked in the framework that trained it."""

    network: Network
    data: Data
    framework: str

    def of(self, tasks: Sequence[Task], outputs: Mapping[str, np.ndarray]) -> Explanations:
        """Of answers to test examples, over the first input that can be shown so.

        `outputs` are the raw ones for all test data, by task.
        """
        facts: dict[str, dict[str, Any]] = {}
        files: dict[str, bytes] = {}
        seconds: dict[str, float] = {}
        for task in tasks:
            began = time.perf_counter()
            answers = task.explained(outputs[task.name], self.data.test[task.name])
            shown = self._first_shown(task, answers, len(files)) if answers else None
            if shown is not None:
                facts[task.name] = shown[0]
                files |= shown[1]
                seconds[task.name] = time.perf_counter() - began
        return Explanations(facts, files, seconds)

    def _first_shown(
        self, task: Task, answers: Sequence[Explained], number: int
    ) -> tuple[dict[str, Any], dict[str, bytes]] | None:
        """Facts and files, which are numbered on from `number`."""
        test = self.data.test
        for each in self.data.inputs:
            maps = self._maps(task, each, answers)
            if maps is None:
                continue
            pairs = zip(maps.learned, maps.shuffled, strict=True)
            columns = [test[each.name][answer.index] for answer in answers]
            shown = [laid_over(each, x, pair) for x, pair in zip(columns, pairs, strict=True)]
            files = [file for file in shown if file is not None]
            # An input of which there are no such files gives way to the next.
            if len(files) == len(answers):
                rows, named = with_maps(_rows(answers, maps), files, test, number)
                return {**_facts(each, maps), "examples": rows}, named
        return None

    def _maps(self, task: Task, each: Input, answers: Sequence[Explained]) -> Saliency | None:
        train, test = self.data.taken("train"), self.data.taken("test")
        rows = [answer.index for answer in answers]
        question = Question(
            {name: x[rows] for name, x in test.items()},
            task.name,
            np.stack([answer.slope for answer in answers]),
        )
        spread = np.unique(np.linspace(0, len(self.data.train) - 1, SAMPLE).astype(int))
        sample = {name: x[spread] for name, x in train.items()}
        return saliency(self.network, question, each.name, sample, self.framework)


def _rows(answers: Sequence[Explained], maps: Saliency) -> list[dict[str, Any]]:
    """What run.json says of each answer."""
    return [
        {**answer.facts, "correlation": float(correlation)}
        for answer, correlation in zip(answers, maps.correlations, strict=True)
    ]


def _facts(each: Input, maps: Saliency) -> dict[str, Any]:
    """What run.json says of all maps together."""
    return {
        "input": each.name,
        "layer": maps.layer,
        "places": list(maps.learned.shape[1:]),
        "correlation": float(maps.correlations.mean()),
        "depends": maps.depends,
    }


def remark(task: str, facts: Mapping[str, Any], seconds: float) -> str:
    """Whether the maps of a task are to be believed, in a line."""
    places = " x ".join(map(str, facts["places"]))
    verdict = "depend on what was learned"
    if not facts["depends"]:
        verdict = "hardly depend on what was learned, so that they explain nothing"
    return (
        f"what spoke for {len(facts['examples'])} answers of {task} is shown by Grad-CAM at "
        f"{facts['layer']} ({places} places): the maps {verdict} (rank correlation "
        f"{facts['correlation']:.2f} with those of shuffled weights); "
        f"it took {seconds:.1f} s, --no-saliency leaves it out"
    )
