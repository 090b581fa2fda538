"""`tune`: the search for a better recipe and size, and a file that is delivered as by `fit`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from allotrope.errors import UsageError
from allotrope.inputs.input_options import TrainingOptions
from allotrope.option import check_values
from allotrope.progress import Progress, display
from allotrope.run import Run
from allotrope.run_record import CallEntry, DataEntry, EndEntry
from allotrope.tuning.ray_cluster import check_cluster_installed
from allotrope.tuning.study_database import check_installed, without_password
from allotrope.verbs.declaring import spelled_out, takes
from allotrope.verbs.journal import Journal, ends_on_record
from allotrope.verbs.offered import TUNE
from allotrope.verbs.read_asked import read_asked
from allotrope.verbs.request import (
    FitOptions,
    asked_for,
    command_line,
    defaults,
    fit_options,
    layouts_apart,
    source_name,
    with_usual_drop,
)
from allotrope.verbs.resuming import (
    FINISHED,
    check_kind,
    check_same,
    check_unchanged,
    columns_again,
)
from allotrope.verbs.resuming import NOT_REPEATED as NEVER_REPEATED
from allotrope.verbs.tuned import TunedRun

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.verbs.network_file import Tuning
    from allotrope.verbs.pipeline import Among

NOT_REPEATED = (*NEVER_REPEATED, "storage", "cluster")
"""`storage` is recorded without its password, and where trials run is free on resume."""


@takes(TUNE)
def tune(
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    network: str = "auto",
    members: int = 1,
    framework: str = "pytorch",
    budget: str | float | None = None,
    trials: int | None = None,
    epochs: float | None = None,
    max_latency: str | float | None = None,
    max_size: str | float | None = None,
    max_drop: float | None = None,
    storage: str | None = None,
    study: str | None = None,
    cluster: str | None = None,
    out: str | Path = "runs",
    resume: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str | None = None,
    memory_layout: str | None = None,
    threads: int | None = None,
    measure_threads: int | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    momentum: float | None = None,
    beta2: float | None = None,
    epsilon: float | None = None,
    lookahead: int | None = None,
    accumulate: int | None = None,
    centralize: bool | None = None,
    sam: float | None = None,
    weight_decay: float | None = None,
    schedule: str | None = None,
    schedule_power: float | None = None,
    cycles: int | None = None,
    plateau_patience: int | None = None,
    warmup: float | None = None,
    label_smoothing: float | None = None,
    class_weights: str | None = None,
    sampling: str | None = None,
    loss: str | None = None,
    quantile: float | None = None,
    task_weights: str | None = None,
    augmentation: str | None = None,
    mixup: float | None = None,
    l1: float | None = None,
    max_norm: float | None = None,
    weight_standardization: bool | None = None,
    r_drop: float | None = None,
    spatial_dropout: float | None = None,
    drop_block: float | None = None,
    drop_connect: float | None = None,
    stochastic_depth: float | None = None,
    activation: str | None = None,
    normalization: str | None = None,
    dropout: float | None = None,
    clip_norm: float | None = None,
    average: float | None = None,
    swa: bool | None = None,
    patience: int | None = None,
    new_head: bool = False,
    freeze: Sequence[str] = (),
    backbone_rate: float | None = None,
    layer_decay: float | None = None,
    classifier: str | None = None,
    restore_batchnorm: bool | None = None,
    no_repair: Sequence[str] = (),
    saliency: bool = True,
    quiet: bool = False,
    **of_inputs: Unpack[TrainingOptions],
) -> TunedRun:
    """Search for a better recipe and size than the default, and deliver what it gave.

    What an option says is not searched. Limits are measured on each size before it is trained.
    Example: allotrope tune photos/ --budget 30m --max-latency 2ms

    Ctrl-C stops it and delivers the best so far.

    Raises: AllotropeError, and KeyboardInterrupt if Ctrl-C came outside a training; run.json then
    says how far it came.
    """
    return tune_among(spelled_out(locals()))


def tune_among(
    arguments: dict[str, Any], among: Among | None = None, show: Progress | None = None
) -> TunedRun:
    """`tune` by all of its arguments, with what it may choose among and where it shows it."""
    from allotrope.data.sources.frames.data_frames import columns_in_memory
    from allotrope.verbs.pipeline import Among

    check_installed()
    if arguments["cluster"] is not None and (among is None or among.cluster is None):
        check_cluster_installed()
    check_values(TUNE, arguments)
    arguments = layouts_apart(arguments)
    arguments["data"] = columns_in_memory(arguments["data"])
    with show or display(arguments["quiet"]) as shown:
        if arguments["resume"] is not None:
            return _resumed(arguments, among or Among(), shown)
        return _begun(arguments, among or Among(), shown)


def _begun(arguments: dict[str, Any], among: Among, show: Progress) -> TunedRun:
    began = time.monotonic()
    if arguments["data"] is None:
        raise UsageError(
            "there is nothing to train on. Name the data, such as 'digits' or a folder of class "
            "folders, or a run to resume."
        )
    if arguments["epochs"] is not None and arguments["budget"] is not None:
        raise UsageError("--budget and --epochs both say how long trainings are. Leave out one.")
    if arguments["epochs"] is not None and arguments["trials"] is None:
        raise UsageError("with --epochs nothing ends the search. Say how long: --trials 50")
    options = _options(arguments)
    data = _read(options, show)
    options = with_usual_drop(options, data)
    tuning = _tuning(options, data)
    asked = _asked(arguments)
    with Run.create(f"{data.name}-tune", arguments["out"]) as run:
        command = command_line("tune", "data", asked)
        run.enter(CallEntry(command, asked, options.seed, options.target, kind="tune"))
        return _tuned(run, arguments, options, data, tuning, among, show, began)


def _options(arguments: Mapping[str, Any]) -> FitOptions:
    """What `fit` would be asked for."""
    from allotrope.verbs.fit import fit

    usual = defaults(fit)
    return fit_options({**usual, **{name: x for name, x in arguments.items() if name in usual}})


def _asked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    asked = asked_for(tune, arguments, NOT_REPEATED)
    # A password has no place in a file that is sent around.
    if arguments["storage"] is not None:
        asked["storage"] = without_password(arguments["storage"])
    return asked


def _resumed(arguments: dict[str, Any], among: Among, show: Progress) -> TunedRun:
    """Goes on with a run, by the arguments that it was begun with."""
    with Run.resume(arguments["resume"]) as run:
        check_kind(run, "tune")
        recorded = run.json["arguments"]
        check_unchanged(run.folder, _asked(arguments), recorded)
        if run.json["status"] in FINISHED:
            return _finished(run, show)
        began = time.monotonic() - run.json.get("seconds", 0.0)
        again = columns_again(arguments["data"], recorded, "tune")
        asked = {**defaults(tune), **recorded, **again, "cluster": arguments["cluster"]}
        asked["storage"] = _storage_again(arguments["storage"], recorded.get("storage"))
        options = _options(asked)
        data = _read(options, show)
        check_same(run, data)
        options = with_usual_drop(options, data)
        tuning = _tuning(options, data)
        run.save(status="running")
        return _tuned(run, asked, options, data, tuning, among, show, began)


def _storage_again(url: str | None, recorded: str | None) -> str | None:
    """The URL of the database, whose password a run does not keep. Raises: UsageError."""
    if url is not None:
        return url
    if recorded is not None and ":***@" in recorded:
        raise UsageError(
            f"the run's study is in {recorded}, and its password is not kept. Give it again: "
            "--storage URL"
        )
    return recorded


def _finished(run: Run, show: Progress) -> TunedRun:
    from allotrope.verbs.resuming import finished

    done = finished(run, show)
    return TunedRun(done.folder, done.json)


def _read(options: FitOptions, show: Progress) -> Data:
    from allotrope.verbs.network_file import read_source

    source = None if options.file is None else read_source(options.file, options.repair)
    return read_asked(options, source, show)


def _tuning(options: FitOptions, data: Data) -> Tuning | None:
    """The network of a file made ready, before there is a run folder."""
    from allotrope.frameworks import framework as find_framework
    from allotrope.verbs.network_file import read_source

    if options.file is None:
        return None
    find_framework(options.framework).take_threads(options.settings.threads)
    source = read_source(options.file, options.repair)
    return source.tuning(data, options.fine_tuning, options.framework, options.seed)


def _tuned(
    run: Run,
    arguments: Mapping[str, Any],
    options: FitOptions,
    data: Data,
    tuning: Tuning | None,
    among: Among,
    show: Progress,
    began: float,
) -> TunedRun:
    """Every stage in its order; what ends one early is recorded."""
    from allotrope.data.facts import data_facts
    from allotrope.delivery.kept_tokenizer import keep_tokenizer
    from allotrope.measure.machine import describe
    from allotrope.verbs.tuning_run import TuningRun

    journal = Journal(run, began)
    remedy = f"What was made is in {run.folder}; go on with: allotrope tune --resume {run.folder}"
    with ends_on_record(run, remedy):
        show.say(f"run folder: {run.folder}")
        keep_tokenizer(data.inputs, run.folder)
        run.enter(DataEntry(data_facts(data, source_name(options.source)), describe()))
        going = TuningRun(journal, arguments, options, data, tuning, among, show)
        run.enter(EndEntry(going.run(), journal.seconds))
        from allotrope.report import write_report

        write_report(run.folder)
    return TunedRun(run.folder, run.json)
