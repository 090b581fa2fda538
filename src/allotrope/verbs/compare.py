"""`compare`: the same network, weights and batches in every framework; which is to be used here, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import DataOptions, FineTuning, FixedSettings, Repair, parse_seconds
from allotrope.errors import RunFolderError, UsageError, unknown_name
from allotrope.progress import Progress, display
from allotrope.run import Run
from allotrope.storage import writing
from allotrope.verbs.comparison import Comparison
from allotrope.verbs.options import (
    check_choices,
    check_for_files,
    command_line,
    data_options,
    fine_tuning,
    fixed_settings,
    given,
    layouts_apart,
    onnx_file,
)

if TYPE_CHECKING:
    from allotrope.architectures.choose import Choice
    from allotrope.data.images import ImageData
    from allotrope.measure.race.race import FrameworkRace
    from allotrope.verbs.source import Source

MOST_EPOCHS = 40.0
NOT_REPEATED = ("out", "quiet")


@dataclass(frozen=True)
class CompareOptions:
    """The arguments of `compare`, checked. `budget` is in seconds; `accuracy` a fraction; `file` the ONNX file of the network."""

    source: str
    network: str
    frameworks: tuple[str, ...]
    budget: float
    epochs: float | None
    accuracy: float | None
    seeds: int
    seed: int
    settings: FixedSettings
    data: DataOptions
    recipe: dict[str, Any]
    file: Path | None
    fine_tuning: FineTuning


def compare(
    data: str | Path,
    *,
    network: str = "auto",
    frameworks: Sequence[str] | None = None,
    budget: str | float = "10m",
    epochs: float | None = None,
    accuracy: float | None = None,
    seeds: int = 2,
    seed: int = 0,
    batch_size: int | None = None,
    device: str = "auto",
    precision: str | None = None,
    memory_layout: str | None = None,
    compile: bool | None = None,
    threads: int | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    image_size: int | None = None,
    layout: str = "auto",
    value_range: str | None = None,
    new_head: bool = False,
    mean: str | None = None,
    std: str | None = None,
    channel_order: str | None = None,
    classifier: str | None = None,
    out: str | Path = "runs",
    quiet: bool = False,
) -> Comparison:
    """Race the frameworks on your data, and say which to use here and why, with a report.

    Example: allotrope compare photos/ --network resnet20 --budget 20m

    Each framework has processes of its own, equal threads and its own best settings. Ctrl-C leaves what was measured until then.

    Args:
        data: 'digits' (built in), a folder of class folders of pictures, an .npz file, or a folder of .npy or IDX files.
        network: a network of allotrope.networks, such as resnet20, or an ONNX file; auto chooses by the data.
        frameworks: which to race; all by default.
        budget: time for everything, such as 10m.
        epochs: the most epochs of a training; the budget may allow fewer, as many for each framework.
        accuracy: the validation accuracy whose time is compared, such as 0.97; by default 95 % of the best that is reached.
        seeds: how many trainings each framework makes, each from other weights.
        seed: the first of the seeds; it also decides the split.
        batch_size: images in a step.
        device: cpu, cuda or mps; auto takes what is fastest here.
        precision: float32 or bfloat16 in training; by default each framework races both, as it does the next two.
        memory_layout: default or channels-last: how images lie in memory in training; --layout understands these words too.
        compile: whether training is compiled.
        threads: processor threads for each framework; all cores by default.
        validation: the fraction split off for choices, where the data brings no such split.
        test: the fraction split off for the final test, where the data brings no such split.
        image_size: the side in pixels to which pictures in folders are brought.
        layout: how folders are read: auto, classes, deepest, pooled, splits, splits-deepest, classes-splits or folds.
        value_range: the values that are black and white, such as 0:4095, in arrays and in pictures of more than 8 bits.
        new_head: give the last layer of an ONNX file fresh weights for the data's classes.
        mean: the mean that an ONNX file was trained with, from 0 to 255; by default the usual ranges are tried.
        std: the deviation that an ONNX file was trained with.
        channel_order: rgb or bgr: the order in which an ONNX file takes the channels of a picture.
        classifier: the output of an ONNX file that tells the classes apart, if it has several.
        out: the folder in which the run's own folder is made.
        quiet: show nothing while working.

    Raises: AllotropeError, and KeyboardInterrupt where Ctrl-C came before anything was measured.
    """
    arguments = layouts_apart(dict(locals()))
    options = compare_options(arguments)
    with display(quiet) as show:
        from allotrope.data import load_images

        source = _source(options)
        found = load_images(options.source, options.data if source is None else source.sized(options.data), show.say)
        choices = _choices(options, found, source)
        with Run.create(f"{found.name}-compare", out) as run:
            arguments["frameworks"] = None if frameworks is None else ",".join(options.frameworks)
            asked = given(compare, arguments, NOT_REPEATED)
            run.save(kind="compare", command=command_line("compare", "data", asked), arguments=asked, seed=seed)
            return _compared(run, options, found, choices, show)


def compare_options(arguments: dict[str, Any]) -> CompareOptions:
    """The options that the arguments of `compare` ask for.

    Raises: UsageError for unknown names, and for all values out of range in one message.
    """
    from allotrope.frameworks import named
    from allotrope.measure.machine import cores

    file = onnx_file(arguments["network"])
    _check_values(arguments)
    check_choices(arguments)
    if file is None:
        _check_network(arguments["network"])
        check_for_files(arguments)
    batch = arguments["batch_size"]
    return CompareOptions(
        source=str(arguments["data"]),
        network=arguments["network"],
        frameworks=named(arguments["frameworks"]),
        budget=parse_seconds(arguments["budget"]),
        epochs=arguments["epochs"],
        accuracy=arguments["accuracy"],
        seeds=arguments["seeds"],
        seed=arguments["seed"],
        settings=fixed_settings({**arguments, "threads": arguments["threads"] or cores()}),
        data=data_options(arguments),
        recipe={} if batch is None else {"batch_size": batch},
        file=file,
        fine_tuning=fine_tuning(arguments),
    )


def _check_values(values: dict[str, Any]) -> None:
    problems = [
        f"{name} is {values[name]}, expected more than 0"
        for name in ("epochs", "seeds", "batch_size", "threads", "image_size")
        if values[name] is not None and not values[name] > 0
    ]
    if values["seed"] < 0:
        problems.append(f"seed is {values['seed']}, expected 0 or more")
    if values["accuracy"] is not None and not 0 < values["accuracy"] <= 1:
        problems.append(f"accuracy is {values['accuracy']}, expected a fraction above 0 and at most 1, such as 0.97")
    if problems:
        raise UsageError("; ".join(problems) + ".")


def _check_network(asked: str) -> None:
    from allotrope.network.zoo import NETWORKS

    if asked not in ("auto", *NETWORKS):
        raise unknown_name("network", asked, ("auto", *NETWORKS))


def _compared(run: Run, options: CompareOptions, data: ImageData, choices: list[Choice], show: Progress) -> Comparison:
    """The race, recorded as it goes."""
    from allotrope.measure.machine import describe
    from allotrope.verbs.facts import data_facts, network_facts

    show.say(f"run folder: {run.folder}")
    run.save(data=data_facts(data, options.source), environment=describe())
    try:
        run.save(network=choices[0].name, network_details=network_facts(choices[0]), recipe=choices[0].recipe)
        with tempfile.TemporaryDirectory() as folder, writing(run.folder):
            race = _race(Path(folder), run, options, data, choices, show)
            interrupted = _interrupted(race)
        _conclude(run, options, race, interrupted)
    except BaseException as error:
        with suppress(RunFolderError):  # the first error tells more than that its record could not be written either
            run.save(status="interrupted" if isinstance(error, KeyboardInterrupt) else "failed", reason=f"{type(error).__name__}: {error}")
        raise
    return Comparison(run.folder, run.json)


def _source(options: CompareOptions) -> Source | None:
    from allotrope.verbs.source import read_source

    return None if options.file is None else read_source(options.file, Repair())


def _choices(options: CompareOptions, data: ImageData, source: Source | None) -> list[Choice]:
    """The network and recipe, once a seed: each begins with other weights, where they do not come from a file."""
    from allotrope.architectures.choose import choose
    from allotrope.architectures.recipes import usual_epochs

    epochs = options.epochs or usual_epochs(len(data.train)) or MOST_EPOCHS
    seeds = range(options.seed, options.seed + options.seeds)
    if source is not None:
        return _tuned(options, data, source, epochs, seeds)
    return [choose(data, options.network, options.recipe, epochs=epochs, seed=seed) for seed in seeds]


def _tuned(
    options: CompareOptions, data: ImageData, source: Source, epochs: float, seeds: Iterable[int]
) -> list[Choice]:
    """The network of an ONNX file, made ready for the data; checked in the reference, so that no framework is loaded here.

    What its input is, is tried once: with other seeds it is the same.
    """
    from allotrope.architectures.choose import Choice, choose_recipe

    asked, choices = options.fine_tuning, []
    for seed in seeds:
        tuning = source.tuning(data, asked, "reference", seed)
        asked = tuning.ready.settled(asked)
        network = tuning.ready.learning
        new_head = bool(tuning.ready.replaced)
        recipe, reasons = choose_recipe(
            data, network, options.recipe, epochs=epochs, seed=seed, new_head=new_head
        )
        choices.append(Choice(source.file.stem, {}, network, recipe, [*tuning.notes, *reasons]))
    return choices


def _race(folder: Path, run: Run, options: CompareOptions, data: ImageData, choices: list[Choice], show: Progress) -> FrameworkRace:
    from allotrope.measure.race.files import write_inputs
    from allotrope.measure.race.race import FrameworkRace, RacePlan

    recipe = choices[0].recipe
    write_inputs(folder, data, [choice.network for choice in choices], recipe)
    sizes = {"images": len(data.train), "validations": len(data.validation)}
    plan = RacePlan(options.frameworks, options.settings, options.budget, recipe.epochs or 1.0, options.seeds, **sizes)

    def report(line: str) -> None:
        show.say(line)
        run.save(frameworks=race.rows)

    race = FrameworkRace(folder, plan, report)
    return race


def _interrupted(race: FrameworkRace) -> bool:
    """Runs the race; whether Ctrl-C ended it after something was measured."""
    try:
        race.run()
    except KeyboardInterrupt:
        if not any("settings" in row for row in race.rows):
            raise
        return True
    return False


def _conclude(run: Run, options: CompareOptions, race: FrameworkRace, interrupted: bool) -> None:
    """Goal, verdict and report, from what was measured."""
    from allotrope.measure.race.verdict import accuracy_goal, outcome, verdict
    from allotrope.report import write_report

    goal = accuracy_goal(race.rows, options.accuracy)
    rows = [{**row, **outcome(row, goal)} for row in race.rows]
    found = verdict(rows, goal, run.json["data"]["validation"])
    for row in rows:
        row["recommended"] = row["framework"] == found.framework
    measured = any("training" in row for row in rows)
    status = "interrupted" if interrupted else "done" if measured else "failed"
    how = {"threads": options.settings.threads, "budget": options.budget, "seeds": options.seeds, "epochs": race.epochs}
    run.save(status=status, frameworks=rows, accuracy_goal=goal, verdict=asdict(found), race=how, seconds=race.seconds)
    write_report(run.folder)
