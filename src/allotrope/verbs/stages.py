"""The stages of `fit`, in their order. Each takes what those before it left, and saves what it decided and measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from allotrope.architectures.choose import Choice, choose, choose_recipe
from allotrope.config import Recipe, Settings
from allotrope.data.images import ImageData, ImageSplit
from allotrope.delivery.deliver import deliver
from allotrope.frameworks import framework as find_framework
from allotrope.measure import candidates
from allotrope.measure.machine import cores, describe
from allotrope.measure.rounds import measurement
from allotrope.network.network import Network
from allotrope.network.rewriting.batchnorm import with_still_batchnorm
from allotrope.network.rewriting.compose import with_probabilities
from allotrope.progress import Progress, Tick, duration
from allotrope.report import write_report
from allotrope.run import Run, plain
from allotrope.tasks import Classification
from allotrope.training.checkpoints import resumable
from allotrope.training.evaluate import in_batches
from allotrope.training.loop import Trained, train
from allotrope.training.plausible_settings import fixed_by, plausible
from allotrope.training.settings_race import described, race_settings
from allotrope.training.speed import training_speed
from allotrope.verbs.facts import data_facts, network_facts
from allotrope.verbs.options import FitOptions, command_line
from allotrope.verbs.source import START, Tuning, as_saved


@dataclass
class Fitting:
    """One call of `fit` under way: what it was asked for, and what its stages have made so far."""

    run: Run
    options: FitOptions
    data: ImageData
    show: Progress
    tuning: Tuning | None = None
    network: Network = field(init=False)
    recipe: Recipe = field(init=False)
    settings: Settings = field(init=False)
    interrupted: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the data was read."""
        return time.monotonic() - self.began


def describe_data(fitting: Fitting) -> None:
    """What was read, and where, goes on record."""
    fitting.run.save(data=data_facts(fitting.data, fitting.options.source), environment=describe())


def choose_network(fitting: Fitting) -> None:
    """Network, size and recipe: by the data, the time there is, and what was asked for; those of the record where the run is resumed.

    What is trained is always read back from the folder, because a rewritten graph may round differently.
    """
    run = fitting.run
    if "recipe" not in run.json:
        _choose(fitting)
    fitting.network = with_still_batchnorm(_start(run), _frozen(run))
    fitting.recipe = _recipe(plain(run.json["recipe"]))


def _start(run: Run) -> Network:
    start = as_saved(run.folder / START)
    trainable = start.weights.keys() - set(run.json["network_details"]["not_trainable"])
    return start.changed(trainable=trainable)


def _frozen(run: Run) -> frozenset[str]:
    """The weights that would learn and are kept from it."""
    return frozenset(run.json.get("fine_tuning", {}).get("frozen", ()))


def _recipe(recorded: dict[str, Any]) -> Recipe:
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in recorded.items()}
    return Recipe(**values)


def _choose(fitting: Fitting) -> None:
    options, run = fitting.options, fitting.run
    choice = _tuned(fitting, fitting.tuning) if fitting.tuning is not None else _chosen(fitting)
    for reason in choice.reasons:
        fitting.show.say(reason)
    (run.folder / START).parent.mkdir(exist_ok=True)
    choice.network.save(run.folder / START)
    framework = find_framework(options.framework)
    chosen = {"network": choice.name, "network_details": network_facts(choice), "recipe": choice.recipe}
    run.save(**chosen, framework=framework.name, engine=framework.engine)


def _chosen(fitting: Fitting) -> Choice:
    """A network of the zoo."""
    options = fitting.options
    return choose(
        fitting.data,
        options.network,
        options.recipe,
        budget=options.budget,
        epochs=options.epochs,
        seed=options.seed,
        speed=lambda network, recipe: training_speed(network, fitting.data, recipe, options.framework, _plausible(options)),
    )


def _tuned(fitting: Fitting, tuning: Tuning) -> Choice:
    """The network of an ONNX file, which was made ready for the data."""
    options, network = fitting.options, tuning.ready.learning
    recipe, reasons = choose_recipe(
        fitting.data,
        network,
        options.recipe,
        budget=options.budget,
        epochs=options.epochs,
        seed=options.seed,
        new_head=bool(tuning.ready.replaced),
    )
    fitting.run.save(fine_tuning=tuning.facts)
    return Choice(tuning.source.file.stem, {}, network, recipe, [*tuning.notes, *reasons])


def choose_settings(fitting: Fitting) -> None:
    """The fastest settings whose loss agrees with float32's; those of the record where the run is resumed."""
    recorded = fitting.run.json.get("settings")
    if recorded is not None:
        fitting.settings = Settings(**recorded)
        return
    options, show = fitting.options, fitting.show
    race = race_settings(fitting.network, fitting.data, fitting.recipe, options.framework, options=_plausible(options), report=show.say)
    if fitting.recipe.budget is not None:
        fitting.recipe = replace(fitting.recipe, budget=max(fitting.recipe.budget - fitting.seconds, 1.0))
    fitting.settings = race.chosen
    show.say(f"settings: {described(race.chosen)}. {race.reason}")
    facts = {"rows": race.rows, "seconds": race.seconds, "reason": race.reason}
    repeat = _repeating(fitting, race.chosen)
    fitting.run.save(recipe=fitting.recipe, settings=race.chosen, settings_race=facts, repeat=repeat)


def _plausible(options: FitOptions) -> list[Settings]:
    """The settings among which training may choose; one, if all are fixed."""
    return plausible(find_framework(options.framework), options.settings)


def _repeating(fitting: Fitting, chosen: Settings) -> str:
    """The command that repeats this run with the settings that were chosen, instead of racing them again."""
    fixed = asdict(fixed_by(replace(chosen, threads=chosen.threads or cores())))
    others = {name: value for name, value in fitting.run.json["arguments"].items() if name not in fixed}
    return command_line("fit", "data", {**others, **fixed})


class _Recording(Progress):
    """Shows what another display shows, and writes history.csv as it grows."""

    def __init__(self, show: Progress, run: Run) -> None:
        self._show, self._run = show, run
        self._rows: list[Mapping[str, Any]] = list(run.history())

    def say(self, line: str) -> None:
        """As the other does."""
        self._show.say(line)

    def step(self, tick: Tick) -> None:
        """As the other does."""
        self._show.step(tick)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """A resumed training repeats what came after its last checkpoint: those rows are replaced."""
        self._rows = [*(earlier for earlier in self._rows if int(earlier["step"]) < row["step"]), row]
        self._run.save_history(self._rows)
        self._show.epoch(row)


def train_network(fitting: Fitting) -> None:
    """Trains, from the newest checkpoint where there is one."""
    run = fitting.run
    trained = train(
        fitting.network,
        fitting.data,
        fitting.recipe,
        fitting.settings,
        fitting.options.framework,
        run.folder,
        _Recording(fitting.show, run),
        resume=resumable(run.folder / "checkpoints"),
        has_learned=_has_learned(run),
    )
    fitting.show.close()
    fitting.network = _whole(run, trained.network)
    fitting.interrupted = trained.stopped == "interrupted"
    run.save_history(trained.history)
    facts = {"epochs": trained.epochs, "steps": trained.steps, "best_epoch": trained.best["epoch"], "stopped": trained.stopped}
    run.save(training={**facts, "seconds": trained.seconds}, images_per_second=trained.images_per_second)
    speed = f"{trained.images_per_second:,.0f} images/s"
    fitting.show.say(f"trained {trained.epochs:.1f} epochs in {duration(trained.seconds)} ({speed}, {trained.stopped})")
    if trained.best["step"] == 0:
        fitting.show.say(_as_it_came(trained))


def _has_learned(run: Run) -> bool:
    """Whether the network came from a file and its last layer is not a new one."""
    return "fine_tuning" in run.json and not run.json["fine_tuning"]["replaced"]


def _as_it_came(trained: Trained) -> str:
    accuracy = trained.best["validation_accuracy"]
    return (
        f"No epoch was better on the validation data than the network as it came ({accuracy:.2%}), "
        "so its weights are kept as they were. Try --epochs, --budget or another --learning-rate."
    )


def _whole(run: Run, trained: Network) -> Network:
    """The network as the run began with it, all that it may learn among its trainable weights, with what it learned."""
    if not _frozen(run):
        return trained
    start = _start(run)
    learned = {name: array for name, array in trained.weights.items() if name in start.weights}
    return start.changed(weights=learned, trainable=start.trainable | _frozen(run))


def test_network(fitting: Fitting) -> None:
    """The trained network on validation and test data in float32; its worst mistakes become pictures."""
    data, run = fitting.data, fitting.run
    task = Classification(name="label", classes=data.classes)
    validation = task.scores(_logits(fitting, data.validation), data.validation.labels)
    found = task.account(_logits(fitting, data.test), data.test.labels)
    found["mistakes"] = [_with_picture(fitting, mistake, number) for number, mistake in enumerate(found["mistakes"])]
    run.save(validation=validation, test=found)
    fitting.show.say(f"validation accuracy {validation['accuracy']:.2%}, test accuracy {found['accuracy']:.2%}")


def _logits(fitting: Fitting, split: ImageSplit) -> np.ndarray:
    (image,), (logits,) = fitting.network.inputs, fitting.network.outputs
    framework = fitting.options.framework
    return in_batches(lambda images: fitting.network.run({image.name: images}, framework)[logits.name], split.images)


def _with_picture(fitting: Fitting, mistake: dict[str, Any], number: int) -> dict[str, Any]:
    test, folder = fitting.data.test, fitting.run.folder / "pictures"
    folder.mkdir(exist_ok=True)
    pixels = test.images[mistake["index"]]
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(folder / f"mistake-{number:02}.png")
    file = {"file": test.files[mistake["index"]]} if test.files is not None else {}
    return {**mistake, **file, "picture": f"pictures/mistake-{number:02}.png"}


def measure_candidates(fitting: Fitting) -> None:
    """The trained network, from raw pixels to probabilities, in every precision and runtime; training images calibrate int8."""
    data, run, options = fitting.data, fitting.run, fitting.options
    network = with_probabilities(fitting.network, data.classes)
    rows = candidates.measure_candidates(
        network, data.train, data.validation, data.test, run.folder, options.target, options.settings.threads, fitting.show.say
    )
    run.save(candidates=rows, measurement=measurement(options.settings.threads or cores()))


def deliver_best(fitting: Fitting) -> None:
    """The fastest candidate that meets the target goes to `delivered/`; where none does, the nearest miss is named."""
    data, run = fitting.data, fitting.run
    outcome = deliver(
        run.json["candidates"], data.classes, data.image, run.folder, fitting.options.target, data.summary["value_range"]
    )
    run.save(delivered=outcome.delivered, nearest_miss=outcome.nearest_miss)


def report(fitting: Fitting) -> None:
    """The report, once the record is complete."""
    delivered = fitting.run.json["delivered"] is not None
    status = "interrupted" if fitting.interrupted else "done" if delivered else "target-missed"
    fitting.run.save(status=status, seconds=fitting.seconds)
    write_report(fitting.run.folder)


STAGES: tuple[Callable[[Fitting], None], ...] = (
    describe_data, choose_network, choose_settings, train_network, test_network, measure_candidates, deliver_best, report,
)  # fmt: skip
