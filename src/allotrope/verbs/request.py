"""What a call of `fit` asks for, checked before any work is done."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import (
    COMBINED_BY,
    ENSEMBLES_OF,
    LAYOUTS,
    USUAL_DROP,
    DataOptions,
    FineTuning,
    FixedSettings,
    Repair,
    Target,
    parse_bytes,
    parse_cache_size,
    parse_seconds,
)
from allotrope.errors import UsageError, unknown_name
from allotrope.inputs.input_options import pretrained, reading, text_reading
from allotrope.optimizer_options import check_options
from allotrope.option import Option, check_values
from allotrope.recipe_choices import FEW_LABELS_BY
from allotrope.verbs.ensemble_asked import check_ensemble
from allotrope.verbs.few_labels_asked import check_method
from allotrope.verbs.offered import FIT
from allotrope.verbs.weights_asked import check_weights

if TYPE_CHECKING:
    from allotrope.data.examples import Data

Missing = Callable[[str], str | None]
IN_MEMORY = "columns in memory"
"""What run.json calls data that came as arrays."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What verbs that train are asked for, checked.

    `budget` is in seconds; `recipe` holds only what was asked for.

    `file` is the ONNX file that the network comes from, None for a network of the zoo, which may
    begin with published `weights`.
    """

    source: str | Path | Mapping[str, Any]
    network: str
    budget: float | None
    epochs: float | None
    seed: int
    members: int = 1
    settings: FixedSettings
    data: DataOptions
    recipe: dict[str, Any]
    file: Path | None
    repair: Repair
    fine_tuning: FineTuning
    weights: str | None = None

    @property
    def has_learned(self) -> bool:
        """Whether the network has learned elsewhere."""
        return self.file is not None or self.weights is not None


@dataclass(frozen=True, kw_only=True)
class FitOptions(Request):
    """The arguments of `fit`; `asked_drop` says whether the target's drop is one of them.

    `ensemble` is how many members there are to be, None for a network alone, and `ensemble_of` what
    they differ in; `combine` says how answers become one, and
    `distill` whether one network is to learn them.

    `method` says how unlabelled examples are learned from, if there are such.

    `tuned` is a run of `tune` whose settings are taken. `measure_threads` are those of the files
    that are measured, None for as many as train.
    """

    framework: str
    target: Target
    saliency: bool
    ensemble: int | None = None
    ensemble_of: str = ENSEMBLES_OF[0]
    combine: str = COMBINED_BY[0]
    distill: bool = False
    method: str = FEW_LABELS_BY[0]
    asked_drop: bool = False
    tuned: Path | None = None
    measure_threads: int | None = None

    @property
    def combine_by(self) -> str | None:
        """The way to combine members; None if the best on validation data is taken."""
        return None if self.combine == COMBINED_BY[0] else self.combine

    @property
    def measuring_threads(self) -> int | None:
        """The threads of the files that are measured; None for all cores."""
        return self.measure_threads or self.settings.threads


def fit_options(arguments: Mapping[str, Any], missing: Missing | None = None) -> FitOptions:
    """The options that the arguments of `fit` ask for.

    `missing` says why a framework cannot be used here.

    Raises: UsageError for unknown names, and for all values out of range in one message;
    MissingDependencyError.
    """
    file = onnx_file(arguments["network"])
    _check_networks(arguments, file, missing)
    check_ensemble(arguments, file)
    check_method(arguments)
    recipe = _asked_recipe(arguments)
    seed = arguments["seed"]
    latency, size = arguments["max_latency"], arguments["max_size"]
    return FitOptions(
        source=arguments["data"],
        network=arguments["network"],
        framework=arguments["framework"],
        saliency=arguments["saliency"],
        ensemble=arguments["ensemble"],
        ensemble_of=arguments["ensemble_of"],
        combine=arguments["combine"],
        distill=arguments["distill"],
        method=arguments["method"],
        budget=None if arguments["budget"] is None else parse_seconds(arguments["budget"]),
        epochs=arguments["epochs"],
        settings=fixed_settings(arguments),
        seed=seed,
        members=arguments["members"],
        data=data_options(arguments),
        target=Target(
            max_latency=None if latency is None else 1000 * parse_seconds(latency),
            max_size=None if size is None else parse_bytes(size),
            max_drop=USUAL_DROP if arguments["max_drop"] is None else arguments["max_drop"],
        ),
        asked_drop=arguments["max_drop"] is not None,
        tuned=None if arguments["tuned"] is None else Path(arguments["tuned"]),
        measure_threads=arguments["measure_threads"],
        recipe=recipe,
        file=file,
        weights=arguments["weights"],
        repair=Repair.without(arguments["no_repair"]),
        fine_tuning=fine_tuning(arguments),
    )


def _check_networks(
    arguments: Mapping[str, Any], file: Path | None, missing: Missing | None
) -> None:
    """Raises: UsageError for what no network or this one does not have; MissingDependencyError."""
    from allotrope import frameworks

    if file is None:
        check_network(arguments["network"])
    frameworks.check_trains(arguments["framework"], missing or frameworks.missing)
    check_values(FIT, arguments)
    weights = arguments["weights"]
    if weights is not None:
        check_weights(arguments["network"], file, weights)
    elif file is None:
        check_for_files(FIT, arguments)
    learned = file or weights
    if learned is None:
        return
    check_of_zoo(FIT, arguments, Path(learned))
    if arguments["members"] > 1:
        raise UsageError(
            f"--members {arguments['members']}: {Path(learned).name} holds one network, which "
            "would learn the same several times. Leave it out, or name a network of "
            "allotrope.networks."
        )


def _asked_recipe(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the recipe that were asked for. Raises: UsageError for what does not go."""
    fields_asked = [option.name for option in FIT if option.recipe]
    recipe = {name: arguments[name] for name in fields_asked if arguments[name] is not None}
    if recipe.get("find_rate") and "learning_rate" in recipe:
        raise UsageError("--find-rate finds the learning rate, and one is given. Leave one out.")
    if "optimizer" in recipe:
        check_options(recipe["optimizer"], recipe)
    return recipe


def with_usual_drop(options: FitOptions, data: Data) -> FitOptions:
    """The options with the drop that is usual, if none was asked for.

    Who asks for an ensemble wants its answers: speed may cost little of them. Who has it distilled
    wants the speed too.
    """
    from allotrope.architectures.for_tables import TABLE_DROP, TABLE_WORSE, is_table

    if options.asked_drop:
        return options
    if not is_table(data):
        if options.ensemble is None or options.distill:
            return options
        return replace(options, target=replace(options.target, max_drop=TABLE_DROP))
    target = replace(options.target, max_drop=TABLE_DROP, max_worse=TABLE_WORSE)
    return replace(options, target=target)


def fine_tuning(arguments: Mapping[str, Any]) -> FineTuning:
    """How a network from an ONNX file is to be fitted; what a verb does not know stays as it is."""
    usual = FineTuning()
    return FineTuning(
        new_head=arguments["new_head"],
        freeze=tuple(arguments.get("freeze", ())),
        classifier=arguments["classifier"],
        restore_batchnorm=arguments.get("restore_batchnorm", usual.restore_batchnorm),
        probe=arguments.get("probe", usual.probe),
        **pretrained(arguments),
    )


def data_options(arguments: Mapping[str, Any]) -> DataOptions:
    """How a verb's arguments say that data is read.

    Raises: UsageError for a range that is none, unknown kinds and metrics.
    """
    from allotrope.data.asked_columns import asked_kinds, asked_names
    from allotrope.data.file_text import checked_encoding
    from allotrope.data.recognize.column_roles import INPUT_KINDS, TASK_KINDS
    from allotrope.tasks.several import METRICS

    size = arguments["cache_size"]
    return DataOptions(
        validation=arguments["validation"],
        test=arguments["test"],
        seed=arguments["seed"],
        target=asked_names(arguments["target"]),
        task=asked_kinds("task", arguments["task"], TASK_KINDS),
        input=asked_kinds("input", arguments["input"], INPUT_KINDS),
        decide=arguments["decide"],
        group=arguments["group"],
        time=arguments["time"],
        metric=asked_kinds("metric", arguments["metric"], METRICS),
        cache_size=None if size is None else parse_cache_size(size),
        encoding=checked_encoding(arguments["encoding"]),
        decimal=arguments["decimal"],
        skip_bad_rows=bool(arguments["skip_bad_rows"]),
        **reading(arguments),
        **text_reading(arguments),
    )


def layouts_apart(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments with `layout` as the folders' alone.

    Folders and arrays in memory both have a layout. The words for the two are all different, so
    one for the memory is understood behind --layout too.

    Raises: UsageError if --memory-layout says another one.
    """
    asked, fixed = arguments["layout"], arguments["memory_layout"]
    if asked not in LAYOUTS:
        return arguments
    if fixed not in (None, asked):
        raise UsageError(
            f"--layout {asked} is a memory layout, and --memory-layout is {fixed}. Leave out one "
            "of them."
        )
    return {**arguments, "layout": "auto", "memory_layout": asked}


def fixed_settings(arguments: Mapping[str, Any]) -> FixedSettings:
    """The settings that a verb's arguments fix."""
    return FixedSettings(**{field.name: arguments[field.name] for field in fields(FixedSettings)})


def onnx_file(network: str) -> Path | None:
    """The path that a network's name is: of an ONNX file, or of a folder, which `load` explains."""
    from allotrope.network.zoo import NETWORKS, TEXT_NETWORKS

    known = ("auto", *NETWORKS, *TEXT_NETWORKS)
    path = Path(network).expanduser()
    is_path = path.suffix.lower() == ".onnx" or path.is_file()
    return path if is_path or (path.is_dir() and network not in known) else None


def check_for_files(options: Iterable[Option], arguments: Mapping[str, Any]) -> None:
    """Raises UsageError for what is about ONNX files if the network is none."""
    asked = [
        option.flag
        for option in options
        if option.for_file and arguments[option.name] not in (None, False, ())
    ]
    if asked:
        raise UsageError(
            f"{', '.join(asked)}: for a network from an ONNX file, and {arguments['network']} is "
            "none. Add --network model.onnx, or the --weights of a network that is named."
        )


def check_of_zoo(options: Iterable[Option], arguments: Mapping[str, Any], file: Path) -> None:
    """Raises UsageError for what shapes networks of the zoo if the network is a file."""
    asked = [
        option.flag for option in options if option.of_zoo and arguments[option.name] is not None
    ]
    if asked:
        raise UsageError(
            f"{', '.join(asked)}: for a network of allotrope.networks, and the layers of "
            f"{file.name} are as they are. Leave it out, or name a network, such as resnet20."
        )


def asked_for(
    function: Callable[..., Any], arguments: Mapping[str, Any], without: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The arguments that differ from the function's defaults, as plain values."""
    usual = defaults(function)
    named = [name for name in usual if name not in without]
    changed = [name for name in named if not _is_usual(arguments[name], usual[name])]
    return {name: _plain(name, arguments[name]) for name in changed}


def _is_usual(value: Any, default: Any) -> bool:
    """Whether it is the default.

    Columns in memory are not compared, because arrays are no truth.
    """
    return not isinstance(value, Mapping) and bool(value == default)


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """The default of each argument of the function."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
    }


def command_line(verb: str, positional: str, arguments: Mapping[str, Any]) -> str:
    """The command that repeats a call: `positional` is the argument that stands unnamed.

    Columns in memory are no word; a call of the function with them stands for the command.
    """
    if arguments.get(positional) == IN_MEMORY:
        options = [f"{name}={value!r}" for name, value in arguments.items() if name != positional]
        return f"allotrope.{verb}({', '.join(['columns', *options])})"
    words = ["allotrope", verb, *([str(arguments[positional])] if positional in arguments else [])]
    for name, value in arguments.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif name != positional:
            for one in value if isinstance(value, list) else [value]:
                words += [f"--{option}", str(one)]
    return shlex.join(words)


def source_name(source: str | Path | Mapping[str, Any]) -> str:
    """What run.json calls a source."""
    return IN_MEMORY if isinstance(source, Mapping) else str(source)


def _plain(name: str, value: Any) -> Any:
    """An argument as run.json has it."""
    if isinstance(value, (list, tuple)):
        return [str(part) for part in value]
    if isinstance(value, Mapping):
        return IN_MEMORY if name == "data" else [f"{key}={part}" for key, part in value.items()]
    return value if isinstance(value, (bool, int, float)) else str(value)


def check_network(name: str) -> None:
    """Raises UsageError for a name that no network has."""
    from allotrope.network.zoo import NETWORKS, SEGMENTING, TEXT_NETWORKS, VOLUMETRIC, network

    known = ("auto", *NETWORKS, *TEXT_NETWORKS, *VOLUMETRIC)
    if name in SEGMENTING:
        network(name)  # which says what it is for
    if name not in known:
        raise unknown_name("network", name, known)
