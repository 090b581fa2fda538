"""Which layers of an int8 file are left in float, so that it loses no more than is allowed."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from allotrope.config import Repair, Target
from allotrope.data.store.carried_columns import write_columns
from allotrope.errors import AllotropeError
from allotrope.measure.candidates import Arrays, Bench, Candidate, Split, named_file
from allotrope.measure.choice import DECIDING, keeps_metric
from allotrope.measure.runtime_worker import MEASURING
from allotrope.network.network import Network
from allotrope.network.reading.read import load
from allotrope.process.carried_arrays import read_arrays
from allotrope.process.worker import WorkerError, WorkerProcess
from allotrope.shrinking.mixed_precision import RoundedLayers, rounded_in, rounded_layers
from allotrope.shrinking.quantize import QUANTIZERS
from allotrope.shrinking.sensitivity import LayerError, examples_compared, sensitivities
from allotrope.shrinking.stripped import strip
from allotrope.tasks.metric import Metric
from allotrope.wording import counted

Row = Mapping[str, Any]
MIXED = "mixed-"
"""How the form of a file is called that has layers in float, in front of its quantizer's name."""
SENSITIVITY = "sensitivity"
"""In the row of such a file: every layer, the most harmful in front, and whether it is in float."""
NAMED = 5
"""So many layers are named in a line."""


@dataclass(frozen=True)
class LeavingInFloat:
    """Files of mixed precision, if every int8 candidate loses too much: one for each runtime.

    It is made of the int8 file that loses least there. `examples` gives so many training examples,
    and what answers to them are worth. `beside` are rows that were measured before, if a drop is
    counted from one of these.
    """

    target: Target
    metric: Metric
    examples: Callable[[int], Split]
    beside: Sequence[Row] = ()

    def __call__(
        self, candidates: Sequence[Candidate], rows: Sequence[Row], bench: Bench
    ) -> list[Candidate]:
        """A candidate for each of them; if no file of it will do, one with only the reason."""
        answering = [
            (candidate, row)
            for candidate, row in zip(candidates, rows, strict=True)
            if candidate.precision == "int8" and DECIDING in row and not candidate.baseline
        ]
        if any(self._keeps(row, rows) for _, row in answering) or self._float_loses(rows):
            return []
        # Only of a quantizer's file it is known what it was made of.
        losing = self._least_lossy(
            [pair for pair in answering if pair[0].form in QUANTIZERS and pair[0].source]
        )
        if losing:
            bench.report(
                f"every int8 file loses more than is allowed ({self.target.max_drop:g}): the "
                "layers that lose most by rounding are left in float"
            )
        orders: dict[str, list[LayerError]] = {}
        return [self._mixed(candidate, rows, bench, orders) for candidate in losing]

    def _float_loses(self, rows: Sequence[Row]) -> bool:
        """Whether the network loses too much in float too: against trees, or a network before."""
        own = [row for row in rows if row["precision"] == "float32" and not row["form"]]
        answering = [row for row in own if DECIDING in row]
        return bool(answering) and not any(self._keeps(row, rows) for row in answering)

    def _least_lossy(self, pairs: Sequence[tuple[Candidate, Row]]) -> list[Candidate]:
        """Of each runtime the one whose answers are worth most."""
        best: dict[str, tuple[Candidate, Row]] = {}
        for candidate, row in pairs:
            held = best.get(candidate.runtime)
            if held is None or self.metric.better(row[DECIDING], held[1][DECIDING]):
                best[candidate.runtime] = candidate, row
        return [candidate for candidate, _ in best.values()]

    def _keeps(self, row: Row, rows: Sequence[Row]) -> bool:
        return keeps_metric(row, [*self.beside, *rows], self.target, self.metric)

    def _mixed(
        self,
        candidate: Candidate,
        rows: Sequence[Row],
        bench: Bench,
        orders: dict[str, list[LayerError]],
    ) -> Candidate:
        """The file with the fewest layers in float; what a form's layers lose is found out once."""
        name = f"{MIXED}{candidate.form}"
        file = candidate.file.with_name(f"{name}-{candidate.runtime}.onnx")
        mixed = replace(candidate, file=file, form=name, source=None)
        try:
            with _opened(candidate, bench) as files:
                known = files.layers()
                if candidate.form not in orders:
                    orders[candidate.form] = self._order(known, files)
                order = orders[candidate.form]
                count = fewest(
                    lambda floats: self._keeps(files.row(_without(known, order[:floats])), rows),
                    len(order),
                )
        except (WorkerError, AllotropeError) as error:
            return replace(mixed, facts={"reason": f"not mixed: {error}"})
        facts = {SENSITIVITY: _told(order, count or len(order))}
        if count is None:
            reason = "no layer can be rounded without losing more than is allowed"
            return replace(mixed, facts={**facts, "reason": reason})
        _without(known, order[:count]).save(file)
        strip(file, file)
        bench.report(_said(candidate, order[:count], len(order)))
        return replace(mixed, facts=facts)

    def _order(self, known: RoundedLayers, files: _TrialFiles) -> list[LayerError]:
        split = self.examples(examples_compared(known))
        inputs = files.write("examples", split.inputs)

        def drop(expected: Arrays, answers: Arrays) -> float:
            return self.metric.drop(split.judged(expected), split.judged(answers))

        return sensitivities(known, lambda network: files.answers(network, inputs), drop)


def fewest(keeps: Callable[[int], bool], count: int) -> int | None:
    """The least number of layers, of `count`, that have to be left in float; None if it is all.

    Found by doubling, then by halving: it is mostly a few of many, and more of them lose less.
    """
    low, high = 0, 1
    while high < count and not keeps(high):
        low, high = high, 2 * high
    if high >= count:
        high = count
    while high - low > 1:
        middle = (low + high) // 2
        if keeps(middle):
            high = middle
        else:
            low = middle
    return high if high < count else None


def _without(known: RoundedLayers, floats: Sequence[LayerError]) -> Network:
    """The network with all layers rounded but these."""
    names = {each.layer for each in floats}
    return rounded_in(known, [layer for layer in known.layers if layer not in names])


def _told(order: Sequence[LayerError], count: int) -> list[dict[str, Any]]:
    """The table for the record; what is not a number has no place there."""
    told = []
    for place, each in enumerate(order):
        figures = {"error": each.error, "drop": each.drop}
        finite = {name: x if math.isfinite(x) else None for name, x in figures.items()}
        told.append({**asdict(each), **finite, "float": place < count})
    return told


def _said(candidate: Candidate, floats: Sequence[LayerError], count: int) -> str:
    names = ", ".join(each.layer for each in floats[:NAMED])
    more = f" and {len(floats) - NAMED} more" if len(floats) > NAMED else ""
    return (
        f"{candidate.runtime} {candidate.form}: {len(floats)} of {counted(count, 'layer')} in "
        f"float ({names}{more})"
    )


class _TrialFiles:
    """Networks as files of a candidate's runtime, one after the other in one process."""

    def __init__(
        self, candidate: Candidate, bench: Bench, worker: WorkerProcess, folder: Path
    ) -> None:
        self._candidate, self._bench, self._worker = candidate, bench, worker
        self._folder = folder

    def layers(self) -> RoundedLayers:
        """The layers of the candidate's file, and the float network that they were."""
        plain, form = self._folder / "float.onnx", self._candidate.form
        source = str(self._candidate.source)
        self._worker.ask("float_form", method=form, source=source, target=str(plain))
        files = plain, named_file(self._bench.folder, form)
        return rounded_layers(*(load(file, repair=Repair.none()) for file in files))

    def write(self, name: str, inputs: Arrays) -> str:
        """The file of inputs, as the process takes them."""
        path = self._folder / f"{name}.npz"
        write_columns(path, inputs)
        return str(path)

    def answers(self, network: Network, inputs: str) -> dict[str, Any]:
        """What the network answers in this runtime. Raises: WorkerError."""
        path, output = self._folder / "trial.onnx", self._folder / "answers.npz"
        network.save(path)
        self._worker.ask(
            "open",
            runtime=self._candidate.runtime,
            path=str(path),
            precision=self._candidate.precision,
            threads=self._bench.threads,
            inputs=self._bench.inputs["single"],
            whole=False,
        )
        self._worker.ask("predict", inputs=inputs, output=str(output))
        return read_arrays(output)

    def row(self, network: Network) -> dict[str, Any]:
        """What its answers on validation data are worth, as in the rows of candidates."""
        answers = self.answers(network, self._bench.inputs["validation"])
        split = self._bench.deciding
        figures = {f"validation_{name}": x for name, x in split.figures(answers).items()}
        return {"precision": "int8", DECIDING: split.judged(answers), **figures}


@contextmanager
def _opened(candidate: Candidate, bench: Bench) -> Iterator[_TrialFiles]:
    """A process with the candidate's runtime."""
    with (
        tempfile.TemporaryDirectory() as folder,
        WorkerProcess(MEASURING, bench.threads, bench.patience) as worker,
    ):
        worker.ask("load", runtime=candidate.runtime)
        yield _TrialFiles(candidate, bench, worker, Path(folder))
