"""Networks of `shrink` measured: as it came, cut and untrained, and after each round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.config import Target
from allotrope.errors import UsageError
from allotrope.measure.candidates import Candidate, Split, calibrating, measure
from allotrope.measure.choice import DECIDING, REFERENCE, judge
from allotrope.network.network import Network
from allotrope.network.summary import multiply_adds, parameters
from allotrope.shrinking.groups import groups
from allotrope.shrinking.layer_widths import narrowable
from allotrope.shrinking.prune import pruned
from allotrope.shrinking.removable_blocks import shortest
from allotrope.verbs.pipeline.outcome import judging
from allotrope.verbs.pipeline.round_goals import Goal
from allotrope.verbs.pipeline.shrunk_values import (
    BEFORE,
    Before,
    Form,
    Round,
    Row,
    Span,
    TaughtCut,
    Timed,
    Workbench,
    beyond,
    form_of,
    latency_of,
)
from allotrope.verbs.pipeline.written_network import write_finished

FEW = 64
"""Examples with which a network is timed whose answers do not count yet."""
WORTH = 0.02
"""A form that answers worse than float32 by so much of its metric is none to begin with."""

LimitsOf = Callable[[float, float], Target]
"""The target, by the latency in ms and the bytes of the file of today."""


def as_it_came(
    bench: Workbench, folder: Path, delivered: Candidate | None, limits: LimitsOf
) -> Before:
    """The network before anything is cut, in every form, beside the file that was delivered.

    Raises: UsageError if it cannot be measured in float32, if nothing can be cut out of it, or not
    as much as is asked for.
    """
    bench.show.say("measuring the network as it came")
    metric = bench.plan.tasks[0].metric
    every = _beside(bench.among, delivered)
    rows = _rows(bench, bench.plan.network, folder, every)
    own = [row for row in rows if "latency_ms" in row and row["form"] != BEFORE]
    full = [row for row in own if row["precision"] == "float32"]
    if not full:
        raise UsageError(f"the network could not be measured in float32 here: {_reasons(rows)}")
    best = max(full, key=lambda row: metric.rank(row[DECIDING]))
    # What quantization costs is a loss too: a drop is counted from the network in full precision.
    for row in rows:
        row[REFERENCE] = row is best
    today = _of_today(rows, own, best)
    target = limits(latency_of(today), today["size_bytes"])
    narrow = narrowest(bench.plan.network)
    # What is fastest of a wide network need not be of a narrow one: every form is timed of both.
    forms = tuple(form_of(row) for row in own)
    timed = _timed(bench, forms, narrow, folder / "narrowest", today)
    forms = _forms(own, today, timed, target)
    whole = _costs(bench.plan.network, [row for row in own if form_of(row) in forms])
    least = _costs(narrow, timed)
    _check_possible(target, least, today)
    spans = tuple(_spans(own, timed, forms))
    return Before(judge(rows, target, metric), today, forms, target, whole, least, spans)


def _spans(whole: Sequence[Row], narrow: Sequence[Row], forms: Sequence[Form]) -> Iterator[Span]:
    """The latencies of both in each of these forms, if both could be measured."""
    wide = {form_of(row): latency_of(row) for row in whole}
    least = {form_of(row): latency_of(row) for row in narrow}
    yield from (Span(form, wide[form], least[form]) for form in forms if form in least)


def narrowest(network: Network) -> Network:
    """The network without its blocks, with every layer as narrow as it can be.

    Raises: UsageError if nothing can be cut, with the reasons.
    """
    short = shortest(network)
    known = groups(short)
    layers = narrowable(short, known, np.ones(len(known)))
    removed = [
        number for layer in layers for width in layer.widths[-1:] for number in layer.removed(width)
    ]
    if not removed and short is network:
        reasons = list(dict.fromkeys(str(each.reason) for each in known.frozen))
        shown = "; ".join(reasons[:5]) or "no layer has more than one channel"
        raise UsageError(f"nothing can be cut out of network '{network.graph.name}': {shown}.")
    return pruned(short, removed, known) if removed else short


def _check_possible(target: Target, least: Mapping[str, float], today: Row) -> None:
    """Raises: UsageError for a target that even the narrowest network misses."""
    missed = []
    if target.max_latency is not None and least["latency_ms"] > target.max_latency:
        missed.append(
            f"{target.max_latency:.3g} ms is asked for, and it takes {least['latency_ms']:.3g} ms "
            f"({least['latency_ms'] / latency_of(today):.2f}x)"
        )
    if target.max_size is not None and least["size_bytes"] > target.max_size:
        missed.append(
            f"{target.max_size:,} bytes are asked for, and it has {least['size_bytes']:,.0f} "
            f"({least['size_bytes'] / today['size_bytes']:.2f}x)"
        )
    if missed:
        raise UsageError(
            "no cut reaches the target here, even if every block is left out that can be and every "
            "layer is as narrow as it can be: "
            f"{'; '.join(missed)}. Ask for more than that, or begin with a smaller network."
        )


def _costs(network: Network, rows: Sequence[Row]) -> dict[str, float]:
    """What a network takes in its fastest form, and what it consists of."""
    best = min(rows, key=latency_of)
    return {
        "latency_ms": latency_of(best),
        "size_bytes": min(row["size_bytes"] for row in rows),
        "multiply_adds": multiply_adds(network),
        "weights": parameters(network),
    }


def _of_today(rows: Sequence[Row], own: Sequence[Row], best: Row) -> Row:
    """The file that was delivered; without one the fastest whose answers are worth as much."""
    for row in rows:
        if row["form"] == BEFORE and "latency_ms" in row:
            return row
    apart = WORTH * abs(best[DECIDING])
    worthy = [row for row in own if abs(row[DECIDING] - best[DECIDING]) <= apart]
    return min(worthy, key=latency_of)


def _beside(
    among: Callable[[Path], list[Candidate]], delivered: Candidate | None
) -> Callable[[Path], list[Candidate]]:
    """The candidates without the baseline of a training, and the delivered file."""

    def candidates(folder: Path) -> list[Candidate]:
        own = [each for each in among(folder) if not each.baseline]
        return own if delivered is None else [delivered, *own]

    return candidates


def _forms(
    own: Sequence[Row], today: Row, narrow: Sequence[Row], target: Target
) -> tuple[Form, ...]:
    """The forms of what was delivered, and of the fastest: of the whole and of a narrow network.

    If the size is limited the smallest one as well, in its fastest runtime.
    """
    keys = [form_of(row) for row in sorted(own, key=latency_of)]
    alike = [key for key in keys if key[:2] == (today["runtime"], today["precision"])]
    best = [form_of(min(narrow, key=latency_of))]
    if target.max_size is not None:
        best.append(form_of(min(narrow, key=lambda row: (row["size_bytes"], latency_of(row)))))
    return tuple(dict.fromkeys([*alike[:1], *keys[:1], *best]))


def timed_untrained(
    bench: Workbench, before: Before, network: Network, goal: Goal, folder: Path
) -> Timed:
    """What a network takes in the form nearest to the goal; latency and size need no training.

    Raises: UsageError if it cannot be measured.
    """
    rows = _timed(bench, before.forms, network, folder, before.today)
    nearest = min(rows, key=lambda row: goal.excess(latency_of(row), row["size_bytes"]))
    return Timed(form_of(nearest), _costs(network, [nearest]))


def _timed(
    bench: Workbench, forms: Sequence[Form], network: Network, folder: Path, today: Row
) -> list[Row]:
    """Its rows in these forms, at the pace of today's; what it answers does not count."""
    data = bench.plan.data
    few = {name: x[: min(FEW, len(x))] for name, x in data.taken("validation").items()}
    whole = judging(data, "validation", bench.plan.tasks[0])
    split = replace(whole, inputs=few, judged=lambda answers: 0.0, figures=lambda answers: {})
    rows = _rows(bench, network, folder, _beside_today(bench, forms, today), split)
    return _measured(at_pace(rows, today), "the cut network")


def _beside_today(
    bench: Workbench, forms: Sequence[Form], today: Row
) -> Callable[[Path], list[Candidate]]:
    """The candidates of these forms, and the file of today in front of them."""
    file = bench.folder / today["file"]
    beside = Candidate(today["runtime"], today["precision"], file, BEFORE, baseline=True)

    def candidates(folder: Path) -> list[Candidate]:
        by_form = {(each.runtime, each.precision, each.form): each for each in bench.among(folder)}
        return [beside, *(by_form[form] for form in forms)]

    return candidates


def at_pace(rows: Sequence[Row], today: Row) -> list[Row]:
    """The rows behind that of the file of today, as fast as when this was measured first.

    Limits are of that time. Other work slows the machine, and all that is timed in the same rounds
    alike.
    """
    beside, *own = rows
    if "latency_ms" not in beside:
        return own
    pace = latency_of(today) / latency_of(beside)
    return [_scaled(row, pace) for row in own]


def _scaled(row: Row, pace: float) -> Row:
    if "latency_ms" not in row:
        return row
    median = pace * latency_of(row)
    return {**row, "latency_ms": {**row["latency_ms"], "median": median}, "pace": pace}


def weighed(bench: Workbench, before: Before, taught: TaughtCut, folder: Path, run: Path) -> Round:
    """The trained network in the forms that rounds are judged in, the best in front.

    Files are named relative to the folder of the run. Raises: UsageError if none can be measured.
    """
    task, number = bench.plan.tasks[0], taught.cut.number
    today = before.today
    rows = _rows(bench, taught.network, folder, _beside_today(bench, before.forms, today))
    judged = judge([before.reference, *at_pace(rows, today)], before.target, task.metric)[1:]
    measured = _measured(judged, f"round {number}")
    for row in measured:
        row["file"] = str(Path(row["file"]).relative_to(run))
    # Of those that miss the target the one that is nearest to its limits says what is to do.
    target = before.target
    measured.sort(
        key=lambda row: (not row["passes"], max(beyond(row, target), 1.0), latency_of(row))
    )
    best = measured[0]
    bench.show.say(
        f"round {number}: {best['runtime']} {best['precision']} {latency_of(best):.3g} ms, "
        f"{best['size_bytes'] / 1e3:,.0f} kB, validation {task.metric.title} "
        f"{task.metric_text(best[DECIDING])}: {best['reason']}"
    )
    return Round(taught, measured)


def _rows(
    bench: Workbench,
    network: Network,
    folder: Path,
    among: Callable[[Path], list[Candidate]],
    split: Split | None = None,
) -> list[Row]:
    """A row for each candidate of a network with raw answers; test data takes no part."""
    plan = bench.plan
    data, task = plan.data, plan.tasks[0]
    write_finished(network, data.inputs, plan.tasks, folder)
    splits = {"validation": split or judging(data, "validation", task)}
    calibration = calibrating(data.taken("train"))
    return measure(among(folder), calibration, splits, bench.threads, turns=bench.turns)


def _measured(rows: Sequence[Row], what: str) -> list[Row]:
    """Those that could be measured. Raises: UsageError if there are none."""
    measured = [row for row in rows if "latency_ms" in row]
    if not measured:
        raise UsageError(f"{what} could not be measured: {_reasons(rows)}")
    return measured


def _reasons(rows: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(f"{row['runtime']} {row['precision']}: {row.get('reason')}" for row in rows)
