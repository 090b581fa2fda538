"""The stages from data to a delivered file: functions of values, for `fit` and `compare`.

A value knows the one that it was made from. None of them is about the run folder, which
`journal.py` keeps; a folder is asked for only if other processes have to open files in it.
"""

from allotrope.verbs.pipeline.examined import examined
from allotrope.verbs.pipeline.outcome import (
    Delivered,
    Measured,
    Scored,
    TrainedPlan,
    delivered,
    measured,
    of_training,
    scored,
    trained,
)
from allotrope.verbs.pipeline.planning import (
    Among,
    Plan,
    Start,
    plan,
    race_among,
    settled,
    speed_among,
    started,
)

__all__ = [
    "Among",
    "Delivered",
    "Measured",
    "Plan",
    "Scored",
    "Start",
    "TrainedPlan",
    "delivered",
    "examined",
    "measured",
    "of_training",
    "plan",
    "race_among",
    "scored",
    "settled",
    "speed_among",
    "started",
    "trained",
]
