"""The search of `tune`: trials by rungs, until there are enough or their time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from allotrope.config import Target
from allotrope.errors import TrainingError
from allotrope.progress import Progress, Tick
from allotrope.run import Run
from allotrope.tasks.metric import Metric
from allotrope.tasks.several import deciding
from allotrope.tuning.network_sizes import sized
from allotrope.tuning.rungs import Rungs, is_promoted
from allotrope.tuning.setting_importance import setting_importance
from allotrope.tuning.space import Setting, in_words, usual_of
from allotrope.tuning.study import Study, StudyTrial
from allotrope.verbs import pipeline
from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.tuned_networks import TunedNetworks
from allotrope.verbs.pipeline.tuned_values import Finalist
from allotrope.verbs.pipeline.untrained_costs import UntrainedCosts, untrained_costs
from allotrope.verbs.tune_pages import keep_best, note, noted

FINALISTS = 3
"""So many of the best trials go into the final trainings, beside the default."""


class StepsAlone(Progress):
    """Shows how a training goes, and none of its words: a trial has a line of its own."""

    def __init__(self, show: Progress) -> None:
        """`show` is the display."""
        self._show = show

    def step(self, tick: Tick) -> None:
        """As the other does."""
        self._show.step(tick)

    def close(self) -> None:
        """As the other does."""
        self._show.close()


@dataclass(frozen=True)
class SearchBench:
    """What a search works with; `ends` is the clock when no more trainings begin, if it has one.

    `train` carries out a plan.
    """

    run: Run
    networks: TunedNetworks
    space: Mapping[str, Setting]
    rungs: Rungs
    target: Target
    threads: int | None
    among: pipeline.Among
    show: Progress
    seed: int
    trials: int | None
    ends: float | None
    train: Callable[[Plan], TrainedPlan]

    @property
    def metric(self) -> Metric:
        """What decides."""
        return self.networks.data.tasks[0].metric

    def plan(self, chosen: Mapping[str, Any], rung: int) -> Plan:
        """The training of these settings on a rung."""
        recipe = self.rungs.recipe(self.networks.base.recipe, rung)
        length = {"budget": recipe.budget, "epochs": recipe.epochs}
        return self.networks.plan(chosen, self.seed, length)


class Search:
    """One process's part of a study."""

    def __init__(self, bench: SearchBench, study: Study, began: float) -> None:
        """`began`: the clock when the work on the run began."""
        self.bench, self.study, self.began = bench, study, began
        self.interrupted: TrainedPlan | None = None
        self._default: int | None = None

    def run(self) -> tuple[Finalist, ...]:
        """Trials until the end; then who goes into the final trainings, the default in front.

        If Ctrl-C ended a training that is in `interrupted`. If no size is within the limits, the
        default in the nearest one is trained alone, to show what it would be worth.
        """
        # Known before anything is trained, so that nobody waits for it.
        if self.misses_limits:
            self.bench.show.say(
                "no width and depth is within the limits, even untrained; the nearest is trained"
            )
            return (Finalist(0, self.default_settings(), is_default=True),)
        self.try_trials()
        return self.entrants()

    def try_trials(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Trials until there are enough, their time is over or they are stopped."""
        while not (is_stopped() or self._is_over()):
            trial = self.study.next(self.bench.trials, self._first())
            if trial is None:
                break
            self._try(trial)
            self._note()
            if self.interrupted is not None:
                break

    def _is_over(self) -> bool:
        ends, trials = self.bench.ends, self.study.trials()
        # However short the time, something is trained: there must be a best.
        if ends is None or not any(trial.rungs for trial in trials):
            return False
        shortest = self.bench.rungs.lengths[0]
        return time.monotonic() + shortest > ends

    # --- limits

    def _first(self) -> list[dict[str, Any]]:
        """What is tried behind the default: where limits rule that out, the default that fits."""
        fitting = self.default_settings()
        return [] if fitting == usual_of(self.bench.space) else [fitting]

    def default_settings(self) -> dict[str, Any]:
        """The default recipe; in the largest size that is within the limits, if one is.

        If none is, in the one that comes nearest.
        """
        usual = usual_of(self.bench.space)
        if not self._limited or self._is_within(usual):
            return usual
        # From large to small, so that few are measured.
        sizes = sorted(self._sizes(), key=lambda size: -self._work(size))
        within = next((size for size in sizes if self._is_within({**usual, **size})), None)
        if within is None:
            within = min(sizes, key=lambda size: self._excess({**usual, **size}))
        return {**usual, **within}

    @property
    def _limited(self) -> bool:
        target = self.bench.target
        return target.max_latency is not None or target.max_size is not None

    @property
    def misses_limits(self) -> bool:
        """Whether no size at all is within the limits."""
        return self._limited and not self._is_within(self.default_settings())

    def _sizes(self) -> list[dict[str, Any]]:
        """Every width and depth."""
        space = self.bench.space
        sizes: list[dict[str, Any]] = [{}]
        for name in ("width", "depth"):
            if name in space:
                sizes = [{**size, name: value} for size in sizes for value in space[name].choices]
        return sizes

    def _work(self, size: Mapping[str, Any]) -> float:
        """What orders sizes before any is built: a layer more counts as 1.5 times the width."""
        return float(size.get("width", 1.0)) * 1.5 ** float(size.get("depth", 0))

    def _is_within(self, chosen: Mapping[str, Any]) -> bool:
        return self._excess(chosen) <= 0

    def _excess(self, chosen: Mapping[str, Any]) -> float:
        beyond = self._costs(chosen).beyond(self.bench.target)
        return max(beyond.values(), default=0.0)

    def _costs(self, chosen: Mapping[str, Any]) -> UntrainedCosts:
        """What the size takes, measured once in the study."""
        bench = self.bench
        key = bench.networks.size_of(chosen)
        recorded = self.study.costs(key)
        if recorded is not None:
            return UntrainedCosts(**recorded)
        plan = bench.plan(chosen, 0)
        folder = bench.run.folder / "trials" / "untrained"
        costs = untrained_costs(
            plan.network, plan.data, plan.tasks, folder, bench.target, bench.threads, bench.among
        )
        self.study.note_costs(key, asdict(costs))
        return costs

    # --- a trial

    def _try(self, trial: StudyTrial) -> None:
        """Its training on each rung, as long as it is among the best."""
        costs = self._costs(trial.settings)
        beyond = costs.beyond(self.bench.target)
        if beyond:
            trial = self.study.limits(trial, beyond)
        if max(beyond.values(), default=0.0) > 0:
            self._say(trial, costs.why_not(self.bench.target))
            return self.study.stop(trial)
        while len(trial.rungs) <= self.bench.rungs.last:
            if trial.rungs and not self._goes_on(trial):
                return self.study.stop(trial)
            advanced = self._advanced(trial)
            if advanced is None:
                return None
            trial = advanced
        return self.study.complete(trial)

    def _goes_on(self, trial: StudyTrial) -> bool:
        """Whether there is a longer training for it; the default is always compared to the end."""
        rung, ends = len(trial.rungs), self.bench.ends
        # What does not fit any more ends on its rung, and is ranked there.
        if ends is not None and time.monotonic() + self.bench.rungs.lengths[rung] > ends:
            return False
        if trial.settings == self.default_settings():
            return True
        others = [
            one.rungs[rung - 1]["value"]
            for one in self.study.trials()
            if one.number != trial.number and len(one.rungs) >= rung
        ]
        assert trial.value is not None
        return is_promoted(trial.value, others, self.bench.metric)

    def _advanced(self, trial: StudyTrial) -> StudyTrial | None:
        """The trial one rung higher; None if the training ended the trial or was interrupted."""
        rung = len(trial.rungs)
        plan = self.bench.plan(trial.settings, rung)
        began = time.monotonic()
        try:
            trained = self.bench.train(plan)
        except TrainingError as error:
            self._say(trial, f"cannot be trained: {error}")
            self.study.stop(trial, str(error))
            return None
        finally:
            self.bench.show.close()
        # The trial stays as it is in the study, and is trained anew on resume.
        if trained.interrupted:
            self.interrupted = trained
            return None
        seconds = time.monotonic() - began
        facts = {**reached(trained), "epochs": trained.facts.epochs, "seconds": seconds}
        trial = self.study.report(trial, facts)
        self._keep(trial, trained)
        text = self.bench.metric.text(facts["value"])
        self._say(trial, f"{text} after {self.bench.rungs.text(rung)}")
        return trial

    def _keep(self, trial: StudyTrial, trained: TrainedPlan) -> None:
        """The network, if it is the best so far."""
        now = list(trial.standing(self.bench.metric))
        best = noted(self.bench.run).get("best")
        if best is None or now > best["standing"]:
            facts = {"trial": trial.number, "settings": dict(trial.settings), "standing": now}
            keep_best(self.bench.run, trained, {**facts, "rung": len(trial.rungs) - 1})

    def _say(self, trial: StudyTrial, what: str) -> None:
        words = in_words(self.bench.space, trial.settings)
        self.bench.show.say(f"trial {trial.number} ({words}): {what}")

    # --- the end

    def _note(self) -> None:
        """The trials so far, in run.json, where the report finds them."""
        trials, metric = self.study.trials(), self.bench.metric
        run = self.bench.run
        rows = [self._row(trial) for trial in trials]
        importance = setting_importance(trials, self.bench.space, metric)
        note(run, trials=rows, importance=importance)
        run.save(seconds=time.monotonic() - self.began)

    def _row(self, trial: StudyTrial) -> dict[str, Any]:
        base = self.bench.networks.base
        size = {name: x for name, x in trial.settings.items() if name in ("width", "depth")}
        name, _ = sized(base.network, base.arguments, **size) if size else (base.network, {})
        row = {**asdict(trial), "network": name}
        costs = self.study.costs(self.bench.networks.size_of(trial.settings))
        return row if costs is None else {**row, "costs": costs}

    def entrants(self) -> tuple[Finalist, ...]:
        """The default, and the best trials that are something else."""
        usual, trials = self.default_settings(), self.study.trials()
        number = next((one.number for one in trials if one.settings == usual), 0)
        default = Finalist(number, usual, is_default=True)
        return (default, *_best(trials, usual, self.bench.metric))


def _best(trials: Sequence[StudyTrial], usual: Mapping[str, Any], metric: Metric) -> list[Finalist]:
    others = [one for one in trials if one.rungs and one.settings != usual]
    ranked = sorted(others, key=lambda one: one.standing(metric), reverse=True)
    return [Finalist(one.number, dict(one.settings)) for one in ranked[:FINALISTS]]


def reached(trained: TrainedPlan) -> dict[str, float]:
    """The best validation of a training: the metric that decides as `value`, and the loss."""
    plan = trained.plan
    key = f"validation_{deciding(plan.data.tasks)}"
    metric = plan.tasks[0].metric
    best = max(trained.history, key=lambda row: (metric.rank(row[key]), -row["validation_loss"]))
    return {"value": float(best[key]), "loss": float(best["validation_loss"])}


def scratch(run: Run) -> Path:
    """Where untrained files are made, which nobody needs afterwards."""
    return run.folder / "trials" / "untrained"
