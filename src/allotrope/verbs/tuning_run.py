"""One run of `tune`: its stages in their order, each written down before the next begins."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from allotrope.config import Settings, parse_seconds
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.progress import Progress, duration
from allotrope.tuning.ray_cluster import RayCluster
from allotrope.tuning.rungs import Rungs, rungs_below
from allotrope.tuning.space import Setting, Tunable, digest_of, in_words, space_for
from allotrope.tuning.study import Study
from allotrope.tuning.study_database import StudyDatabase
from allotrope.verbs import pages, pipeline
from allotrope.verbs.clustered_search import ClusteredSearch
from allotrope.verbs.journal import Journal
from allotrope.verbs.network_file import Tuning
from allotrope.verbs.pipeline import Among, Plan, TrainedPlan
from allotrope.verbs.pipeline.tuned_networks import Base, TunedNetworks, base_of
from allotrope.verbs.pipeline.tuned_values import Final, Finalist, verdict
from allotrope.verbs.request import FitOptions
from allotrope.verbs.tune_pages import (
    BasePage,
    ChosenTrainingPage,
    FinalistsPage,
    FinalPage,
    best_so_far,
    final_folder,
    note,
    noted,
)
from allotrope.verbs.tuning_search import (
    FINALISTS,
    Search,
    SearchBench,
    StepsAlone,
    reached,
    scratch,
)

USUAL_BUDGET = "10m"
SEARCHING = 0.6
"""The part of the budget in which is searched; the rest is for the final trainings."""
SEEDS, FEW_SEEDS = 3, 2
ENOUGH_SECONDS = 20.0
"""Final trainings of less have fewer seeds, so that each is longer."""
DATABASE = "study.db"


class TuningRun:
    """The stages and the values between them."""

    def __init__(
        self,
        journal: Journal,
        arguments: Mapping[str, Any],
        options: FitOptions,
        data: Data,
        tuning: Tuning | None,
        among: Among,
        show: Progress,
    ) -> None:
        """Nothing is made yet."""
        self.journal, self.arguments, self.options = journal, arguments, options
        self.data, self.tuning, self.among, self.show = data, tuning, among, show
        self.epochs: float | None = arguments["epochs"]
        self.budget: float | None = None
        if arguments["budget"] is not None or self.epochs is None:
            self.budget = parse_seconds(arguments["budget"] or USUAL_BUDGET)
        self.metric = data.tasks[0].metric

    @property
    def run_folder(self) -> Any:
        """The folder of the run."""
        return self.journal.run.folder

    def run(self) -> str:
        """All stages; how it ended."""
        base = self.journal.value(BasePage(), self._base)
        search = self._search(base)
        entrants = self._entrants(search)
        if search.interrupted is not None:
            return self._stopped(search, base)
        finals = self._finals(search.bench, entrants)
        if any(one.trained.interrupted for one in finals):
            complete = [one for one in finals if not one.trained.interrupted]
            if not complete:
                return self._delivered(self._best_kept(search) or finals[0].trained, True)
            return self._delivered(self._decided(complete, search), True)
        return self._delivered(self._decided(finals, search), False)

    # --- the default

    @property
    def seeds(self) -> int:
        """How many final trainings each entrant has."""
        if self.budget is None:
            return SEEDS
        least = ENOUGH_SECONDS * SEEDS * (1 + FINALISTS)
        return SEEDS if (1 - SEARCHING) * self.budget >= least else FEW_SEEDS

    @property
    def longest(self) -> float:
        """The length of a final training: seconds, or epochs if there is no budget."""
        if self.budget is None:
            assert self.epochs is not None
            return self.epochs
        return (1 - SEARCHING) * self.budget / (self.seeds * (1 + FINALISTS))

    def _base(self) -> Base:
        """The default, for a training as long as the final ones."""
        self._check_budget()
        options, framework = self.options, self.options.framework
        asked = replace(options, budget=None, epochs=self.epochs)
        if self.budget is not None:
            asked = replace(options, budget=self.longest, epochs=None)
        settings = self._settings()
        speed = pipeline.speed_among(settings, self.data, framework)
        race = pipeline.race_among(settings, self.data, framework, self.show)
        start = pipeline.started(asked, self.data, self.tuning, options.seed, speed, race)
        for reason in start.details["reasons"]:
            self.show.say(reason)
        settled = pipeline.settled(start, self.data, framework, settings, self.show)
        return base_of(start, framework, settled.settings, settled.race, options.members)

    def _check_budget(self) -> None:
        """Raises: UsageError if it is too short for final trainings that tell something."""
        if self.budget is None or self.longest >= self.among.shortest:
            return
        trainings = FEW_SEEDS * (1 + FINALISTS)
        least = self.among.shortest * trainings / (1 - SEARCHING)
        raise UsageError(
            f"a budget of {duration(self.budget)} is too short to tune: {trainings} final "
            f"trainings share {1 - SEARCHING:.0%} of it, {self.longest:.2g} s each. Give at least "
            f"--budget {least:.0f}s."
        )

    def _settings(self) -> list[Settings]:
        # To compile takes longer than a short training wins by it.
        eager = replace(self.among, compiled=False)
        return eager.plausible(self.options.framework, self.options.settings)

    # --- the search

    def _search(self, base: Base) -> Search:
        run, options = self.journal.run, self.options
        sized = self.tuning is None
        subject = Tunable(self.data, base.recipe, base.network, base.arguments, sized)
        space = space_for(subject, options.recipe)
        study = self._study(space)
        rungs = rungs_below(self.longest, self.budget is None, self.among.shortest)
        joined = self._joined(study, base, space, rungs)
        if joined != rungs:
            lengths = ", ".join(joined.text(rung) for rung in range(len(joined.lengths)))
            self.show.say(f"rungs of the study: {lengths}")
        note(run, rungs=asdict(joined), space={name: asdict(one) for name, one in space.items()})
        ends = None if self.budget is None else self.journal.began + SEARCHING * self.budget
        bench = SearchBench(
            run,
            TunedNetworks(base, self.data, self.tuning),
            space,
            joined,
            options.target,
            options.measuring_threads,
            self.among,
            self.show,
            options.seed,
            self.arguments["trials"],
            ends,
            lambda plan: pipeline.trained(plan, None, StepsAlone(self.show)),
        )
        return Search(bench, study, self.journal.began)

    def _study(self, space: Mapping[str, Setting]) -> Study:
        run = self.journal.run
        remedy = f"Nothing is lost: go on with: allotrope tune --resume {run.folder}"
        url = self.arguments["storage"] or f"sqlite:///{(run.folder / DATABASE).resolve()}"
        name = self.arguments["study"] or self.data.name
        worker = noted(run).get("worker") or uuid.uuid4().hex
        database = StudyDatabase(url, remedy)
        return Study(database, name, space, self.metric, worker, self.options.seed)

    def _joined(
        self, study: Study, base: Base, space: Mapping[str, Setting], rungs: Rungs
    ) -> Rungs:
        """The rungs of the study, which is begun, joined or gone on with."""
        run, target = self.journal.run, self.options.target
        identity = {
            "data": {name: len(split) for name, split in self.data.splits.items()},
            "inputs": [each.name for each in self.data.inputs],
            "tasks": [task.name for task in self.data.tasks],
            "metric": self.metric.name,
            "framework": base.framework,
            "network": base.network,
            "max_latency": target.max_latency,
            "max_size": target.max_size,
        }
        recorded = noted(run)
        if "worker" in recorded:
            joined = study.load(identity, len(recorded.get("trials", [])))
        else:
            joined = study.begin(identity, asdict(rungs))
            note(run, worker=study.worker, study=study.at, digest=digest_of(space))
        return Rungs(tuple(joined["lengths"]), joined["by_epochs"])

    def _entrants(self, search: Search) -> tuple[Finalist, ...]:
        """Those of the search, once it is over; of one that Ctrl-C ended none are recorded."""
        restored = FinalistsPage().read(self.journal.run)
        if restored is not None:
            return restored
        with self._cluster() as cluster:
            if cluster is not None:
                return self._searched(search, ClusteredSearch(search, cluster))
        return self._searched(search, search)

    def _searched(
        self, search: Search, searching: Search | ClusteredSearch
    ) -> tuple[Finalist, ...]:
        entrants = searching.run()
        shutil.rmtree(scratch(self.journal.run), ignore_errors=True)
        if search.interrupted is not None:
            return entrants
        return self.journal.value(FinalistsPage(), lambda: entrants)

    @contextmanager
    def _cluster(self) -> Iterator[Any]:
        """Where trials are trained, if not here; left at the end."""
        address = self.arguments["cluster"]
        if address is None:
            yield None
            return
        connect = self.among.cluster or RayCluster
        cluster = connect(address, self.options.settings.threads or 1)
        try:
            self.show.say(f"trials are trained on the cluster {address}, {cluster.slots} at once")
            yield cluster
        finally:
            cluster.close()

    # --- the final trainings

    def _finals(self, bench: SearchBench, entrants: tuple[Finalist, ...]) -> list[Final]:
        """Seed by seed, so that all have as many if it is ended early."""
        finals: list[Final] = []
        for entrant in entrants:
            words = in_words(bench.space, entrant.settings)
            self.show.say(f"trial {entrant.trial} is trained finally: {words}")
        # Of a network that misses the limits no spread is of interest.
        seeds = self.seeds if len(entrants) > 1 else 1
        for seed in range(self.options.seed, self.options.seed + seeds):
            for entrant in entrants:
                finals.append(self._final(bench, entrant, seed))
                if finals[-1].trained.interrupted:
                    return finals
        return finals

    def _final(self, bench: SearchBench, entrant: Finalist, seed: int) -> Final:
        plan = self._final_plan(bench, entrant, seed)
        run = self.journal.run

        def train() -> Final:
            folder = final_folder(run, entrant.trial, seed)
            folder.mkdir(parents=True, exist_ok=True)
            trained = pipeline.trained(plan, folder, StepsAlone(self.show))
            best = reached(trained)
            text = self.metric.text(best["value"])
            self.show.say(f"final training of trial {entrant.trial}, seed {seed}: {text}")
            return Final(entrant, seed, trained, best["value"], best["loss"])

        return self.journal.value(FinalPage(entrant, plan), train)

    def _final_plan(self, bench: SearchBench, entrant: Finalist, seed: int) -> Plan:
        recipe = bench.networks.base.recipe
        length = {"budget": None, "epochs": self.epochs}
        if self.budget is not None:
            length = {"budget": self.longest, "epochs": recipe.epochs}
        return bench.networks.plan(entrant.settings, seed, length)

    # --- the end

    def _decided(self, finals: list[Final], search: Search) -> TrainedPlan:
        decided = verdict(finals, self.metric)
        words = in_words(search.bench.space, decided.chosen.entrant.settings)
        self.show.say(f"verdict: {decided.reason}. Delivered: {words}")
        note(self.journal.run, verdict={**decided.facts(), "settings": words})
        return decided.chosen.best(self.metric).trained

    def _stopped(self, search: Search, base: Base) -> str:
        """Ctrl-C in the search: the best network so far."""
        assert search.interrupted is not None
        best = self._best_kept(search)
        note(self.journal.run, verdict={"reason": "stopped early: the best network so far"})
        return self._delivered(best or search.interrupted, True)

    def _best_kept(self, search: Search) -> TrainedPlan | None:
        facts = noted(self.journal.run).get("best")
        if facts is None:
            return None
        plan = search.bench.plan(facts["settings"], facts["rung"])
        return best_so_far(self.journal.run, plan, facts)

    def _delivered(self, trained: TrainedPlan, interrupted: bool) -> str:
        """The last stages, as those of `fit`."""
        run, show, options = self.journal.run, self.show, self.options
        value = self.journal.value
        trained = value(ChosenTrainingPage(), lambda: trained)
        scored = value(
            pages.ScoresPage(trained), lambda: pipeline.scored(trained, show, options.saliency)
        )
        threads, target = options.measuring_threads, options.target
        measured = value(
            pages.CandidatesPage(scored),
            lambda: pipeline.measured(scored, run.folder, target, threads, self.among, show),
        )

        def deliver() -> pipeline.Delivered:
            chosen = pipeline.delivered(measured, target)
            return pipeline.examined(chosen, run.folder, threads, options.saliency, show)

        delivered = value(pages.DeliveryPage(measured, show), deliver)
        if interrupted:
            return "interrupted"
        return "done" if delivered.row is not None else "target-missed"
