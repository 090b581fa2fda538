"""A network of `shrink` whose int8 file loses too much, with some layers in float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from allotrope.measure.candidates import Candidate, calibrating, measure
from allotrope.measure.choice import judge
from allotrope.measure.left_in_float import MIXED
from allotrope.network.network import Network
from allotrope.verbs.pipeline.outcome import judging, leaving_in_float
from allotrope.verbs.pipeline.shrunk_measured import at_pace
from allotrope.verbs.pipeline.shrunk_values import BEFORE, Before, Row, Workbench, form_of
from allotrope.verbs.pipeline.written_network import write_finished


@dataclass(frozen=True)
class MixedPrecision:
    """The rows of files of mixed precision that were tried; none if there was no need."""

    rows: Sequence[Row] = ()

    @property
    def suffices(self) -> bool:
        """Whether one of them meets the target, so that no rounding has to be learned."""
        return any(row["passes"] for row in self.rows)


def mixed_precision(
    bench: Workbench, before: Before, network: Network, row: Row, folder: Path
) -> MixedPrecision:
    """The network in the runtime and by the quantizer of an int8 row that loses too much.

    It needs no training. Files are named relative to the folder of the run.
    """
    plan, today = bench.plan, before.today
    data, task = plan.data, plan.tasks[0]
    write_finished(network, data.inputs, plan.tasks, folder)
    file = bench.folder / today["file"]
    beside = Candidate(today["runtime"], today["precision"], file, BEFORE, baseline=True)
    own = [each for each in bench.among(folder) if _form(each) == form_of(row)]
    rows = measure(
        [beside, *own],
        calibrating(data.taken("train")),
        {"validation": judging(data, "validation", task)},
        bench.threads,
        bench.show.say,
        further=leaving_in_float(data, task, before.target, [before.reference]),
        turns=bench.turns,
    )
    # Limits are of the pace at which the network was measured as it came.
    judged = judge([before.reference, *at_pace(rows, today)], before.target, task.metric)[1:]
    mixed = [each for each in judged if each["form"].startswith(MIXED)]
    for each in mixed:
        each["file"] = str(Path(each["file"]).relative_to(bench.folder))
        bench.show.say(f"mixed precision: {each['reason']}")
    return MixedPrecision(mixed)


def _form(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.runtime, candidate.precision, candidate.form
