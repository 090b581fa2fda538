"""What run.json holds: an entry for each thing that a run decides or measures, with a version.

The fields of an entry are keys of run.json. So a run is as far as its entries go, whatever ended
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Self, get_args, get_type_hints

from allotrope.config import Recipe, Settings, Target
from allotrope.run_words import inside

SCHEMA = 2
"""Since 2, `data` tells of inputs and tasks."""
READABLE = (1, 2)
"""The versions of run.json that this one opens."""


@dataclass(frozen=True)
class Entry:
    """Some keys of run.json that appear together.

    A field with a default is left out if it has it.
    """

    def facts(self) -> dict[str, Any]:
        """What is added to run.json."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        usual = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in values.items() if value != usual[name]}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self | None:
        """The entry as run.json holds it, None if it has none yet."""
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        return _built(cls, record) if needed <= record.keys() else None


@dataclass(frozen=True)
class CallEntry(Entry):
    """What was asked for: `arguments` of the verb `kind` that differ from its defaults."""

    command: str
    arguments: dict[str, Any]
    seed: int
    target: Target | None = None
    kind: str = "fit"


@dataclass(frozen=True)
class WorkersEntry(Entry):
    """The processor threads of each worker, of a training in several processes."""

    worker_threads: int


@dataclass(frozen=True)
class DataEntry(Entry):
    """What was read, and where."""

    data: dict[str, Any]
    environment: dict[str, Any]


@dataclass(frozen=True)
class NetworkEntry(Entry):
    """What is trained: how it was built, its cost, why it was chosen, and how it learns."""

    network: str
    network_details: dict[str, Any]
    recipe: Recipe


@dataclass(frozen=True)
class StartEntry(NetworkEntry):
    """The same for one framework; `fine_tuning` if the network is from a file."""

    framework: str
    engine: str | None
    fine_tuning: dict[str, Any] | None = None


@dataclass(frozen=True)
class SettingsEntry(Entry):
    """The settings of the training, the race that chose them, and the command that repeats the run.

    The recipe is entered again, because the race takes its time from the budget.
    """

    recipe: Recipe
    settings: Settings
    settings_race: dict[str, Any]
    repeat: str


@dataclass(frozen=True)
class TrainingFacts:
    """`stopped`: `finished`, `budget`, `early stop` or `interrupted`.

    `seconds` include validation.
    """

    epochs: float
    steps: int
    best_epoch: float
    stopped: str
    seconds: float


@dataclass(frozen=True)
class TrainingEntry(Entry):
    """How the training went; the speed is in examples a second, of training steps alone."""

    training: TrainingFacts
    images_per_second: float

    @property
    def speed(self) -> float:
        """Examples a second."""
        return self.images_per_second


@dataclass(frozen=True)
class ScoresEntry(Entry):
    """The trained network on validation and test data in float32.

    `settled` are the tasks with what was chosen on validation data, if something was.
    """

    validation: dict[str, Any]
    test: dict[str, Any]
    settled: list[dict[str, Any]] | None = None


@dataclass(frozen=True)
class CandidatesEntry(Entry):
    """A row for each candidate, and how they were measured."""

    candidates: list[dict[str, Any]]
    measurement: dict[str, Any]


@dataclass(frozen=True)
class DeliveryEntry(Entry):
    """The row that was delivered, or None and the one that came nearest.

    `delivered_test` is what `test` is, of a file that is not the network that was trained, and
    `importance` what its answers rest on.
    """

    delivered: dict[str, Any] | None
    nearest_miss: dict[str, Any] | None
    delivered_test: dict[str, Any] | None = None
    importance: dict[str, Any] | None = None


@dataclass(frozen=True)
class RaceEntry(Entry):
    """How the frameworks were raced, what was measured of each, and which is to be used."""

    frameworks: list[dict[str, Any]]
    metric_goal: float | None
    verdict: dict[str, Any]
    race: dict[str, Any]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self | None:
        """With the keys that are used inside."""
        return super().of(inside(record))


@dataclass(frozen=True)
class OriginEntry(Entry):
    """What was shrunk: its file or run, and the arguments by which its data is read."""

    origin: dict[str, Any]


@dataclass(frozen=True)
class BeforeEntry(Entry):
    """The network as it came, measured, and the target in numbers that was asked in parts of it."""

    before: dict[str, Any]
    target: Target


@dataclass(frozen=True)
class RoundsEntry(Entry):
    """A row for each round of cutting and training, as far as it came."""

    rounds: list[dict[str, Any]]


@dataclass(frozen=True)
class MixedEntry(Entry):
    """A row for each file of mixed precision that was tried before a rounding was learned."""

    mixed: list[dict[str, Any]]


@dataclass(frozen=True)
class RoundingEntry(Entry):
    """Whether a rounding was learned after the rounds, of which form, and how."""

    rounding: dict[str, Any]


@dataclass(frozen=True)
class ShrunkEntry(Entry):
    """Which round is delivered, its layers before and after, and what could not be cut and why."""

    shrunk: dict[str, Any]


@dataclass(frozen=True)
class TuningEntry(Entry):
    """A search for a better recipe, as far as it came: its space, trials, finals and verdict."""

    tuning: dict[str, Any]


@dataclass(frozen=True)
class MembersEntry(Entry):
    """A row for each member of an ensemble, as far as it came: start, training, history, scores."""

    members: list[dict[str, Any]]


@dataclass(frozen=True)
class StagesEntry(Entry):
    """A row for each stage of a training with few labels, as far as it came."""

    stages: list[dict[str, Any]]


@dataclass(frozen=True)
class FewLabelsEntry(Entry):
    """How unlabelled examples were learned from, what that is worth, and which stage is taken."""

    few_labels: dict[str, Any]


@dataclass(frozen=True)
class EnsembleEntry(Entry):
    """How the members' answers become one, what that is worth, and which network stands alone."""

    ensemble: dict[str, Any]


@dataclass(frozen=True)
class EndEntry(Entry):
    """How the run ended, after how long, and the reason if it broke off."""

    status: str
    seconds: float
    reason: str | None = None


@dataclass(frozen=True)
class RunRecord:
    """All of run.json, as far as the run came."""

    call: CallEntry | None
    workers: WorkersEntry | None
    data: DataEntry | None
    start: StartEntry | None
    settings: SettingsEntry | None
    training: TrainingEntry | None
    scores: ScoresEntry | None
    candidates: CandidatesEntry | None
    delivery: DeliveryEntry | None
    race: RaceEntry | None
    origin: OriginEntry | None
    before: BeforeEntry | None
    rounds: RoundsEntry | None
    mixed: MixedEntry | None
    rounding: RoundingEntry | None
    shrunk: ShrunkEntry | None
    tuning: TuningEntry | None
    stages: StagesEntry | None
    few_labels: FewLabelsEntry | None
    members: MembersEntry | None
    ensemble: EnsembleEntry | None
    end: EndEntry | None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """The record that a run.json holds, of any version that is `READABLE`."""
        kinds = {name: get_args(hint)[0] for name, hint in get_type_hints(cls).items()}
        return cls(**{name: kind.of(record) for name, kind in kinds.items()})


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """A recipe as JSON holds it, of any version."""
    recipe: Recipe = _built(Recipe, values)
    return recipe


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Settings as JSON holds them, of any version."""
    settings: Settings = _built(Settings, values)
    return settings


def _built(kind: Any, values: Mapping[str, Any]) -> Any:
    """A dataclass from what JSON holds of it.

    What is newer than the file has its default, what is older is left.
    """
    hints = get_type_hints(kind)
    return kind(**{name: _value(hints[name], values[name]) for name in hints if name in values})


def _value(hint: Any, value: Any) -> Any:
    kinds = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
    if kinds and isinstance(value, Mapping):
        return _built(kinds[0], value)
    if isinstance(value, list) and "tuple" in str(hint):
        return tuple(value)
    return value


def current(record: dict[str, Any]) -> dict[str, Any]:
    """A run.json of any readable version as this one writes it."""
    if record["schema"] == SCHEMA:
        return record
    return {**record, "schema": SCHEMA, "data": _with_columns(record.get("data"))}


def _with_columns(data: Any) -> Any:
    """The facts of data, with the one input and the one task that there were in version 1."""
    if not isinstance(data, Mapping) or not {"image", "classes"} <= data.keys():
        return data
    channels, height, width = data["image"]
    pictures = {
        "kind": "image",
        "name": "image",
        "height": height,
        "width": width,
        "channels": channels,
    }
    value_range = data.get("summary", {}).get("value_range")
    if value_range is not None:
        pictures["value_range"] = value_range
    label = {
        "kind": "classification",
        "name": "label",
        "classes": data["classes"],
        "metric": "accuracy",
    }
    return {**data, "inputs": [pictures], "tasks": [label]}
