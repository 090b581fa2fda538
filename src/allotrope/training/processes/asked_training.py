"""What the processes of a training are told of it: the network, and how it is to learn.

They are sent their rows of each batch, so that of the data they need no more than how it is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from allotrope.config import Recipe, Repair, Settings
from allotrope.data.examples import Data, Examples
from allotrope.frameworks import framework as find_framework
from allotrope.frameworks.contract import Collective, Trainer
from allotrope.inputs.from_facts import input_of
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.network.write import to_onnx
from allotrope.process.carried_arrays import from_parts, to_parts
from allotrope.process.link import Part
from allotrope.run import plain
from allotrope.tasks import task_of
from allotrope.training.learner import trainer_for


@dataclass(frozen=True)
class AskedTraining:
    """A training but for its examples: of `data` the kinds of columns, and the labels."""

    network: Network
    data: Data
    recipe: Recipe
    settings: Settings
    framework: str

    def message(self) -> tuple[dict[str, Any], list[Part]]:
        """It as JSON and parts."""
        labels = {task.name: self.data.train[task.name] for task in self.data.tasks}
        described, parts = to_parts(labels)
        facts = {
            "name": self.data.name,
            "inputs": [each.facts() for each in self.data.inputs],
            "tasks": [task.facts() for task in self.data.tasks],
            "labels": described,
            "recipe": asdict(self.recipe),
            "settings": asdict(self.settings),
            "framework": self.framework,
            "trainable": sorted(self.network.trainable),
        }
        return plain(facts), [to_onnx(self.network).SerializeToString(), *parts]

    @classmethod
    def of(cls, facts: Mapping[str, Any], parts: Sequence[bytearray]) -> AskedTraining:
        """The training again."""
        # As it was sent: only weights are told from constants, as always.
        network = load(bytes(parts[0]), repair=replace(Repair.none(), weights=True))
        labels = Examples(from_parts(facts["labels"], parts[1:]))
        data = Data(
            facts["name"],
            tuple(map(input_of, facts["inputs"])),
            tuple(map(task_of, facts["tasks"])),
            {"train": labels},
        )
        return cls(
            network.changed(trainable=frozenset(facts["trainable"])),
            data,
            Recipe(**{name: _as_tuple(value) for name, value in facts["recipe"].items()}),
            Settings(**facts["settings"]),
            facts["framework"],
        )

    def trainer(self, collective: Collective | None = None) -> Trainer:
        """What computes it, or the rows of one of several processes."""
        return trainer_for(
            find_framework(self.framework),
            self.network,
            self.data,
            self.recipe,
            self.settings,
            collective=collective,
        )


def _as_tuple(value: Any) -> Any:
    """JSON has lists where a recipe has tuples."""
    return tuple(value) if isinstance(value, list) else value
