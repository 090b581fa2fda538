"""The stages of `shrink`: the network as it came, and rounds of cutting, training and measuring."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Recipe, Target
from allotrope.data.batches import Batches
from allotrope.delivery.finished import finished
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Batch
from allotrope.measure.candidates import FLOAT_FILE, INT8_FOLDER, Candidate, Split, measure
from allotrope.measure.choice import DECIDING, REFERENCE, judge
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.progress import Progress
from allotrope.shrink.batch_statistics import with_new_statistics
from allotrope.shrink.choose_widths import Prediction, removed_for
from allotrope.shrink.distill import distillation
from allotrope.shrink.group_importance import magnitude, taylor
from allotrope.shrink.groups import Groups, groups
from allotrope.shrink.prune import pruned
from allotrope.training.checkpoints import resumable
from allotrope.training.loop import Trained, train
from allotrope.training.loss_gradients import loss_gradients
from allotrope.training.plan import plan_for
from allotrope.verbs.pipeline.outcome import judging
from allotrope.verbs.pipeline.planning import Plan
from allotrope.verbs.pipeline.round_goals import Goal

BEFORE = "before"
"""The form of the file that was delivered before."""
STATISTICS = 30
"""So many batches give BatchNormalization new statistics, and slopes by which groups count."""
TRIES = 4
"""So often a cut is made again, if the network takes longer than was thought."""
NEAR = 1.02
"""A network that takes so much more than it was to take is near enough on the way."""
FEW = 64
"""Examples with which a network is timed whose answers do not count yet."""
GENTLE = 0.5
"""A network that goes on learning begins at this part of the learning rate it once learned with."""


@dataclass(frozen=True)
class Before:
    """The network as it came: all of its candidates, and what is compared with.

    `today` is the row of the file that was delivered, or is the fastest now. `forms` are those
    candidates by which rounds are judged.
    """

    rows: Sequence[dict[str, Any]]
    today: dict[str, Any]
    forms: tuple[tuple[str, str, str], ...]
    target: Target


@dataclass(frozen=True)
class Cut:
    """A network with less in it, before its first step, and what is known of the cut."""

    number: int
    network: Network
    recipe: Recipe
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaughtCut:
    """The same after its training."""

    cut: Cut
    network: Network
    facts: dict[str, Any]
    history: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Round:
    """The same, measured; the first row is the one that counts."""

    taught: TaughtCut
    rows: Sequence[dict[str, Any]]

    @property
    def row(self) -> dict[str, Any]:
        """The row that it is judged by."""
        return self.rows[0]


# --- the network as it came


def as_it_came(
    plan: Plan,
    folder: Path,
    delivered: Candidate | None,
    limits: Callable[[float, float], Target],
    threads: int | None,
    among: Callable[[Path], list[Candidate]],
    show: Progress,
) -> Before:
    """The network before anything is cut, in every form, beside the file that was delivered."""
    show.say("measuring the network as it came")
    rows = _rows(plan, plan.network, folder, threads, _beside(among, delivered), show)
    measured = [row for row in rows if "latency_ms" in row]
    task = plan.tasks[0]
    own = [row for row in measured if row["form"] != BEFORE]
    full = [row for row in own if row["precision"] == "float32"]
    if not full:
        reasons = "; ".join(f"{row['runtime']}: {row.get('reason', '')}" for row in rows)
        raise UsageError(f"the network could not be measured in float32 here: {reasons}")
    best = max(full, key=lambda row: task.metric.rank(row[DECIDING]))
    for row in rows:
        row[REFERENCE] = row is best
    today = next((row for row in measured if row["form"] == BEFORE), None)
    if today is None:
        passing = [row for row in judge(own, limits(1.0, 1.0), task.metric) if _is_near(row, best)]
        today = min(passing or own, key=_latency)
    target = limits(_latency(today), today["size_bytes"])
    return Before(judge(rows, target, task.metric), today, _forms(own, today), target)


def _is_near(row: Mapping[str, Any], best: Mapping[str, Any]) -> bool:
    """Whether its answers are worth about those in float32."""
    return bool(abs(row[DECIDING] - best[DECIDING]) <= 0.02 * abs(best[DECIDING]))


def _beside(
    among: Callable[[Path], list[Candidate]], delivered: Candidate | None
) -> Callable[[Path], list[Candidate]]:
    """The candidates without the baseline of a training, and the delivered file."""

    def candidates(folder: Path) -> list[Candidate]:
        own = [each for each in among(folder) if not each.baseline]
        return own if delivered is None else [delivered, *own]

    return candidates


def _forms(
    own: Sequence[Mapping[str, Any]], today: Mapping[str, Any]
) -> tuple[tuple[str, str, str], ...]:
    """The runtime, precision and form of what was delivered, and of what is the fastest."""
    keys = [_form(row) for row in sorted(own, key=_latency)]
    alike = [key for key in keys if key[:2] == (today["runtime"], today["precision"])]
    return tuple(dict.fromkeys([*alike[:1], *keys[:1]]))


def _form(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["runtime"], row["precision"], row["form"]


def _latency(row: Mapping[str, Any]) -> float:
    latency: float = row["latency_ms"]["median"]
    return latency


def _rows(
    plan: Plan,
    network: Network,
    folder: Path,
    threads: int | None,
    among: Callable[[Path], list[Candidate]],
    show: Progress,
    split: Split | None = None,
) -> list[dict[str, Any]]:
    """A row for each candidate of a network with raw answers; test data takes no part."""
    data, task = plan.data, plan.tasks[0]
    (folder / INT8_FOLDER).mkdir(parents=True, exist_ok=True)
    finished(network, data.inputs, plan.tasks).save(folder / FLOAT_FILE)
    taken = data.taken("train")
    few = np.unique(np.linspace(0, len(data.train) - 1, min(len(data.train), 300)).astype(int))
    calibration = {name: column[few] for name, column in taken.items()}
    splits = {"validation": split or judging(data, "validation", task)}
    quiet = Progress()
    del show
    return measure(among(folder), calibration, splits, threads, quiet.say)


# --- a round


def cut(
    plan: Plan,
    before: Before,
    latest: Network,
    number: int,
    goal: Goal,
    recipe: Recipe,
    folder: Path,
    threads: int | None,
    among: Callable[[Path], list[Candidate]],
    show: Progress,
) -> Cut:
    """The network cut to the goal, as it is timed untrained, with new statistics."""
    batches = _batches(plan, recipe)
    if not goal.cuts:
        show.say(f"round {number}: it is fast and small enough, and trains further")
        return Cut(number, latest, recipe, _facts(latest, goal, None, {}))
    known = groups(latest)
    worth = _importance(plan, latest, known, recipe)
    aim = replace(goal)
    timed: dict[str, Any] = {}
    smaller, prediction = latest, None
    for _ in range(TRIES):
        try:
            smaller, prediction = _smaller(plan, before, latest, known, worth, aim)
        except UsageError:
            # What was possible at first is kept: only the tightened aim is not.
            if prediction is None:
                raise
            break
        timed = _timed(plan, before, smaller, folder, threads, among, show)
        aim, is_near = _tightened(aim, goal, timed)
        if is_near:
            break
    show.say(_said(number, timed, smaller, plan.network))
    renewed = with_new_statistics(smaller, (each.inputs for each in batches), plan.framework)
    return Cut(number, renewed, recipe, _facts(renewed, goal, prediction, timed))


def _importance(plan: Plan, network: Network, known: Groups, recipe: Recipe) -> np.ndarray:
    """What each group counts: by the loss of the tasks, or by its weights if that says nothing."""
    trained = plan_for(network, recipe, plan.data.tasks, plan.data.train.columns)
    gradients = loss_gradients(network, trained, plan.settings, plan.framework)
    worth = taylor(network, known, gradients, _batches(plan, recipe))
    if np.isfinite(worth).all() and worth.any():
        return worth
    return magnitude(network, known)


def _batches(plan: Plan, recipe: Recipe) -> Iterator[Batch]:
    """The first batches that the training would see."""
    batches = Batches(plan.data, recipe)
    for index in range(min(STATISTICS, max(STATISTICS, batches.steps_per_epoch))):
        epoch, step = divmod(index, batches.steps_per_epoch)
        yield batches.batch(epoch, step)


def _smaller(
    plan: Plan,
    before: Before,
    network: Network,
    known: Groups,
    worth: np.ndarray,
    aim: Goal,
) -> tuple[Network, Prediction]:
    costs = _Costs(plan, before)
    seconds = None if aim.latency is None else aim.latency / 1e3
    removed, prediction = removed_for(
        network,
        known,
        worth,
        costs.seconds,
        seconds,
        bytes_of=costs.bytes,
        target_bytes=aim.size,
    )
    return pruned(network, removed, known), prediction


class _Costs:
    """Seconds and bytes of a network, by what the whole one takes in the form it is judged in."""

    def __init__(self, plan: Plan, before: Before) -> None:
        by_form = {_form(row): row for row in before.rows if "latency_ms" in row}
        row = by_form[before.forms[0]]
        self._latency, self._size = _latency(row) / 1e3, row["size_bytes"]
        self._work, self._numbers = multiply_adds(plan.network), parameters(plan.network)

    def seconds(self, network: Network) -> float:
        """In proportion to multiply-adds."""
        return self._latency * multiply_adds(network) / max(self._work, 1)

    def bytes(self, network: Network) -> float:
        """In proportion to the weights."""
        return self._size * parameters(network) / max(self._numbers, 1)


def _timed(
    plan: Plan,
    before: Before,
    network: Network,
    folder: Path,
    threads: int | None,
    among: Callable[[Path], list[Candidate]],
    show: Progress,
) -> dict[str, Any]:
    """The fastest form of an untrained network: latency and size need no training."""
    data = plan.data
    few = {name: x[: min(FEW, len(x))] for name, x in data.taken("validation").items()}
    whole = judging(data, "validation", plan.tasks[0])
    split = replace(whole, inputs=few, judged=lambda answers: 0.0, figures=lambda answers: {})
    rows = _rows(plan, network, folder, threads, _as_before(among, before), show, split)
    measured = [row for row in rows if "latency_ms" in row]
    if not measured:
        reasons = "; ".join(row.get("reason", "") for row in rows)
        raise UsageError(f"the cut network could not be measured: {reasons}")
    best = min(measured, key=_latency)
    return {"latency_ms": _latency(best), "size_bytes": best["size_bytes"]}


def _as_before(
    among: Callable[[Path], list[Candidate]], before: Before
) -> Callable[[Path], list[Candidate]]:
    """The candidates by which rounds are judged."""

    def candidates(folder: Path) -> list[Candidate]:
        by_form = {(each.runtime, each.precision, each.form): each for each in among(folder)}
        return [by_form[form] for form in before.forms]

    return candidates


def _tightened(aim: Goal, goal: Goal, timed: Mapping[str, Any]) -> tuple[Goal, bool]:
    """What to aim at next to reach the goal, and whether it is near already."""
    excess_ms = _excess(timed["latency_ms"], goal.latency)
    excess_bytes = _excess(timed["size_bytes"], goal.size)
    latency, size = aim.latency, aim.size
    if latency is not None and excess_ms > NEAR:
        latency = latency / excess_ms
    if size is not None and excess_bytes > NEAR:
        size = size / excess_bytes
    is_near = max(excess_ms, excess_bytes) <= NEAR
    return replace(aim, latency=latency, size=size), is_near


def _excess(value: float, limit: float | None) -> float:
    return 0.0 if limit is None else value / limit


def _said(number: int, timed: Mapping[str, Any], network: Network, whole: Network) -> str:
    left = parameters(network) / max(parameters(whole), 1)
    work = multiply_adds(network) / max(multiply_adds(whole), 1)
    return (
        f"round {number}: cut to {left:.1%} of the weights and {work:.1%} of the multiply-adds; "
        f"untrained it takes {timed['latency_ms']:.3g} ms and {timed['size_bytes'] / 1e3:,.0f} kB"
    )


def _facts(
    network: Network, goal: Goal, prediction: Prediction | None, timed: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "goal": {"latency_ms": goal.latency, "size_bytes": goal.size},
        "predicted_ms": None if prediction is None else 1e3 * (prediction.seconds or math.nan),
        "lost_importance": None if prediction is None else prediction.lost,
        "untrained": dict(timed),
        "weights": parameters(network),
        "multiply_adds": multiply_adds(network),
        "not_trainable": sorted(network.weights.keys() - network.trainable),
    }


def taught(plan: Plan, cut: Cut, folder: Path, show: Progress) -> TaughtCut:
    """The cut network trained by the whole one; from the newest checkpoint, if there is one."""
    teaching = distillation(plan.network, plan.tasks, plan.framework, plan.settings)
    result = train(
        cut.network,
        plan.data,
        cut.recipe,
        plan.settings,
        plan.framework,
        folder,
        show,
        resume=resumable(folder / "checkpoints"),
        has_learned=True,
        teaching=teaching,
    )
    show.close()
    return TaughtCut(cut, result.network, _of_training(result), result.history)


def _of_training(result: Trained) -> dict[str, Any]:
    return {
        "epochs": result.epochs,
        "steps": result.steps,
        "best_epoch": result.best["epoch"],
        "stopped": result.stopped,
        "seconds": result.seconds,
        "examples_per_second": result.examples_per_second,
    }


def weighed(
    plan: Plan,
    before: Before,
    taught: TaughtCut,
    folder: Path,
    threads: int | None,
    among: Callable[[Path], list[Candidate]],
    show: Progress,
) -> Round:
    """The trained network measured in the forms that rounds are judged in, the best in front."""
    rows = _rows(plan, taught.network, folder, threads, _as_before(among, before), show)
    metric = plan.tasks[0].metric
    reference = [row for row in before.rows if row.get(REFERENCE)]
    judged = judge([*reference, *rows], before.target, metric)[len(reference) :]
    measured = [row for row in judged if "latency_ms" in row]
    if not measured:
        reasons = "; ".join(row.get("reason", "") for row in rows)
        raise UsageError(f"round {taught.cut.number} could not be measured: {reasons}")
    for row in measured:
        row["file"] = str(Path(row["file"]).relative_to(folder.parent.parent))
    measured.sort(key=lambda row: (not row["passes"], _latency(row)))
    best = measured[0]
    show.say(
        f"round {taught.cut.number}: {best['runtime']} {best['precision']} "
        f"{_latency(best):.3g} ms, {best['size_bytes'] / 1e3:,.0f} kB, validation {metric.title} "
        f"{plan.tasks[0].metric_text(best[DECIDING])}: {best['reason']}"
    )
    return Round(taught, measured)


def further(recipe: Recipe) -> Recipe:
    """How a network goes on learning that once learned by this recipe."""
    return replace(
        recipe,
        learning_rate=GENTLE * recipe.learning_rate,
        # The teacher's answers are soft already, and shares of classes were learned.
        label_smoothing=0.0,
        patience=None,
    )
