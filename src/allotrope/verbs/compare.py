"""`compare`: the same network, weights and batches in every framework; which to use, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from allotrope.config import Repair, parse_seconds
from allotrope.errors import UsageError
from allotrope.inputs.input_options import TakingOptions
from allotrope.option import check_values
from allotrope.progress import Progress, display
from allotrope.run import Run
from allotrope.run_record import CallEntry, DataEntry, EndEntry, NetworkEntry, RaceEntry
from allotrope.run_words import written
from allotrope.verbs.compared import ComparedRun
from allotrope.verbs.declaring import spelled_out, takes
from allotrope.verbs.journal import ends_on_record
from allotrope.verbs.offered import COMPARE
from allotrope.verbs.read_asked import read_asked
from allotrope.verbs.request import (
    Request,
    asked_for,
    check_for_files,
    check_network,
    command_line,
    data_options,
    fine_tuning,
    fixed_settings,
    layouts_apart,
    onnx_file,
    source_name,
)

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.measure.race.beside import Beside
    from allotrope.measure.race.race import FrameworkRace, RacePlan
    from allotrope.tasks import Metric
    from allotrope.verbs.network_file import NetworkFile
    from allotrope.verbs.pipeline import Start

    Racing = Callable[[Path, RacePlan, Callable[[str], None]], FrameworkRace]

MOST_EPOCHS = 40.0
NOT_REPEATED = ("out", "quiet")


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Request):
    """The arguments of `compare`.

    The race takes `time` seconds in all; `goal` is a value of the metric.
    """

    frameworks: tuple[str, ...]
    time: float
    goal: float | None
    seeds: int


@takes(COMPARE)
def compare(
    data: str | Path | Mapping[str, Any],
    *,
    network: str = "auto",
    frameworks: Sequence[str] | None = None,
    budget: str | float = "10m",
    epochs: float | None = None,
    goal: float | None = None,
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
    new_head: bool = False,
    classifier: str | None = None,
    out: str | Path = "runs",
    quiet: bool = False,
    **of_inputs: Unpack[TakingOptions],
) -> ComparedRun:
    """Race the frameworks on your data, and say which to use here and why, with a report.

    Example: allotrope compare photos/ --network resnet20 --budget 20m

    Each framework has processes of its own, equal threads and its own best settings. Ctrl-C leaves
    what was measured until then.

    Raises: AllotropeError, and KeyboardInterrupt if Ctrl-C came before anything was measured.
    """
    return compare_in(spelled_out(locals()))


def compare_in(arguments: dict[str, Any], racing: Racing | None = None) -> ComparedRun:
    """`compare` by all of its arguments; `racing` makes the race, a `FrameworkRace` by default."""
    arguments = layouts_apart(arguments)
    arguments["data"] = _columns(arguments["data"])
    options = compare_options(arguments)
    with display(arguments["quiet"]) as show:
        source = _source(options)
        data_read = read_asked(options, source, show)
        _check_goal(options.goal, data_read.tasks[0].metric)
        starts = _starts(options, data_read, source)
        with Run.create(f"{data_read.name}-compare", arguments["out"]) as run:
            if arguments["frameworks"] is not None:
                arguments["frameworks"] = ",".join(options.frameworks)
            asked = asked_for(compare, arguments, NOT_REPEATED)
            command = command_line("compare", "data", asked)
            run.enter(CallEntry(command, asked, options.seed, kind="compare"))
            return _compared(run, options, data_read, starts, racing, show)


def compare_options(arguments: dict[str, Any]) -> CompareOptions:
    """The options that the arguments of `compare` ask for.

    Raises: UsageError for unknown names, and for all values out of range in one message.
    """
    from allotrope.frameworks import named
    from allotrope.measure.machine import cores

    file = onnx_file(arguments["network"])
    check_values(COMPARE, arguments)
    if file is None:
        check_network(arguments["network"])
        check_for_files(COMPARE, arguments)
    batch = arguments["batch_size"]
    return CompareOptions(
        source=arguments["data"],
        network=arguments["network"],
        frameworks=named(arguments["frameworks"]),
        budget=None,
        time=parse_seconds(arguments["budget"]),
        epochs=arguments["epochs"],
        goal=arguments["goal"],
        seeds=arguments["seeds"],
        seed=arguments["seed"],
        settings=fixed_settings({**arguments, "threads": arguments["threads"] or cores()}),
        data=data_options(arguments),
        recipe={} if batch is None else {"batch_size": batch},
        file=file,
        repair=Repair(),
        fine_tuning=fine_tuning(arguments),
    )


def _check_goal(goal: float | None, metric: Metric) -> None:
    """Raises: UsageError for a goal that the metric cannot have."""
    problem = "" if goal is None else metric.unfit(goal)
    if problem:
        raise UsageError(f"goal is {goal:g}, {problem}: a value of {metric.title}, which decides.")


def _compared(
    run: Run,
    options: CompareOptions,
    data: Data,
    starts: list[Start],
    racing: Racing | None,
    show: Progress,
) -> ComparedRun:
    """The race, recorded as it goes."""
    from allotrope.data.facts import data_facts
    from allotrope.measure.machine import cores, describe
    from allotrope.measure.race.beside import beside, busy, timed_lengths
    from allotrope.measure.race.files import start_file
    from allotrope.measure.rounds import load_average

    show.say(f"run folder: {run.folder}")
    run.enter(DataEntry(data_facts(data, source_name(options.source)), describe()))
    disturbed = busy(load_average(), cores())
    for line in disturbed:
        show.say(line)
    with ends_on_record(run), tempfile.TemporaryDirectory() as folder:
        first = starts[0]
        for reason in first.details["reasons"]:
            show.say(reason)
        run.enter(NetworkEntry(first.name, first.details, first.recipe))
        race = _race(Path(folder), run, options, data, starts, racing, show)
        interrupted = _interrupted(race)
        begun = None
        if first.has_learned and not interrupted:
            begun = start_file(Path(folder), 0)
        compared_with = beside(data, first.recipe, race.plan.threads, not interrupted, begun)
        remarks = [*timed_lengths(data, first.recipe), *disturbed]
        _conclude(run, options, data, race, compared_with, remarks, interrupted)
    return ComparedRun(run.folder, run.json)


def _columns(data: Any) -> Any:
    """A data frame as its columns; what is none as it is."""
    from allotrope.data.sources.frames.data_frames import columns_in_memory

    return columns_in_memory(data)


def _source(options: CompareOptions) -> NetworkFile | None:
    from allotrope.verbs.network_file import read_source

    return None if options.file is None else read_source(options.file, options.repair)


def _starts(options: CompareOptions, data: Data, source: NetworkFile | None) -> list[Start]:
    """The network and recipe, once a seed: each begins with other weights, if no file has them.

    A file is checked in the reference, so that no framework is loaded here. What its input is, is
    tried once: with other seeds it is the same.
    """
    from allotrope.architectures.recipes import usual_epochs
    from allotrope.verbs.pipeline import started

    epochs = options.epochs or usual_epochs(len(data.train)) or MOST_EPOCHS
    options = replace(options, epochs=epochs)
    asked, starts = options.fine_tuning, []
    for seed in range(options.seed, options.seed + options.seeds):
        tuning = None if source is None else source.tuning(data, asked, "reference", seed)
        if tuning is not None:
            asked = tuning.ready.settled(asked)
        starts.append(started(options, data, tuning, seed))
    return starts


def _race(
    folder: Path,
    run: Run,
    options: CompareOptions,
    data: Data,
    starts: list[Start],
    racing: Racing | None,
    show: Progress,
) -> FrameworkRace:
    from allotrope.measure.race.files import write_inputs
    from allotrope.measure.race.race import FrameworkRace, RacePlan

    recipe = starts[0].recipe
    write_inputs(folder, data, [start.network for start in starts], recipe)
    plan = RacePlan(
        options.frameworks,
        options.settings,
        options.time,
        recipe.epochs or 1.0,
        options.seeds,
        examples=len(data.train),
        validations=len(data.validation),
        metric=data.tasks[0].metric,
    )

    def report(line: str) -> None:
        show.say(line)
        run.save(frameworks=written(race.rows, run.json["data"]))

    race = (racing or FrameworkRace)(folder, plan, report)
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


def _conclude(
    run: Run,
    options: CompareOptions,
    data: Data,
    race: FrameworkRace,
    compared_with: Beside,
    remarks: list[str],
    interrupted: bool,
) -> None:
    """Goal, verdict and report, from what was measured."""
    from allotrope.data.reading import noun
    from allotrope.measure.race.verdict import metric_goal, outcome, verdict
    from allotrope.report import write_report
    from allotrope.tasks.means import labelled

    task = data.tasks[0]
    metric = task.metric
    goal = metric_goal(race.rows, options.goal, metric)
    rows = [{**row, **outcome(row, goal, metric)} for row in race.rows]
    if options.goal is None and compared_with.nothing_learned(rows, metric):
        # The time to a figure that needs no learning says nothing.
        goal = None
        rows = [{**row, **outcome(row, goal, metric)} for row in race.rows]
    judged_by = labelled(data.validation[task.name])
    judgement = verdict(rows, goal, metric, judged_by, noun(data.inputs))
    for row in rows:
        row["recommended"] = row["framework"] == judgement.framework
    measured = any("training" in row for row in rows)
    how = {
        "threads": options.settings.threads,
        "budget": options.time,
        "seeds": options.seeds,
        "epochs": race.epochs,
        **compared_with.facts(),
        "remarks": [*compared_with.remarks(rows, metric), *remarks],
    }
    entry = RaceEntry(rows, goal, asdict(judgement), how)
    run.save(**written(entry.facts(), run.json["data"]))
    run.enter(EndEntry(_status(interrupted, measured), race.seconds))
    write_report(run.folder)


def _status(interrupted: bool, measured: bool) -> str:
    if interrupted:
        return "interrupted"
    return "done" if measured else "failed"
