"""`fit`: labelled examples in, a measured, deployable file out.

Each stage is written down before the next begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from allotrope.config import FixedSettings, Settings
from allotrope.errors import UsageError
from allotrope.inputs.input_options import TrainingOptions
from allotrope.progress import Progress, display
from allotrope.run import Run, plain
from allotrope.run_record import CallEntry, DataEntry, EndEntry, WorkersEntry
from allotrope.verbs.declaring import spelled_out, takes
from allotrope.verbs.few_labels_asked import check_unlabelled
from allotrope.verbs.fitted import FittedRun, JoinedRun
from allotrope.verbs.journal import Journal, ends_on_record
from allotrope.verbs.offered import FIT
from allotrope.verbs.processes_asked import AGAIN, gathered, processes_asked, taken_part
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
    NOT_REPEATED,
    check_kind,
    check_same,
    check_unchanged,
    columns_again,
    finished,
)
from allotrope.verbs.tuned_start import tuned_settings, tuned_start

if TYPE_CHECKING:
    from allotrope.data.examples import Data
    from allotrope.process.group import ProcessGroup
    from allotrope.verbs.network_file import NetworkFile, Tuning
    from allotrope.verbs.network_weights import NetworkWeights
    from allotrope.verbs.pipeline import Among, Plan, TrainedPlan
    from allotrope.verbs.pipeline.rivals import Rival


@takes(FIT)
def fit(
    data: str | Path | Mapping[str, Any] | None = None,
    *,
    network: str = "auto",
    members: int = 1,
    ensemble: int | None = None,
    ensemble_of: str = "seeds",
    combine: str = "auto",
    distill: bool = False,
    method: str = "auto",
    framework: str = "pytorch",
    budget: str | float | None = None,
    epochs: float | None = None,
    max_latency: str | float | None = None,
    max_size: str | float | None = None,
    max_drop: float | None = None,
    shrink: bool = False,
    out: str | Path = "runs",
    tuned: str | Path | None = None,
    resume: str | Path | None = None,
    processes: int = 1,
    shares: int | None = None,
    rank: int | None = None,
    address: str | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str | None = None,
    memory_layout: str | None = None,
    compile: bool | None = None,
    threads: int | None = None,
    measure_threads: int | None = None,
    validation: float = 0.1,
    test: float = 0.2,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    find_rate: bool | None = None,
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
    clip_norm: float | None = None,
    average: float | None = None,
    swa: bool | None = None,
    patience: int | None = None,
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
    weights: str | None = None,
    new_head: bool = False,
    freeze: Sequence[str] = (),
    backbone_rate: float | None = None,
    layer_decay: float | None = None,
    classifier: str | None = None,
    restore_batchnorm: bool | None = None,
    probe: bool = False,
    no_repair: Sequence[str] = (),
    saliency: bool = True,
    quiet: bool = False,
    **of_inputs: Unpack[TrainingOptions],
) -> FittedRun:
    """Train on labelled examples, deliver the fastest file that meets the target, and say why.

    Example: allotrope fit photos/ --budget 10m --max-latency 2ms --max-size 1MB

    Ctrl-C stops the training and delivers the best so far.

    Raises: AllotropeError, and KeyboardInterrupt if Ctrl-C came outside the training; run.json then
    says how far it came.
    """
    return fit_among(spelled_out(locals()))


def fit_among(
    arguments: dict[str, Any], among: Among | None = None, show: Progress | None = None
) -> FittedRun:
    """`fit` by all of its arguments, with what it may choose among and where it shows it.

    What `--shrink` adds is fit_to_target.py's.
    """
    from allotrope.data.sources.frames.data_frames import columns_in_memory
    from allotrope.verbs.pipeline import Among

    arguments = layouts_apart(arguments)
    arguments["data"] = columns_in_memory(arguments["data"])
    asked = processes_asked(arguments)
    if asked is not None and asked.rank > 0:
        said = taken_part(asked, arguments)
        return JoinedRun(Path(said["folder"]), said["json"])
    with (
        show or display(arguments["quiet"]) as shown,
        gathered(asked, arguments, shown) as group,
    ):
        fitted = _alone(arguments, among or Among(), shown, group)
        if group is not None:
            group.close(result={"folder": str(fitted.folder), "json": plain(fitted.json)})
    return fitted


def _alone(
    arguments: dict[str, Any], among: Among, show: Progress, group: ProcessGroup | None
) -> FittedRun:
    """What one process does, whether others compute for it or not."""
    if arguments["resume"] is not None:
        return _resumed(arguments, among, show, group)
    return _begun(arguments, among, show, group)


def _begun(
    arguments: dict[str, Any], among: Among, show: Progress, group: ProcessGroup | None
) -> FittedRun:
    """A new run.

    The data is read before its folder is made, so that a wrong path leaves nothing behind.
    """
    if arguments["data"] is None:
        raise UsageError(
            "there is nothing to train on. Name the data, such as 'digits' or a folder of class "
            "folders, or a run to resume."
        )
    options = fit_options(arguments)
    if options.tuned is not None:
        tuned_settings(options.tuned)  # refuses what is no search, before anything is read
    source = _source(options)
    data = read_asked(options, source, show)
    check_unlabelled(options.method, data)
    options = with_usual_drop(options, data)
    tuning = _tuning(options, source, data)
    if options.settings != FixedSettings(threads=options.settings.threads):
        among.plausible(options.framework, options.settings)  # refuses what the framework lacks
    asked = asked_for(fit, arguments, NOT_REPEATED)
    with Run.create(data.name, arguments["out"]) as run:
        _enter_call(run, asked, options, group)
        return _fitted(run, options, tuning, data, among, show, group)


def _resumed(
    arguments: dict[str, Any], among: Among, show: Progress, group: ProcessGroup | None
) -> FittedRun:
    """Goes on with a run, by the arguments that it was begun with."""
    with Run.resume(arguments["resume"]) as run:
        check_kind(run, "fit")
        recorded = run.json["arguments"]
        check_unchanged(run.folder, asked_for(fit, arguments, (*NOT_REPEATED, "shares")), recorded)
        if run.json["status"] in FINISHED:
            return finished(run, show)
        options = fit_options(
            defaults(fit) | recorded | columns_again(arguments["data"], recorded, "fit")
        )
        run.save(status="running")
        if group is not None:
            _enter_call(run, recorded, options, group)
        chosen = run.record.start is not None
        source = _started(options, run.folder) if chosen else _source(options)
        data = read_asked(options, source, show)
        options = with_usual_drop(options, data)
        check_same(run, data)
        tuning = None if chosen else _tuning(options, source, data)
        return _fitted(run, options, tuning, data, among, show, group)


def _enter_call(
    run: Run, asked: dict[str, Any], options: FitOptions, group: ProcessGroup | None
) -> None:
    """What was asked for; of several processes also by what a run comes to the same bits again."""
    if group is not None:
        asked = {**asked, "shares": group.size}
        run.enter(WorkersEntry(group.threads))
    run.enter(CallEntry(command_line("fit", "data", asked), asked, options.seed, options.target))


def _source(options: FitOptions) -> NetworkFile | NetworkWeights | None:
    """The ONNX file or the weights that are trained further, where such are."""
    from allotrope.verbs.network_file import read_source
    from allotrope.verbs.network_weights import read_weights

    if options.weights is not None:
        return read_weights(options.network, options.weights)
    return None if options.file is None else read_source(options.file, options.repair)


def _tuning(
    options: FitOptions, source: NetworkFile | NetworkWeights | None, data: Data
) -> Tuning | None:
    """Its network made ready before there is a run folder: a misfit leaves nothing behind."""
    from allotrope.frameworks import framework as find_framework

    if source is None:
        return None
    # The network is run here, before a trainer could say how many threads there are to be.
    find_framework(options.framework).take_threads(options.settings.threads)
    return source.tuning(data, options.fine_tuning, options.framework, options.seed)


def _started(options: FitOptions, folder: Path) -> NetworkFile | None:
    """The copy of the ONNX file in the run's folder, ready to train: the file may be gone."""
    from allotrope.verbs.network_file import read_start

    return read_start(folder) if options.has_learned else None


def _fitted(
    run: Run,
    options: FitOptions,
    tuning: Tuning | None,
    data: Data,
    among: Among,
    show: Progress,
    group: ProcessGroup | None,
) -> FittedRun:
    """Every stage in its order; what ends one early is recorded."""
    from allotrope.data.facts import data_facts
    from allotrope.delivery.kept_tokenizer import keep_tokenizer
    from allotrope.measure.machine import describe
    from allotrope.verbs import pages, pipeline

    journal = Journal(run)
    remedy = f"What was made is in {run.folder}; go on with: allotrope fit --resume {run.folder}"
    with ends_on_record(run, remedy):
        show.say(f"run folder: {run.folder}")
        facts = data_facts(data, source_name(options.source))
        keep_tokenizer(data.inputs, run.folder)
        run.enter(DataEntry(facts, describe()))
        if group is not None:
            group.remedy = f"{remedy} {AGAIN}"
            among = replace(among, compiled=False)
        plan = _planned(journal, options, tuning, data, among, show)
        trained, others = _trained(journal, options, plan, show, group)
        if others:
            show.say("what follows is of the network that stands alone")
        scored = journal.value(
            pages.ScoresPage(trained), lambda: pipeline.scored(trained, show, options.saliency)
        )
        threads, target = options.measuring_threads, options.target
        measured = journal.value(
            pages.CandidatesPage(scored),
            lambda: pipeline.measured(
                scored, run.folder, target, threads, among, show, others=others
            ),
        )

        def deliver() -> pipeline.Delivered:
            value = pipeline.delivered(measured, target)
            return pipeline.examined(value, run.folder, threads, options.saliency, show)

        delivered = journal.value(pages.DeliveryPage(measured, show), deliver)
        _end(journal, _status(trained.interrupted, delivered.row is not None))
    return FittedRun(run.folder, run.json)


def _trained(
    journal: Journal, options: FitOptions, plan: Plan, show: Progress, group: ProcessGroup | None
) -> tuple[TrainedPlan, Sequence[Rival]]:
    """The network that stands alone, and what else of an ensemble may be delivered."""
    from allotrope.data.examples import UNLABELLED
    from allotrope.verbs import pages, pipeline
    from allotrope.verbs.ensemble_run import EnsembleRun
    from allotrope.verbs.few_labels_run import FewLabelsRun

    if UNLABELLED in plan.data.splits:
        if options.ensemble is None and group is None:
            return FewLabelsRun(journal, options, plan, show).run(), ()
        show.say("unlabelled examples are left out, as several networks or processes learn")
    if options.ensemble is not None:
        ensemble = EnsembleRun(journal, options, plan, show).run()
        return ensemble.alone.trained, ensemble.rivals
    run = journal.run
    trained = journal.value(
        pages.TrainingPage(plan),
        lambda: pipeline.trained(plan, run.folder, pages.HistoryDisplay(show, run), group=group),
    )
    return trained, ()


def _planned(
    journal: Journal,
    options: FitOptions,
    tuning: Tuning | None,
    data: Data,
    among: Among,
    show: Progress,
) -> Plan:
    """The plan in two steps: what a kill between them loses is the race of settings."""
    from allotrope.verbs import pages, pipeline

    framework = options.framework

    def settings() -> list[Settings]:
        return among.plausible(framework, options.settings)

    def start() -> pipeline.Start:
        speed = pipeline.speed_among(settings(), data, framework)
        race = pipeline.race_among(settings(), data, framework, show)
        start = pipeline.started(options, data, tuning, options.seed, speed, race)
        if options.tuned is not None:
            start = tuned_start(start, tuned_settings(options.tuned), options, data, tuning)
        for reason in start.details["reasons"]:
            show.say(reason)
        return start

    begun = journal.value(pages.StartPage(framework), start)
    return journal.value(
        pages.PlanPage(begun, data, framework),
        lambda: pipeline.settled(begun, data, framework, settings(), show, journal.began),
    )


def _status(interrupted: bool, delivered: bool) -> str:
    if interrupted:
        return "interrupted"
    return "done" if delivered else "target-missed"


def _end(journal: Journal, status: str) -> None:
    """The report, once the record is complete."""
    from allotrope.report import write_report

    journal.run.enter(EndEntry(status, journal.seconds))
    write_report(journal.run.folder)
