"""How much each setting counts for the metric, by PED-ANOVA as Optuna computes it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.tasks.metric import Metric
from allotrope.tuning.space import Setting
from allotrope.tuning.study import StudyTrial, direction_of, distribution_of

FEWEST = 8
"""Of fewer trials nothing can be told."""


def setting_importance(
    trials: Sequence[StudyTrial], space: Mapping[str, Setting], metric: Metric
) -> dict[str, float]:
    """The share of each setting in what tells good trials from others, the largest first.

    By the first rung alone, which all that were trained have finished: values of trainings of
    different lengths do not compare. Empty if there are too few trials.
    """
    import optuna

    trained = [trial for trial in trials if trial.rungs]
    if len(trained) < FEWEST:
        return {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=direction_of(metric))
    distributions: dict[str, Any] = {name: distribution_of(one) for name, one in space.items()}
    for trial in trained:
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(trial.settings),
                distributions=distributions,
                value=trial.rungs[0]["value"],
            )
        )
    # Settings that always had one value count nothing, of which Optuna warns.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(study)
    return {name: float(share) for name, share in shares.items()}
