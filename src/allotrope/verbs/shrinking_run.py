"""One run of `shrink`: its stages in their order, each written down before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from allotrope.config import Recipe, Settings, parse_seconds
from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.errors import UsageError
from allotrope.limits import limits_of
from allotrope.measure.candidates import Candidate
from allotrope.measure.choice import REFERENCE, nearest_miss
from allotrope.measure.network_files import INT8_FOLDER
from allotrope.progress import Progress, duration
from allotrope.shrinking.stripped import strip
from allotrope.tasks.metric import Metric
from allotrope.verbs import pages, pipeline
from allotrope.verbs.journal import Journal
from allotrope.verbs.network_file import Tuning
from allotrope.verbs.pipeline import Among, Plan, Start, TrainedPlan
from allotrope.verbs.pipeline.cut_layers import cut_layers, layer_times
from allotrope.verbs.pipeline.cut_round import cut, further
from allotrope.verbs.pipeline.mixed_stage import MixedPrecision, mixed_precision
from allotrope.verbs.pipeline.round_goals import Goal, Stand, next_goal
from allotrope.verbs.pipeline.rounding_stage import (
    LEARNED,
    TaughtRounding,
    a_tenth,
    loses_by_rounding,
    taught_rounding,
)
from allotrope.verbs.pipeline.shrunk_measured import as_it_came, weighed
from allotrope.verbs.pipeline.shrunk_values import BEFORE, Before, Round, Workbench, latency_of
from allotrope.verbs.pipeline.taught_round import taught
from allotrope.verbs.request import FitOptions
from allotrope.verbs.shrink_pages import (
    BeforePage,
    ChosenPage,
    CutPage,
    MixedPage,
    RoundingPage,
    RoundPage,
    TaughtPage,
    folder_of,
    mixed_folder,
    rounding_folder,
    training_facts,
)
from allotrope.verbs.shrink_source import ShrinkSource, check_answers

USUAL_BUDGET = "10m"
LEAST_TRAINING = 5.0
"""Seconds: a training of less teaches nothing."""
MEASURING = 1.3
"""A round and the end measure so many times as long as the network was measured as it came."""


class ShrinkingRun:
    """The stages and the values between them."""

    def __init__(
        self,
        journal: Journal,
        arguments: Mapping[str, Any],
        source: ShrinkSource,
        options: FitOptions,
        data: Data,
        tuning: Tuning,
        among: Among,
        show: Progress,
    ) -> None:
        """Nothing is made yet."""
        self.journal, self.source, self.options = journal, source, options
        self.data, self.tuning, self.among, self.show = data, tuning, among, show
        self.limits = limits_of(arguments)
        self.epochs: float | None = arguments["epochs"]
        self.saliency: bool = arguments["saliency"]
        self.budget: float | None = None
        if arguments["budget"] is not None or self.epochs is None:
            self.budget = parse_seconds(arguments["budget"] or USUAL_BUDGET)
        self.measuring = 0.0

    @property
    def threads(self) -> int | None:
        """Those that measure."""
        return self.options.measuring_threads

    def run(self) -> str:
        """All stages; how it ended."""
        plan = self._planned()
        check_answers(self.source, plan)
        bench = Workbench(
            plan,
            self.journal.run.folder,
            self.among.candidates,
            self.threads,
            self.show,
            self.among.turns,
        )
        before = self._before(bench)
        return self._ended(bench, before, self._rounds(bench, before))

    # --- the network as it came

    def _planned(self) -> Plan:
        """The network as it came, and how it learns; for a run as it learned there."""
        framework = self.options.framework
        start = self.journal.value(pages.StartPage(framework), self._start)
        page = pages.PlanPage(start, self.data, framework, "shrink", "source")
        return self.journal.value(page, lambda: self._settled(start))

    def _start(self) -> Start:
        settings = self._settings()
        speed = pipeline.speed_among(settings, self.data, self.options.framework)
        start = pipeline.started(self.options, self.data, self.tuning, self.options.seed, speed)
        record = self.source.record
        recipe = start.recipe
        if record is not None and record.start is not None:
            start = replace(start, name=record.start.network)
            recipe = replace(record.start.recipe, **self.options.recipe)
        for note in self.tuning.ready.notes:
            self.show.say(note)
        return replace(start, recipe=recipe, frozen=frozenset())

    def _settings(self) -> list[Settings]:
        """Those of the run, or what may be raced."""
        threads = self.options.settings.threads
        record = self.source.record
        same = record is not None and record.start is not None
        same = same and record.start.framework == self.options.framework  # type: ignore[union-attr]
        # To compile takes longer than a short round wins by it.
        if record is None or record.settings is None or not same:
            eager = replace(self.among, compiled=False)
            return eager.plausible(self.options.framework, self.options.settings)
        return [replace(record.settings.settings, compiled=False, threads=threads)]

    def _settled(self, start: Start) -> Plan:
        settings = self._settings()
        # The race of settings takes its time from the whole, as that of fit does.
        quick = replace(start, recipe=replace(start.recipe, budget=self.budget, epochs=self.epochs))
        plan = pipeline.settled(quick, self.data, self.options.framework, settings, self.show)
        return replace(plan, start=start, recipe=start.recipe)

    def _before(self, bench: Workbench) -> Before:
        began, folder = self.journal.seconds, folder_of(self.journal.run, 0)
        delivered = self.source.candidate(folder)
        before = self.journal.value(
            BeforePage(), lambda: as_it_came(bench, folder, delivered, self.limits.target)
        )
        # Of a resumed run it is not known again: then nothing is kept back for it.
        self.measuring = self.journal.seconds - began
        self.show.say(_today_in_words(before))
        return before

    # --- rounds

    def _rounds(self, bench: Workbench, before: Before) -> list[Round]:
        """Rounds until the target is met or the budget is spent."""
        rounds: list[Round] = []
        limited = before.target.max_latency is not None or before.target.max_size is not None
        stands = [_stand(before.nearest, passes=before.meets or not limited)]
        while (goal := next_goal(stands, before.target, before.least)) is not None:
            # What only rounding keeps from the target needs no cut: it learns to be rounded.
            if loses_by_rounding(bench, before, rounds[-1] if rounds else None):
                break
            if not self._affords(rounds):
                break
            one = self._round(bench, before, rounds, goal)
            rounds.append(one)
            stands.append(_stand(one.row, one.row["passes"], goal.cuts))
            if one.taught.interrupted:
                break
        return rounds

    def _affords(self, rounds: list[Round]) -> bool:
        """Whether there is time for another round.

        Raises: UsageError if there is not even for the first.
        """
        left = self._left()
        if left is None or left >= LEAST_TRAINING:
            return True
        # What was begun before a kill is ended, so that a resumed run gives what it would have.
        if self._has_begun(len(rounds) + 1):
            return True
        if rounds:
            self.show.say("the budget is spent")
            return False
        assert self.budget is not None
        needed = self.budget - left + LEAST_TRAINING
        raise UsageError(
            f"a budget of {duration(self.budget)} is too short for one round: reading, measuring "
            f"and delivering take {duration(self.budget - left)} here. Give at least --budget "
            f"{needed:.0f}s."
        )

    def _has_begun(self, number: int) -> bool:
        rounds = self.journal.run.record.rounds
        return rounds is not None and len(rounds.rounds) >= number

    def _left(self) -> float | None:
        """Seconds for training; measuring and delivering have theirs."""
        if self.budget is None:
            return None
        return self.budget - self.journal.seconds - MEASURING * self.measuring

    def _round(self, bench: Workbench, before: Before, rounds: list[Round], goal: Goal) -> Round:
        number, run = len(rounds) + 1, self.journal.run
        folder = folder_of(run, number)
        latest = rounds[-1].taught.network if rounds else bench.plan.network
        recipe = self._recipe(_learned_by(bench.plan, rounds), goal)
        made = self.journal.value(
            CutPage(number), lambda: cut(bench, before, latest, number, goal, recipe, folder)
        )
        learned = self.journal.value(TaughtPage(made), lambda: taught(bench, before, made, folder))
        return self.journal.value(
            RoundPage(learned), lambda: weighed(bench, before, learned, folder, run.folder)
        )

    def _recipe(self, base: Recipe, goal: Goal) -> Recipe:
        left = self._left()
        budget = None if left is None else max(goal.share * left, LEAST_TRAINING)
        recipe = further(base)
        if "learning_rate" in self.options.recipe:
            recipe = replace(recipe, learning_rate=self.options.recipe["learning_rate"])
        return replace(recipe, budget=budget, epochs=self.epochs)

    # --- the end

    def _ended(self, bench: Workbench, before: Before, rounds: list[Round]) -> str:
        plan = bench.plan
        chosen = _best(before, rounds, plan.tasks[0].metric)
        network = plan.network if chosen is None else chosen.taught.network
        facts, speed = training_facts(rounds, chosen)
        run = self.journal.run
        mixed = self.journal.value(MixedPage(), lambda: self._mixed(bench, before, chosen))
        rounding = TaughtRounding()
        if not mixed.suffices:
            rounding = self.journal.value(
                RoundingPage(), lambda: self._rounding(bench, before, rounds, chosen)
            )
        said = self._of_layers(bench, before, chosen)
        trained = self.journal.value(
            ChosenPage(plan, network, said),
            lambda: TrainedPlan(plan, network, facts, speed),
        )
        scored = self.journal.value(
            pages.ScoresPage(trained),
            lambda: pipeline.scored(trained, self.show, self.saliency),
        )
        measured = self.journal.value(
            pages.CandidatesPage(scored),
            lambda: pipeline.measured(
                scored,
                run.folder,
                before.target,
                self.threads,
                replace(self.among, candidates=self._beside(before, rounding, scored)),
                self.show,
                beside_trees=False,
            ),
        )

        def deliver() -> pipeline.Delivered:
            value = pipeline.delivered(measured, before.target)
            return pipeline.examined(value, run.folder, self.threads, self.saliency, self.show)

        delivered = self.journal.value(pages.DeliveryPage(measured, self.show), deliver)
        if facts.stopped == "interrupted":
            return "interrupted"
        return "done" if delivered.row is not None else "target-missed"

    def _of_layers(self, bench: Workbench, before: Before, chosen: Round | None) -> dict[str, Any]:
        """What was cut, and what each layer takes, if it was about time."""
        whole = bench.plan.network
        if chosen is None:
            return {"round": 0, **cut_layers(whole, whole)}
        network = chosen.taught.network
        facts = {"round": chosen.taught.cut.number, **cut_layers(whole, network)}
        if before.target.max_latency is None and before.target.max_size is not None:
            return facts
        return {**facts, "times": layer_times(bench, whole, network, chosen.row)}

    def _mixed(self, bench: Workbench, before: Before, chosen: Round | None) -> MixedPrecision:
        """With some layers in float, if rounding alone keeps the network from the target."""
        row = loses_by_rounding(bench, before, chosen)
        if row is None:
            return MixedPrecision()
        network = bench.plan.network if chosen is None else chosen.taught.network
        folder = mixed_folder(self.journal.run)
        return mixed_precision(bench, before, network, row, folder)

    def _rounding(
        self, bench: Workbench, before: Before, rounds: list[Round], chosen: Round | None
    ) -> TaughtRounding:
        """What learned to be rounded, if that alone keeps the network from the target."""
        row = loses_by_rounding(bench, before, chosen)
        left = self._left()
        if row is None or (left is not None and left < LEAST_TRAINING):
            return TaughtRounding()
        recipe = replace(bench.plan.recipe, budget=left, epochs=self.epochs)
        folder = rounding_folder(self.journal.run)
        folder.mkdir(parents=True, exist_ok=True)
        network = bench.plan.network if chosen is None else chosen.taught.network
        return taught_rounding(bench, network, row, a_tenth(recipe, rounds, left), folder)

    def _beside(
        self, before: Before, rounding: TaughtRounding, scored: pipeline.Scored
    ) -> Callable[[Path], list[Candidate]]:
        """The candidates, and the network as it came: delivered, and in float32.

        What learned to be rounded is a candidate in its runtime.
        """

        def candidates(folder: Path) -> list[Candidate]:
            reference, today = before.reference, before.today
            olds = [today] if today["file"] != reference["file"] else []
            beside = [
                Candidate(
                    row["runtime"],
                    row["precision"],
                    folder / row["file"],
                    BEFORE,
                    baseline=True,
                    facts={REFERENCE: row is reference},
                )
                for row in [*olds, reference]
            ]
            own = [each for each in self.among.candidates(folder) if not each.baseline]
            return [*beside, *own, *_learned(rounding, scored, folder)]

        return candidates


def _learned_by(plan: Plan, rounds: Sequence[Round]) -> Recipe:
    """The recipe by which what is cut next has learned: of another network its own."""
    others = [one.taught.cut for one in rounds if not one.taught.cut.facts.get("has_learned", True)]
    return others[-1].recipe if others else plan.recipe


def _learned(rounding: TaughtRounding, scored: pipeline.Scored, folder: Path) -> list[Candidate]:
    """The file of a network that learned to be rounded, with the endings of all tasks."""
    if rounding.network is None:
        return []
    file = folder / INT8_FOLDER / "int8-learned.onnx"
    finished(rounding.network, scored.trained.plan.data.inputs, scored.tasks).save(file)
    strip(file, file)
    return [Candidate(rounding.runtime, "int8", file, LEARNED)]


def _today_in_words(before: Before) -> str:
    today, target = before.today, before.target
    asked = []
    if target.max_latency is not None:
        asked.append(f"at most {target.max_latency:.3g} ms")
    if target.max_size is not None:
        asked.append(f"at most {target.max_size / 1e3:,.0f} kB")
    asked.append(f"at most {target.max_drop:g} points lost")
    return (
        f"today: {today['runtime']} {today['precision']} {latency_of(today):.3g} ms, "
        f"{today['size_bytes'] / 1e3:,.0f} kB; asked for: {', '.join(asked)}"
    )


def _stand(row: Mapping[str, Any], passes: bool, was_cut: bool = True) -> Stand:
    return Stand(latency_of(row), row["size_bytes"], passes, was_cut)


def _best(before: Before, rounds: list[Round], metric: Metric) -> Round | None:
    """The fastest round that meets the target; else the one that comes nearest."""
    passing = [one for one in rounds if one.row["passes"]]
    if passing:
        return min(passing, key=lambda one: latency_of(one.row))
    rows = [one.row for one in rounds]
    # A drop is counted from the network as it came, which is not among those to choose from.
    nearest = nearest_miss([{**before.reference, "baseline": True}, *rows], before.target, metric)
    return next((one for one in rounds if one.row is nearest), None)
