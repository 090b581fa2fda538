"""The study: which settings were tried, what came of them, and which are tried next.

What is drawn next follows from the trials so far and the seed alone, and a trial is there with all
of its settings or not at all. So a search that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from allotrope.errors import StudyError
from allotrope.tasks.metric import Metric
from allotrope.tuning.space import Setting, digest_of, usual_of
from allotrope.tuning.study_database import StudyDatabase, without_password

FORMAT = 1
"""Of what is written beside Optuna's own columns; another one cannot be gone on with."""
IDENTITY, RUNGS, COSTS = "allotrope", "rungs", "costs:"
WORKER, RUNG, REASON = "worker", "rung:", "reason"
STARTUP = 10
"""Trials that are drawn at random before the others' results say where to look."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class StudyTrial:
    """One trial: its settings, and of each rung that it finished what is known.

    `state` is `running`, `done` (it reached the last rung), `stopped` (others were better),
    `infeasible` (too slow or too large, never trained) or `failed`.
    """

    number: int
    settings: Mapping[str, Any]
    state: str
    rungs: Sequence[Mapping[str, Any]] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    worker: str = ""

    @property
    def value(self) -> float | None:
        """The metric at the highest rung that it finished."""
        return self.rungs[-1]["value"] if self.rungs else None

    @property
    def counts(self) -> bool:
        """Whether it is one of those that were asked for."""
        return self.state != "failed"

    def standing(self, metric: Metric) -> tuple[float, ...]:
        """What orders trials: the rung, the metric there, and if equal the lower loss."""
        if not self.rungs:
            return (-1.0,)
        last = self.rungs[-1]
        return (len(self.rungs), metric.rank(last["value"]), -last.get("loss", 0.0))


class Study:
    """A study in a database, as one process of perhaps several sees it."""

    def __init__(
        self,
        database: StudyDatabase,
        name: str,
        space: Mapping[str, Setting],
        metric: Metric,
        worker: str,
        seed: int,
    ) -> None:
        """`worker` tells this process from others, and is the same after a kill."""
        self.database, self.name, self.space = database, name, space
        self.metric, self.worker, self.seed = metric, worker, seed
        self._study: Any = None

    @property
    def direction(self) -> Any:
        """Optuna's word for which values are better."""
        return direction_of(self.metric)

    @property
    def at(self) -> str:
        """Where it is, for people."""
        return f"study '{self.name}' in {without_password(self.database.url)}"

    def begin(self, identity: Mapping[str, Any], rungs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Makes the study, or joins it; gives the rungs that it was begun with.

        Raises: StudyError if the study that is there is about something else, naming it.
        """
        import optuna

        def opened() -> Any:
            return optuna.create_study(
                study_name=self.name,
                storage=self.database.storage,
                direction=self.direction,
                load_if_exists=True,
            )

        self._study = self.database.asked(opened)
        return self._joined({"format": FORMAT, "space": digest_of(self.space), **identity}, rungs)

    def load(self, identity: Mapping[str, Any], trials: int) -> Mapping[str, Any]:
        """Goes on with the study, of which so many trials are known to this run.

        Raises: StudyError if it is not there, or not with all of them.
        """
        import optuna

        def opened() -> Any:
            storage = self.database.storage
            if self.name not in optuna.get_all_study_names(storage):
                return None
            return optuna.load_study(study_name=self.name, storage=storage)

        self._study = self.database.asked(opened)
        if self._study is None or len(self._frozen()) < trials:
            there = 0 if self._study is None else len(self._frozen())
            raise StudyError(
                f"the {self.at} is not as this run left it: it has {there} trials, expected "
                f"{trials} at least. Put its database back, or begin a new run."
            )
        return self._joined({"format": FORMAT, "space": digest_of(self.space), **identity}, {})

    def _joined(self, identity: Mapping[str, Any], rungs: Mapping[str, Any]) -> Mapping[str, Any]:
        # In this order: whoever begins a study writes its identity before the first trial.
        trials = self._frozen()
        noted = self.database.asked(lambda: self._study.user_attrs)
        if IDENTITY not in noted:
            if trials:
                raise StudyError(
                    f"the {self.at} was not made by allotrope. Name another one: --study NAME"
                )
            # The identity comes last: a study that has one has all that it needs.
            self.database.asked(lambda: self._study.set_user_attr(RUNGS, dict(rungs)))
            self.database.asked(lambda: self._study.set_user_attr(IDENTITY, dict(identity)))
            noted = self.database.asked(lambda: self._study.user_attrs)
        self._check_same(noted[IDENTITY], identity)
        joined: Mapping[str, Any] = noted[RUNGS]
        return joined

    def _check_same(self, noted: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        """Raises: StudyError that names all in which the two differ."""
        names = dict.fromkeys([*identity, *noted])
        apart = [name for name in names if noted.get(name) != identity.get(name)]
        if not apart:
            return
        listed = "; ".join(
            f"{name} is {noted.get(name)} there and {identity.get(name)} here" for name in apart
        )
        raise StudyError(
            f"the {self.at} is about something else: {listed}. Its trials would not compare. "
            "Nothing was changed in it. Ask for the same, or name another one: --study NAME"
        )

    # --- trials

    def trials(self) -> list[StudyTrial]:
        """All trials, in the order of their numbers."""
        return [_trial(one) for one in self._frozen()]

    def next(self, most: int | None, first: Sequence[Mapping[str, Any]] = ()) -> StudyTrial | None:
        """The trial of this process that did not end, or a new one; None if there are enough.

        `first` are the settings of the trials behind the default, as far as they are known.
        """

        def ask() -> StudyTrial | None:
            frozen = self._frozen()
            mine = self._mine(frozen)
            if mine is not None:
                return mine
            if most is not None and sum(_trial(one).counts for one in frozen) >= most:
                return None
            return self._added(frozen, [usual_of(self.space), *first])

        # Another process may have added one at the same moment: what was drawn for that number
        # would be tried twice, so it is drawn again.
        while (trial := self.database.asked(ask)) is not None and not trial.counts:
            pass
        return trial

    def _mine(self, frozen: Sequence[Any]) -> StudyTrial | None:
        for one in frozen:
            trial = _trial(one)
            if trial.state == "running" and trial.worker == self.worker:
                return trial
        return None

    def _added(self, frozen: Sequence[Any], first: Sequence[Mapping[str, Any]]) -> StudyTrial:
        import optuna

        number = len(frozen)
        # Not by `enqueue_trial`: a trial that waits there has no settings yet, and a kill then
        # leaves one that nobody owns.
        if number < len(first):
            settings = dict(first[number])
        else:
            settings = self._drawn(frozen)
        created = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=settings,
            distributions=self._distributions(),
            user_attrs={WORKER: self.worker},
        )
        # One transaction: whatever ends this process, the trial is whole or not there.
        self._study.add_trial(created)
        added = self._mine(self._frozen())
        assert added is not None
        if added.number == number:
            return added
        self.fail(added, "drawn at the same moment as another process drew one")
        return StudyTrial(added.number, settings, "failed")

    def _drawn(self, frozen: Sequence[Any]) -> dict[str, Any]:
        """Settings by Optuna's sampler, from the trials so far and a seed by their number.

        A sampler that is asked in a copy in memory leaves no trial without settings behind.
        """
        import optuna

        # Of the seed and the number alone: a resumed search draws what it would have drawn.
        seed = int(np.random.SeedSequence([self.seed, len(frozen)]).generate_state(1)[0])
        sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
        copy = optuna.create_study(direction=self.direction, sampler=sampler)
        copy.add_trials([one for one in frozen if _trial(one).counts])
        drawn: dict[str, Any] = copy.ask(self._distributions()).params
        return drawn

    def _distributions(self) -> dict[str, Any]:
        return {name: distribution_of(setting) for name, setting in self.space.items()}

    def report(self, trial: StudyTrial, facts: Mapping[str, Any]) -> StudyTrial:
        """Writes down what a rung gave: `value` and what else is known of it."""
        number = len(trial.rungs)
        key = f"{RUNG}{number}"
        # First the facts, by which the rung counts as done, then the value for the sampler: it is
        # told again on resume if a kill came between.
        self._about(trial, lambda one: one.set_user_attr(key, dict(facts)))
        self._about(trial, lambda one: _report(one, facts["value"], number))
        return self._again(trial)

    def limits(self, trial: StudyTrial, beyond: Mapping[str, float]) -> StudyTrial:
        """Writes down by how much the trial's file is beyond each limit; 0 and less is within."""

        def constrain(one: Any) -> None:
            for name in beyond.keys() - one.constraints.keys():
                one.set_constraint(name, float(beyond[name]))

        self._about(trial, constrain)
        return self._again(trial)

    def stop(self, trial: StudyTrial, reason: str = "") -> None:
        """The trial ends here: others are better, or it cannot be trained."""
        self._tell(trial, "PRUNED", None, reason)

    def complete(self, trial: StudyTrial) -> None:
        """The trial has finished the last rung."""
        self._tell(trial, "COMPLETE", trial.value, "")

    def fail(self, trial: StudyTrial, reason: str) -> None:
        """The trial does not count."""
        self._tell(trial, "FAIL", None, reason)

    def _tell(self, trial: StudyTrial, state: str, value: float | None, reason: str) -> None:
        import optuna

        if reason:
            self._about(trial, lambda one: one.set_user_attr(REASON, reason))

        def tell() -> None:
            how: dict[str, Any] = {"state": optuna.trial.TrialState[state]}
            # An answer that was lost on the way may have been written: it is told once.
            self._study.tell(trial.number, value, **how, skip_if_finished=True)

        self.database.asked(tell)

    def _about(self, trial: StudyTrial, change: Callable[[Any], None]) -> None:
        import optuna

        def do() -> None:
            frozen = self._frozen()[trial.number]
            if not frozen.state.is_finished():
                # Optuna's own object for a running trial, which `ask` gives only for a new one.
                change(optuna.Trial(self._study, frozen._trial_id))

        self.database.asked(do)

    def _again(self, trial: StudyTrial) -> StudyTrial:
        return self.trials()[trial.number]

    # --- what sizes take

    def costs(self, key: str) -> dict[str, Any] | None:
        """What a size takes, if some process has measured it."""
        noted = self.database.asked(lambda: self._study.user_attrs)
        costs: dict[str, Any] | None = noted.get(f"{COSTS}{key}")
        return costs

    def note_costs(self, key: str, costs: Mapping[str, Any]) -> None:
        """Writes down what a size takes."""
        self.database.asked(lambda: self._study.set_user_attr(f"{COSTS}{key}", dict(costs)))

    def _frozen(self) -> list[Any]:
        frozen: list[Any] = self.database.asked(lambda: self._study.get_trials(deepcopy=False))
        return frozen


def _report(one: Any, value: float, number: int) -> None:
    # A rung is a step of the trial; told twice, Optuna would complain.
    if number not in one.storage.get_trial(one._trial_id).intermediate_values:
        one.report(value, number)


def _trial(frozen: Any) -> StudyTrial:
    """Optuna's trial as one of ours."""
    noted = frozen.user_attrs
    rungs: list[Mapping[str, Any]] = []
    while (key := f"{RUNG}{len(rungs)}") in noted:
        rungs.append(noted[key])
    states = {"COMPLETE": "done", "PRUNED": "stopped", "FAIL": "failed"}
    state = states.get(frozen.state.name, "running")
    # Optuna has no state for what was never trained: it is pruned, with a constraint above 0.
    if state == "stopped" and any(beyond > 0 for beyond in frozen.constraints.values()):
        state = "infeasible"
    return StudyTrial(
        frozen.number,
        dict(frozen.params),
        state,
        tuple(rungs),
        dict(frozen.constraints),
        noted.get(REASON, ""),
        noted.get(WORKER, ""),
    )


def direction_of(metric: Metric) -> Any:
    """Optuna's word for which values of a metric are better."""
    return "maximize" if metric.higher_is_better else "minimize"


def distribution_of(setting: Setting) -> Any:
    """The setting as Optuna's samplers know it."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if setting.choices:
        return CategoricalDistribution(setting.choices)
    return FloatDistribution(setting.low, setting.high, log=setting.factor)
