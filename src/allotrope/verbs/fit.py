"""`fit`: labelled images in, a measured, deployable file out. Each stage is written down before the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from allotrope.config import FixedSettings, Settings
from allotrope.errors import UsageError
from allotrope.progress import Progress, display
from allotrope.run import Run
from allotrope.run_record import CallEntry, DataEntry, EndEntry
from allotrope.verbs.fitted import FittedRun
from allotrope.verbs.journal import Journal, ends_on_record
from allotrope.verbs.options import FitOptions, command_line, defaults, fit_options, given, layouts_apart

if TYPE_CHECKING:
    from allotrope.data.images import ImageData
    from allotrope.verbs.pipeline import Among, Plan
    from allotrope.verbs.source import Source, Tuning

NOT_REPEATED = ("out", "resume", "quiet")
FINISHED = ("done", "target-missed")


def fit(
    data: str | Path | None = None,
    *,
    network: str = "auto",
    framework: str = "pytorch",
    budget: str | float | None = None,
    epochs: float | None = None,
    max_latency: str | float | None = None,
    max_size: str | float | None = None,
    max_drop: float = 0.5,
    out: str | Path = "runs",
    resume: str | Path | None = None,
    seed: int = 0,
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
    optimizer: str | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    weight_decay: float | None = None,
    schedule: str | None = None,
    warmup: float | None = None,
    label_smoothing: float | None = None,
    class_weights: str | None = None,
    augmentation: str | None = None,
    flip: bool | None = None,
    mixup: float | None = None,
    cutmix: float | None = None,
    clip_norm: float | None = None,
    average: float | None = None,
    patience: int | None = None,
    new_head: bool = False,
    freeze: Sequence[str] = (),
    backbone_rate: float | None = None,
    mean: str | None = None,
    std: str | None = None,
    channel_order: str | None = None,
    classifier: str | None = None,
    restore_batchnorm: bool = False,
    no_repair: Sequence[str] = (),
    quiet: bool = False,
) -> FittedRun:
    """Train on labelled images and deliver the fastest file that meets the target, with a report that says why.

    Example: allotrope fit photos/ --budget 10m --max-latency 2ms --max-size 1MB

    Ctrl-C stops the training and delivers the best so far.

    Args:
        data: 'digits' (built in), a folder of class folders of pictures, an .npz file, or a folder of .npy or IDX files.
        network: a network of allotrope.networks, such as resnet20, or an ONNX file to train further; auto chooses by the data.
        framework: the framework that trains.
        budget: time for training, such as 90s or 10m.
        epochs: how often the training sees each image.
        max_latency: target: longest time for one image, such as 2ms.
        max_size: target: largest file, such as 900KB or 1MB.
        max_drop: target: largest loss of validation accuracy against float32, in percentage points.
        out: the folder in which the run's own folder is made.
        resume: the folder of a run that was stopped; it goes on with its own options.
        seed: decides split, initial weights, order and augmentation.
        device: cpu, cuda or mps; auto takes what is fastest here.
        precision: float32 or bfloat16 in training; by default both are raced, as are the next two.
        memory_layout: default or channels-last: how images lie in memory in training; --layout understands these words too.
        compile: whether training is compiled.
        threads: processor threads for training and measuring; all cores by default. With one, a run can be repeated to the bit.
        validation: the fraction split off for choices, where the data brings no such split.
        test: the fraction split off for the final test, where the data brings no such split.
        image_size: the side in pixels to which pictures in folders are brought.
        layout: how folders are read: auto, classes, deepest, pooled, splits, splits-deepest, classes-splits or folds.
        value_range: the values that are black and white, such as 0:4095, in arrays and in pictures of more than 8 bits.
        optimizer: sgd, momentum, nesterov, rmsprop, adam or adamw.
        learning_rate: the highest learning rate of the schedule.
        batch_size: images in a step.
        weight_decay: strength of the weight decay.
        schedule: constant, step, cosine or one-cycle.
        warmup: the fraction of the training in which the learning rate rises.
        label_smoothing: the share of each target that is spread over all classes.
        class_weights: none or balanced.
        augmentation: none, light, medium or heavy.
        flip: whether images may be mirrored left to right.
        mixup: the strength of mixing images; none by default.
        cutmix: the strength of pasting patches between images; none by default.
        clip_norm: the largest norm of the gradient.
        average: the decay per step of the moving average of the weights.
        patience: stop after this many validations without improvement.
        new_head: give the last layer of an ONNX file fresh weights, for the classes of the data.
        freeze: weights of an ONNX file that are not to learn, such as 'features.*'; may be repeated.
        backbone_rate: the learning rate of all layers but the last, in parts of it; 0.25 is usual with a new head.
        mean: the mean that an ONNX file was trained with, from 0 to 255, a channel or one for all, such as 123.7,116.3,103.5. By
            default the usual ranges are tried.
        std: the deviation that an ONNX file was trained with; mean 0 and std 255 are a range of 0 to 1, mean 0 and std 1 raw pixels.
        channel_order: rgb or bgr: the order in which an ONNX file takes the channels of a picture.
        classifier: the output of an ONNX file that tells the classes apart, if it has several.
        restore_batchnorm: put BatchNormalization back behind the convolutions of an ONNX file; its outputs stay the same.
        no_repair: a repair to leave out when an ONNX file is read, such as gelu; all leaves out every one; may be repeated.
        quiet: show nothing while working.

    Raises: AllotropeError, and KeyboardInterrupt where Ctrl-C came outside the training; run.json then says how far it came.
    """
    return fit_among(dict(locals()))


def fit_among(
    arguments: dict[str, Any], among: Among | None = None, show: Progress | None = None
) -> FittedRun:
    """`fit` by all of its arguments, with what it may choose among and where it shows what it does."""
    from allotrope.verbs.pipeline import Among

    arguments = layouts_apart(arguments)
    with show or display(arguments["quiet"]) as shown:
        if arguments["resume"] is not None:
            return _resumed(arguments, among or Among(), shown)
        return _begun(arguments, among or Among(), shown)


def _begun(arguments: dict[str, Any], among: Among, show: Progress) -> FittedRun:
    """A new run. The data is read before its folder is made, so that a wrong path leaves nothing behind."""
    if arguments["data"] is None:
        raise UsageError("there is nothing to train on. Name the data, such as 'digits' or a folder of class folders, or a run to resume.")
    options = fit_options(arguments)
    source = _source(options)
    data = _read(options, source, show)
    tuning = _tuning(options, source, data)
    if options.settings != FixedSettings(threads=options.settings.threads):
        among.plausible(options.framework, options.settings)  # refuses what the framework lacks
    asked = given(fit, arguments, NOT_REPEATED)
    with Run.create(data.name, arguments["out"]) as run:
        run.enter(CallEntry(command_line("fit", "data", asked), asked, options.seed, options.target))
        return _fitted(run, options, tuning, data, among, show)


def _resumed(arguments: dict[str, Any], among: Among, show: Progress) -> FittedRun:
    """Goes on with a run, by the arguments that it was begun with."""
    with Run.resume(arguments["resume"]) as run:
        call = run.record.call
        if call is not None and call.kind != "fit":
            raise UsageError(f"{run.folder} was made by {call.kind}, which cannot be resumed. Name a run that fit made.")
        recorded = run.json["arguments"]
        _check_unchanged(run.folder, given(fit, arguments, NOT_REPEATED), recorded)
        if run.json["status"] in FINISHED:
            return _finished(run, show)
        options = fit_options(defaults(fit) | recorded)
        run.save(status="running")
        chosen = run.record.start is not None
        source = _started(options, run.folder) if chosen else _source(options)
        data = _read(options, source, show)
        tuning = None if chosen else _tuning(options, source, data)
        return _fitted(run, options, tuning, data, among, show)


def _check_unchanged(folder: Path, asked: dict[str, Any], recorded: dict[str, Any]) -> None:
    changed = [name for name, value in asked.items() if recorded.get(name) != value]
    if changed:
        remedy = f"Leave out {', '.join(changed)}, or begin a new run."
        raise UsageError(f"{folder} goes on with the options that it was begun with. {remedy}")


def _finished(run: Run, show: Progress) -> FittedRun:
    """What a run that has ended gave; its report is made good if the end came before it."""
    from allotrope.report import write_report

    show.say(f"{run.folder} is finished ({run.json['status']}): nothing is left to do")
    if not (run.folder / "report.html").is_file():
        write_report(run.folder)
    return FittedRun(run.folder, run.json)


def _source(options: FitOptions) -> Source | None:
    """The ONNX file that is trained further, where one is."""
    from allotrope.verbs.source import read_source

    return None if options.file is None else read_source(options.file, options.repair)


def _tuning(options: FitOptions, source: Source | None, data: ImageData) -> Tuning | None:
    """Its network made ready for the data, before there is a run folder: what does not fit leaves nothing behind."""
    return None if source is None else source.tuning(data, options.fine_tuning, options.framework, options.seed)


def _started(options: FitOptions, folder: Path) -> Source | None:
    """The copy of the ONNX file in the run's folder, as it was made ready to train: the file itself may be gone."""
    from allotrope.verbs.source import read_start

    return None if options.file is None else read_start(folder)


def _read(options: FitOptions, source: Source | None, show: Progress) -> ImageData:
    """The data, its pictures in the size that the network is fixed to."""
    from allotrope.data import load_images

    return load_images(options.source, options.data if source is None else source.sized(options.data), show.say)


def _fitted(
    run: Run,
    options: FitOptions,
    tuning: Tuning | None,
    data: ImageData,
    among: Among,
    show: Progress,
) -> FittedRun:
    """Every stage in its order; what ends one early is recorded."""
    from allotrope.measure.machine import describe
    from allotrope.verbs import pages, pipeline
    from allotrope.verbs.facts import data_facts

    journal = Journal(run)
    remedy = f"What was made is in {run.folder}; go on with: allotrope fit --resume {run.folder}"
    with ends_on_record(run, remedy):
        show.say(f"run folder: {run.folder}")
        run.enter(DataEntry(data_facts(data, options.source), describe()))
        plan = _planned(journal, options, tuning, data, among, show)
        trained = journal.value(
            pages.TrainingPage(plan),
            lambda: pipeline.trained(plan, run.folder, pages.Recording(show, run)),
        )
        scored = journal.value(pages.ScoresPage(trained), lambda: pipeline.scored(trained, show))
        threads, target = options.settings.threads, options.target
        measured = journal.value(
            pages.CandidatesPage(scored),
            lambda: pipeline.measured(scored, run.folder, target, threads, among, show),
        )
        delivered = journal.value(
            pages.DeliveryPage(measured), lambda: pipeline.delivered(measured, target)
        )
        _end(journal, _status(trained.interrupted, delivered.row is not None))
    return FittedRun(run.folder, run.json)


def _planned(
    journal: Journal,
    options: FitOptions,
    tuning: Tuning | None,
    data: ImageData,
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
        start = pipeline.started(options, data, tuning, options.seed, speed)
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
