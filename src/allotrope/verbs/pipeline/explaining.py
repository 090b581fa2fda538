"""What spoke for some answers, as pictures for the report; after the answers were scored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allotrope.data.examples import Data
from allotrope.inputs.contract import Input
from allotrope.inputs.heat import panels, warm
from allotrope.inputs.seen import Seen
from allotrope.measure.saliency import Question, Saliency, saliency
from allotrope.network.network import Network
from allotrope.tasks.contract import Explained, Task

SAMPLE = 64
"""Training examples by which a network without knowledge normalizes."""


@dataclass(frozen=True)
class Explanations:
    """What run.json says of them by task, and the files of their pictures by name."""

    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def remarks(self) -> list[str]:
        """Whether the pictures are to be believed, in a line for each task."""
        return [remark(task, facts) for task, facts in self.facts.items()]


@dataclass(frozen=True)
class Explaining:
    """A trained network and its data; it is asked in the framework that trained it."""

    network: Network
    data: Data
    framework: str

    def of(self, tasks: Sequence[Task], outputs: Mapping[str, np.ndarray]) -> Explanations:
        """Of answers to test examples, over the first input that has pictures and convolutions.

        `outputs` are the raw ones for all test data, by task.
        """
        facts: dict[str, dict[str, Any]] = {}
        files: dict[str, bytes] = {}
        for task in tasks:
            began = time.perf_counter()
            answers = task.explained(outputs[task.name], self.data.test[task.name])
            shown = self._first_shown(task, answers, len(files)) if answers else None
            if shown is not None:
                facts[task.name], pictures = shown
                facts[task.name]["seconds"] = time.perf_counter() - began
                files |= pictures
        return Explanations(facts, files)

    def _first_shown(
        self, task: Task, answers: Sequence[Explained], number: int
    ) -> tuple[dict[str, Any], dict[str, bytes]] | None:
        """Facts and pictures, which are numbered on from `number`."""
        for each in self.data.inputs:
            maps = self._maps(task, each, answers)
            if maps is None:
                continue
            made = [self._picture(each, answer, maps, at) for at, answer in enumerate(answers)]
            pictures = [picture for picture in made if picture is not None]
            if len(pictures) < len(answers):
                continue
            names = [Seen.path(f"saliency-{at:02}") for at in range(number, number + len(answers))]
            files = dict(zip(names, pictures, strict=True))
            return self._facts(each, answers, maps, names), files
        return None

    def _maps(self, task: Task, each: Input, answers: Sequence[Explained]) -> Saliency | None:
        train = self.data.train
        rows = [answer.index for answer in answers]
        spread = np.unique(np.linspace(0, len(train) - 1, SAMPLE).astype(int))
        names = [one.name for one in self.data.inputs]
        question = Question(
            {name: self.data.test[name][rows] for name in names},
            task.name,
            np.stack([answer.slope for answer in answers]),
        )
        sample = {name: train[name][spread] for name in names}
        return saliency(self.network, question, each.name, sample, self.framework)

    def _picture(self, each: Input, answer: Explained, maps: Saliency, at: int) -> bytes | None:
        """The example, and over it both maps; None for an input without pictures."""
        x = self.data.test[each.name][answer.index]
        over = [each.under(x, warm(one[at])) for one in (maps.learned, maps.shuffled)]
        layers = [pair for pair in over if pair is not None]
        if not layers:
            return None
        (picture, _), *_ = layers
        return panels([(picture, None), *layers])

    def _facts(
        self, each: Input, answers: Sequence[Explained], maps: Saliency, names: Sequence[str]
    ) -> dict[str, Any]:
        examples = []
        for place, answer in enumerate(answers):
            correlation = float(maps.correlations[place])
            facts = {**answer.facts, "picture": names[place], "correlation": correlation}
            if self.data.test.origin is not None:
                facts["file"] = self.data.test.origin[answer.index]
            examples.append(facts)
        return {
            "input": each.name,
            "layer": maps.layer,
            "places": list(maps.learned.shape[1:]),
            "correlation": float(maps.correlations.mean()),
            "depends": maps.depends,
            "examples": examples,
        }


def remark(task: str, facts: Mapping[str, Any]) -> str:
    """Whether the pictures of a task are to be believed, in a line."""
    places = " x ".join(map(str, facts["places"]))
    verdict = "depend on what was learned"
    if not facts["depends"]:
        verdict = "hardly depend on what was learned, so that they explain nothing"
    return (
        f"what spoke for {len(facts['examples'])} answers of {task} is shown by Grad-CAM at "
        f"{facts['layer']} ({places} places): the maps {verdict} (rank correlation "
        f"{facts['correlation']:.2f} with those of shuffled weights); "
        f"it took {facts['seconds']:.1f} s, --no-saliency leaves it out"
    )
