"""What a training with few labels leaves in the run folder beside its stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allotrope.run import Run, plain
from allotrope.run_record import FewLabelsEntry, TrainingEntry
from allotrope.run_words import written
from allotrope.verbs.journal import Page
from allotrope.verbs.pipeline import TrainedPlan
from allotrope.verbs.pipeline.few_labels import Method
from allotrope.verbs.pipeline.few_labels_outcome import FewLabels
from allotrope.verbs.several_trainings import all_trainings


@dataclass(frozen=True)
class MethodPage(Page[Method]):
    """The method, which may rest on a speed that was measured, and why."""

    def write(self, run: Run, value: Method) -> Method:
        """The entry alone."""
        run.enter(FewLabelsEntry({"method": value.name, "reason": value.reason}))
        return value

    def read(self, run: Run) -> Method | None:
        """The method as it was settled."""
        entry = run.record.few_labels
        if entry is None:
            return None
        return Method(entry.few_labels["method"], entry.few_labels["reason"])


@dataclass(frozen=True)
class FewLabelsPage(Page[FewLabels]):
    """What the method is worth beside labels alone, and all stages as one training."""

    trained: Sequence[TrainedPlan]

    def write(self, run: Run, value: FewLabels) -> FewLabels:
        """The entries alone."""
        run.enter(FewLabelsEntry(written(plain(value.facts), run.json["data"])))
        run.enter(TrainingEntry(*all_trainings(self.trained)))
        return value

    def read(self, run: Run) -> FewLabels | None:
        """Nothing: it follows from the stages."""
        return None
