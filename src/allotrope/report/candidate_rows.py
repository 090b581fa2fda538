"""The candidates that were measured, compared with the baseline and with the target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from allotrope.report.formatting import runtime_name
from allotrope.report.judged import Judged, figure, judged
from allotrope.report.record import Record


@dataclass(frozen=True)
class CandidateRow:
    """One network form x precision x runtime.

    Latencies are in ms at batch 1, throughput in examples a second. `validation` and `test` are of
    the metric that decides, `drop` how many of its points are lost against float32.
    """

    record: Record
    name: str
    validation: float | None
    test: float | None
    latency: float | None
    latency_p90: float | None
    throughput: float | None
    size_bytes: float | None
    passes: bool
    baseline: bool
    delivered: bool
    nearest_miss: bool
    speed_up: float | None
    throughput_ratio: float | None
    drop: float | None

    @property
    def runtime(self) -> str:
        """The runtime's own name."""
        return runtime_name(self.record.text("runtime"))

    @property
    def precision(self) -> str:
        """The precision, and the form of the network (such as its quantizer) where there is one."""
        return ", ".join(
            part for part in (self.record.text("precision"), self.record.text("form")) if part
        )

    @property
    def measured(self) -> bool:
        """Whether there is a latency, so that it can be drawn and compared."""
        return self.latency is not None

    @property
    def verdict(self) -> str:
        """Delivered, passes, or what it failed at."""
        if self.delivered:
            return "delivered"
        if self.passes:
            return "passes"
        if self.measured:
            return "misses the target"
        return "failed"


@dataclass(frozen=True)
class Candidates:
    """All candidates, fastest first and those that failed last, with the limits that decide.

    `limit` is the worst that the metric of `deciding` may be.
    """

    rows: tuple[CandidateRow, ...]
    deciding: Judged
    limit: float | None
    max_latency: float | None
    max_size: float | None
    max_drop: float | None

    @property
    def delivered(self) -> CandidateRow | None:
        """The candidate that was delivered."""
        return next((row for row in self.rows if row.delivered), None)

    @property
    def baseline(self) -> CandidateRow | None:
        """The candidate that the others are compared with."""
        return next((row for row in self.rows if row.baseline), None)

    @property
    def nearest_miss(self) -> CandidateRow | None:
        """The candidate that came nearest to a target that none met."""
        return next((row for row in self.rows if row.nearest_miss), None)


def read_candidates(run: Record) -> Candidates:
    """The candidates of a run.

    One that is only named under `delivered` or `nearest_miss` counts too.
    """
    records = run.records("candidates")
    for single in (run.record("delivered"), run.record("nearest_miss")):
        # It knows more than its row: the file that it became.
        if single:
            records = [record for record in records if not _same(single, record)] + [single]
    baseline = next((record for record in records if record.flag("baseline")), Record())
    deciding = judged(run)[0]
    reference = _reference(run, records, deciding)
    drop = run.number("target", "max_drop")
    limit = None
    if reference is not None and drop is not None:
        limit = deciding.metric.limit(reference, drop)
    # Limits are passed as candidates without rows, which have the same fields.
    limits = Candidates(
        rows=(),
        deciding=deciding,
        limit=limit,
        max_latency=_time(run.number("target", "max_latency")),
        max_size=run.number("target", "max_size"),
        max_drop=drop,
    )
    rows = [_candidate(record, run, baseline, reference, limits) for record in records]
    rows.sort(key=lambda row: row.latency or math.inf)
    return replace(limits, rows=tuple(rows))


def _reference(run: Record, records: list[Record], deciding: Judged) -> float | None:
    """The validation metric that a drop is counted from: the best in float32.

    Of tables, of which the loss is limited too, that of the least loss. Of what was shrunk, that of
    the network before.
    """
    named = [figure(each, "validation_metric") for each in records if each.flag("reference")]
    if named:
        return named[0]
    full = [record for record in records if record.text("precision") == "float32"]
    losses = [(record.number("validation_loss"), record) for record in full]
    told = [(loss, record) for loss, record in losses if loss is not None]
    if told and run.number("target", "max_worse") is not None:
        return figure(min(told, key=lambda pair: pair[0])[1], "validation_metric")
    known = [figure(record, "validation_metric") for record in full]
    values = (value for value in known if value is not None)
    return max(values, key=deciding.metric.rank, default=None)


def _candidate(
    record: Record, run: Record, baseline: Record, reference: float | None, limits: Candidates
) -> CandidateRow:
    value = figure(record, "validation_metric")
    latency = _time(record.number("latency_ms", "median"))
    drop = None
    if value is not None and reference is not None:
        drop = limits.deciding.metric.drop(reference, value)
    return CandidateRow(
        record=record,
        name=" ".join(
            part
            for part in (runtime_name(record.text("runtime")), record.text("precision"))
            if part
        ),
        validation=value,
        test=figure(record, "test_metric"),
        latency=latency,
        latency_p90=_time(record.number("latency_ms", "p90")),
        throughput=record.number("throughput"),
        size_bytes=record.number("size_bytes"),
        passes=record.flag("passes"),
        baseline=record.flag("baseline"),
        delivered=_same(run.record("delivered"), record),
        nearest_miss=_same(run.record("nearest_miss"), record),
        speed_up=_ratio(baseline.number("latency_ms", "median"), latency),
        throughput_ratio=_ratio(record.number("throughput"), baseline.number("throughput")),
        drop=drop,
    )


def _time(milliseconds: float | None) -> float | None:
    """A file from elsewhere may say 0 ms: such a time is none, and has no place on a log scale."""
    if milliseconds is None or milliseconds <= 0:
        return None
    return milliseconds


def _same(one: Record, other: Record) -> bool:
    names = ("runtime", "precision", "form")
    # Two that say nothing would be the same by having no name.
    return bool(one) and bool(other) and all(one.value(name) == other.value(name) for name in names)


def _ratio(above: float | None, below: float | None) -> float | None:
    if above is not None and below is not None and below > 0:
        return above / below
    return None
