"""`shrink`: a trained network in, the same one smaller and faster out, to a measured target."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from allotrope.errors import UsageError
from allotrope.inputs.input_options import TrainingOptions
from allotrope.limits import limits_of
from allotrope.option import check_values
from allotrope.progress import Progress, display
from allotrope.run import Run
from allotrope.run_record import CallEntry, DataEntry, EndEntry, OriginEntry
from allotrope.verbs.declaring import spelled_out, takes
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.journal import Journal, ends_on_record
from allotrope.verbs.offered import SHRINK
from allotrope.verbs.request import asked_for, command_line, defaults, source_name
from allotrope.verbs.resuming import (
    FINISHED,
    NOT_REPEATED,
    check_kind,
    check_same,
    check_unchanged,
    columns_again,
    finished,
)
from allotrope.verbs.shrink_source import ShrinkSource, read_again, source_of

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.verbs.network_file import Tuning
    from allotrope.verbs.pipeline import Among
    from allotrope.verbs.request import FitOptions

OWN = ("source", "max_latency", "max_size", "max_drop", "budget", "epochs", "out", "resume")
"""The arguments that say nothing of how a network learns."""


@takes(SHRINK)
def shrink(
    source: str | Path | None = None,
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    max_latency: str | float | None = None,
    max_size: str | float | None = None,
    max_drop: float | None = None,
    budget: str | float | None = None,
    epochs: float | None = None,
    framework: str | None = None,
    out: str | Path = "runs",
    resume: str | Path | None = None,
    seed: int | None = None,
    threads: int | None = None,
    measure_threads: int | None = None,
    validation: float | None = None,
    test: float | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augmentation: str | None = None,
    mixup: float | None = None,
    saliency: bool = True,
    quiet: bool = False,
    **of_inputs: Unpack[TrainingOptions],
) -> FittedRun:
    """Make a trained network smaller and faster until the measured target is met.

    Channels, units and heads that matter least are cut out, by the time that this machine takes;
    what is left learns from the network before. Example: allotrope shrink runs/photos-1
    --max-latency 0.25x --budget 15m

    Ctrl-C stops it and delivers the best so far.

    Raises: AllotropeError, and KeyboardInterrupt if Ctrl-C came outside the training; run.json then
    says how far it came.
    """
    return shrink_among(spelled_out(locals()))


def shrink_among(
    arguments: dict[str, Any], among: Among | None = None, show: Progress | None = None
) -> FittedRun:
    """`shrink` by all of its arguments, with what it may choose among and where it shows it."""
    from allotrope.data.sources.frames.data_frames import columns_in_memory
    from allotrope.verbs.pipeline import Among

    check_values(SHRINK, arguments)
    arguments["data"] = columns_in_memory(arguments["data"])
    with show or display(arguments["quiet"]) as shown:
        if arguments["resume"] is not None:
            return _resumed(arguments, among or Among(), shown)
        return _begun(arguments, among or Among(), shown)


def _begun(arguments: dict[str, Any], among: Among, show: Progress) -> FittedRun:
    if arguments["source"] is None:
        raise UsageError(
            "there is nothing to shrink. Name a run that fit made, such as runs/photos-1, or an "
            "ONNX file and its data, or a run of shrink to resume."
        )
    began = time.monotonic()
    limits_of(arguments)
    source = source_of(arguments["source"], arguments["data"], _own(arguments))
    options = source.options
    file = source.read()
    data = read_again(source, file, options, show)
    tuning = source.tuning(file, data, options.framework)
    asked = asked_for(shrink, arguments, NOT_REPEATED)
    with Run.create(data.name, arguments["out"]) as run:
        command = command_line("shrink", "source", asked)
        run.enter(CallEntry(command, asked, options.seed, kind="shrink"))
        run.enter(OriginEntry({**source.facts(), "delivered": source.delivered}))
        _keep_delivered(source, run)
        return _shrunk(run, arguments, source, options, data, tuning, among, show, began)


def _own(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of how the network learns and is read, as `fit` calls it."""
    usual = defaults(shrink)
    asked = {name: x for name, x in arguments.items() if name not in (*OWN, "data")}
    return {name: x for name, x in asked.items() if x != usual[name]}


def _keep_delivered(source: ShrinkSource, run: Run) -> None:
    """A copy of the delivered file, which is measured beside what becomes of it."""
    from allotrope.verbs.shrink_pages import folder_of

    folder = folder_of(run, 0)
    folder.mkdir(parents=True)
    if source.delivered is not None and source.run is not None:
        file = source.run / source.delivered["file"]
        if not file.is_file():
            raise UsageError(f"{source.run} delivered {file.name}, and it is gone. Fit again.")
        shutil.copyfile(file, folder / "delivered.onnx")


def _resumed(arguments: dict[str, Any], among: Among, show: Progress) -> FittedRun:
    """Goes on with a run, by the arguments that it was begun with."""
    with Run.resume(arguments["resume"]) as run:
        check_kind(run, "shrink")
        recorded = run.json["arguments"]
        check_unchanged(run.folder, asked_for(shrink, arguments, NOT_REPEATED), recorded)
        if run.json["status"] in FINISHED:
            return finished(run, show)
        origin = run.record.origin
        if origin is None:
            raise UsageError(f"{run.folder} ended before anything was made of it. Begin a new run.")
        began = time.monotonic() - run.json.get("seconds", 0.0)
        again = columns_again(arguments["data"], recorded, "shrink")
        arguments = {**defaults(shrink), **recorded, **again}
        source = source_of(arguments["source"], arguments.get("data"), _own(arguments))
        options = source.options
        file = source.read()
        data = read_again(source, file, options, show)
        check_same(run, data)
        tuning = source.tuning(file, data, options.framework)
        run.save(status="running")
        return _shrunk(run, arguments, source, options, data, tuning, among, show, began)


def _shrunk(
    run: Run,
    arguments: Mapping[str, Any],
    source: ShrinkSource,
    options: FitOptions,
    data: Data,
    tuning: Tuning,
    among: Among,
    show: Progress,
    began: float,
) -> FittedRun:
    """Every stage in its order; what ends one early is recorded."""
    from allotrope.data.facts import data_facts
    from allotrope.delivery.kept_tokenizer import keep_tokenizer
    from allotrope.measure.machine import describe
    from allotrope.verbs.shrinking_run import ShrinkingRun

    journal = Journal(run, began)
    remedy = f"What was made is in {run.folder}; go on with: allotrope shrink --resume {run.folder}"
    with ends_on_record(run, remedy):
        show.say(f"run folder: {run.folder}")
        keep_tokenizer(data.inputs, run.folder)
        run.enter(DataEntry(data_facts(data, source_name(options.source)), describe()))
        going = ShrinkingRun(journal, arguments, source, options, data, tuning, among, show)
        status = going.run()
        journal.run.enter(EndEntry(status, journal.seconds))
        from allotrope.report import write_report

        write_report(run.folder)
    return FittedRun(run.folder, run.json)
