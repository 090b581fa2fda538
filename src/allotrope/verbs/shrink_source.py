"""What `shrink` begins with: a run and the data it was trained on, or an ONNX file and data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import FineTuning
from allotrope.errors import DataError, UsageError
from allotrope.progress import Progress
from allotrope.run import read_record
from allotrope.run_record import RunRecord
from allotrope.run_words import by_task
from allotrope.verbs.request import IN_MEMORY, FitOptions, defaults, fit_options

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.measure.candidates import Candidate
    from allotrope.verbs.network_file import NetworkFile, Tuning
    from allotrope.verbs.pipeline import Plan

NETWORK = "model.onnx"
OF_THE_NETWORK = (
    *("network", "members", "ensemble", "ensemble_of", "combine", "distill"),
    *("weights", "probe", "new_head", "freeze", "backbone_rate", "layer_decay", "classifier"),
    *("restore_batchnorm", "no_repair", "mean", "std", "channel_order"),
)
"""What `fit` was asked about its network, which is a file now."""
OF_THE_CALL = (
    *("budget", "epochs", "max_latency", "max_size", "max_drop", "out", "resume", "quiet"),
    *("saliency", "device", "precision", "memory_layout", "compile"),
)
"""What belongs to one call, or is taken from the run's own settings."""
APART = 0.005
"""A network answers by so much of its metric otherwise elsewhere: other frameworks round otherwise.
"""


@dataclass(frozen=True)
class ShrinkSource:
    """A network file, and the arguments by which `fit` would train it further.

    `run` is the folder of the run that it is of, `record` what that says of itself.
    """

    file: Path
    arguments: dict[str, Any]
    run: Path | None = None
    record: RunRecord | None = None

    @property
    def options(self) -> FitOptions:
        """The options of `fit`. Raises: UsageError, MissingDependencyError."""
        return fit_options(self.arguments)

    @property
    def delivered(self) -> dict[str, Any] | None:
        """The row of the file that the run delivered."""
        entry = None if self.record is None else self.record.delivery
        return None if entry is None else entry.delivered

    def read(self) -> NetworkFile:
        """The network, as it was written if it is a run's own. Raises: ModelError."""
        from allotrope.verbs.network_file import NetworkFile, as_saved, read_source

        if self.record is None or self.record.start is None:
            return read_source(self.file, self.options.repair)
        network = as_saved(self.file)
        fixed = self.record.start.network_details["not_trainable"]
        network = network.changed(trainable=network.weights.keys() - set(fixed))
        checksum = hashlib.sha256(self.file.read_bytes()).hexdigest()
        return NetworkFile(network, self.file, checksum, [], self.file.parent)

    def tuning(self, file: NetworkFile, data: Data, framework: str) -> Tuning:
        """The network made ready to learn. Raises: UsageError if the data does not fit it."""
        from allotrope.architectures.continued import continued, own_columns
        from allotrope.frameworks import framework as find_framework
        from allotrope.verbs.network_file import Tuning

        options = self.options
        find_framework(framework).take_threads(options.settings.threads)
        if own_columns(file.network) is None:
            return file.tuning(data, options.fine_tuning, framework, options.seed)
        ready = continued(file.network, data, FineTuning(), framework, options.seed)
        return Tuning(file, FineTuning(), ready)

    def candidate(self, folder: Path) -> Candidate | None:
        """The delivered file, a copy of which lies in this folder."""
        from allotrope.measure.candidates import Candidate
        from allotrope.verbs.pipeline.shrunk_values import BEFORE

        row = self.delivered
        if row is None:
            return None
        file = folder / "delivered.onnx"
        return Candidate(row["runtime"], row["precision"], file, BEFORE, baseline=True)

    def facts(self) -> dict[str, Any]:
        """What goes on record: what is needed to read the same data again."""
        usual = _usual()
        asked = {name: x for name, x in self.arguments.items() if x != usual.get(name)}
        return {
            "run": self.run,
            "file": self.file,
            "sha256": hashlib.sha256(self.file.read_bytes()).hexdigest(),
            "reading": {name: x for name, x in asked.items() if name not in OF_THE_NETWORK},
        }


def source_of(source: str | Path, data: Any, own: Mapping[str, Any]) -> ShrinkSource:
    """The run or the ONNX file; `own` are arguments that were asked of `shrink` itself.

    Raises: UsageError, RunFolderError, each saying what is missing.
    """
    path = Path(source).expanduser()
    if path.is_dir() or path.suffix.lower() != ".onnx":
        return _of_run(path, data, own)
    if not path.is_file():
        raise UsageError(f"'{path}': there is no such file. Name a run's folder or an ONNX file.")
    if data is None:
        raise UsageError(
            f"{path.name} is a network without data: name the data to train it on behind it, such "
            "as allotrope shrink model.onnx photos/."
        )
    return ShrinkSource(path, {**_usual(), **own, "data": data, "network": str(path)})


def _of_run(folder: Path, data: Any, own: Mapping[str, Any]) -> ShrinkSource:
    record = read_record(folder)
    if record.get("kind") == "compare":
        raise UsageError(f"{folder} was made by compare, which delivers no network. Name a fit's.")
    file = folder / NETWORK
    if not file.is_file():
        raise UsageError(
            f"{folder} has no {NETWORK} yet: it is '{record.get('status')}'. Finish it with: "
            f"allotrope {record.get('kind', 'fit')} --resume {folder}"
        )
    run = RunRecord.of(record)
    begun = record["arguments"]
    if run.origin is not None:
        begun = run.origin.origin["reading"]
    dropped = (*OF_THE_NETWORK, *OF_THE_CALL)
    carried = {name: x for name, x in begun.items() if name not in dropped}
    arguments = {**_usual(), "seed": record["seed"], **carried, **own, "network": str(file)}
    if data is not None:
        arguments["data"] = data
    if isinstance(arguments["data"], str) and arguments["data"] == IN_MEMORY:
        raise UsageError(
            f"{folder} was trained on columns in memory. Give them again: "
            f"allotrope.shrink('{folder}', columns)."
        )
    if run.start is not None and "framework" not in own:
        arguments["framework"] = run.start.framework
    return ShrinkSource(file, arguments, folder, run)


def _usual() -> dict[str, Any]:
    from allotrope.verbs.fit import fit

    return defaults(fit)


def read_again(
    source: ShrinkSource, file: NetworkFile, options: FitOptions, show: Progress
) -> Data:
    """The data of a run, or what goes with a file.

    Raises: DataError, UsageError; that it is gone or another than it was, each named.
    """
    from allotrope.verbs.read_asked import read_asked

    if source.run is None:
        return read_asked(options, file, show)
    try:
        data = read_asked(options, file, show)
    except (DataError, UsageError) as error:
        raise DataError(
            f"the data that {source.run} was trained on cannot be read again: {error} If it lies "
            f"elsewhere now: allotrope shrink {source.run} DATA"
        ) from error
    _check_alike(source, data)
    return data


def _check_alike(source: ShrinkSource, data: Data) -> None:
    """Raises: DataError that names all in which the data is another than the run recorded."""
    assert source.record is not None and source.record.data is not None
    recorded = source.record.data.data
    changes = [
        f"{len(split):,} {name} examples, {recorded[name]:,} then"
        for name, split in data.splits.items()
        if name in recorded and recorded[name] != len(split)
    ]
    changes += _changed_columns("input", [each.facts() for each in data.inputs], recorded["inputs"])
    changes += _changed_columns("task", [task.facts() for task in data.tasks], recorded["tasks"])
    counts = data.summary.get("class_counts")
    then = recorded.get("summary", {}).get("class_counts")
    if counts and then and not changes and _plain(counts) != _plain(then):
        changes.append("as many examples, and other numbers of each class")
    if changes:
        raise DataError(
            f"the data is not what {source.run} was trained on: {'; '.join(changes)}. What was "
            "tested may have been trained on. Give the data as it was, or fit again."
        )


def _changed_columns(what: str, now: list[dict[str, Any]], then: list[dict[str, Any]]) -> list[str]:
    before = {each["name"]: each for each in then}
    names = {each["name"] for each in now}
    changes = [f"no {what} '{name}'" for name in before if name not in names]
    for each in now:
        old = before.get(each["name"])
        if old is None:
            changes.append(f"a new {what} '{each['name']}'")
        elif old.get("kind") != each.get("kind"):
            changes.append(f"{what} '{each['name']}' is {each['kind']}, {old['kind']} then")
        elif _plain(old.get("classes")) != _plain(each.get("classes")):
            changes.append(f"{what} '{each['name']}' has other classes")
    return changes


def _plain(value: Any) -> Any:
    from allotrope.run import plain

    return plain(value)


def check_answers(source: ShrinkSource, plan: Plan) -> None:
    """Raises: DataError if the network does not answer the validation data as the run recorded.

    The same numbers of other examples would go unnoticed otherwise.
    """
    from allotrope.tasks.several import scores
    from allotrope.training.evaluate import in_batches

    if source.record is None or source.record.scores is None or source.record.data is None:
        return
    task, data = plan.tasks[0], plan.data
    recorded = by_task(source.record.scores.validation, source.record.data.data)

    def run(inputs: Any) -> Any:
        return plan.network.run(inputs, framework=plan.framework)

    outputs = in_batches(run, data.taken("validation"), data.inputs)
    now = scores(plan.tasks, outputs, data.validation.columns)[task.name][task.metric.name]
    then = recorded.get(task.name, {}).get(task.metric.name)
    if then is None or abs(now - then) <= APART * max(abs(then), abs(now)):
        return
    raise DataError(
        f"the data is not what {source.run} was trained on: of its validation examples the network "
        f"had {task.metric_text(then)} {task.metric.title}, and of these {task.metric_text(now)}. "
        "Give the data as it was, or fit again."
    )
