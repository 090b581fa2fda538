"""What an ensemble leaves in the run folder beside its trainings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.run import Run, plain
from allotrope.run_record import EnsembleEntry, TrainingEntry
from allotrope.run_words import written
from allotrope.verbs.journal import Page
from allotrope.verbs.pipeline import TrainedPlan
from allotrope.verbs.pipeline.ensemble_values import Ensemble
from allotrope.verbs.several_trainings import all_trainings


@dataclass(frozen=True)
class EnsemblePage(Page[Ensemble]):
    """What the members are worth together, and all trainings as one."""

    trained: Sequence[TrainedPlan]

    def write(self, run: Run, value: Ensemble) -> Ensemble:
        """The entries alone."""
        facts = written(plain(value.facts), run.json["data"])
        run.enter(EnsembleEntry(facts))
        run.enter(TrainingEntry(*all_trainings(self.trained)))
        return value

    def read(self, run: Run) -> Ensemble | None:
        """Nothing: it follows from the members."""
        return None
