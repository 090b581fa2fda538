"""A search whose trials are trained on a cluster, several at once."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from allotrope.verbs.pipeline import Plan, TrainedPlan
from allotrope.verbs.pipeline.tuned_values import Finalist
from allotrope.verbs.trial_away import came_back, columns_of, sent, train_there
from allotrope.verbs.tuning_search import Search


class Cluster(Protocol):
    """Where trainings are made, `slots` at once."""

    slots: int

    def shared(self, value: Any) -> Any:
        """What stands for a value that is sent to each node once."""

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function gives, on some node."""


class ClusteredSearch:
    """One thread a slot, each with a search of its own in the same study.

    A thread works only while it has the baton, and gives it away while its training is made
    elsewhere: so of the run and the study there is one user at a time.
    """

    def __init__(self, search: Search, cluster: Cluster) -> None:
        """Nothing is tried yet. Raises: UsageError for data that cannot be sent."""
        self._search, self._cluster = search, cluster
        self._baton = threading.Lock()
        self._columns = cluster.shared(columns_of(search.bench.networks.data))
        self._errors: list[BaseException] = []

    def run(self) -> tuple[Finalist, ...]:
        """Trials until the end; then who goes into the final trainings.

        Raises: what ended one of the searches.
        """
        if self._search.misses_limits:
            return self._search.run()
        threads = [
            threading.Thread(target=self._try_trials, args=(each,), daemon=True)
            for each in map(self._in_slot, range(self._cluster.slots))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return self._search.entrants()

    def _in_slot(self, slot: int) -> Search:
        """The search of one slot, which the study tells from others by name."""
        search = self._search
        bench, study = replace(search.bench, train=self._train), copy.copy(search.study)
        study.worker = f"{study.worker}-{slot}" if slot else study.worker
        return Search(bench, study, search.began)

    def _try_trials(self, search: Search) -> None:
        with self._baton:
            try:
                search.try_trials(lambda: bool(self._errors))
            except BaseException as error:  # noqa: BLE001 - raised again, by what waits for all
                self._errors.append(error)

    def _train(self, plan: Plan) -> TrainedPlan:
        told = sent(plan)
        self._baton.release()
        try:
            result = self._cluster.run(train_there, *told, self._columns)
        finally:
            self._baton.acquire()
        return came_back(plan, result)
