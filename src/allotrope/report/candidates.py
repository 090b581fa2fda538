"""The candidates that were measured, compared with the baseline and with the target."""

from __future__ import annotations

import math
from dataclasses import dataclass

from allotrope.report.formats import milliseconds, points, runtime_name, size
from allotrope.report.record import Record


@dataclass(frozen=True)
class Candidate:
    """One network form x precision x runtime.

    Latencies are in ms at batch 1, throughput in images a second, accuracies are fractions.
    """

    record: Record
    name: str
    validation_accuracy: float | None
    test_accuracy: float | None
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
    change: float | None
    misses: tuple[str, ...]

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
    """All candidates, fastest first and those that failed last, with the limits that decide."""

    rows: tuple[Candidate, ...]
    lowest_accuracy: float | None
    max_latency: float | None
    max_size: float | None
    max_drop: float | None

    @property
    def delivered(self) -> Candidate | None:
        """The candidate that was delivered."""
        return next((row for row in self.rows if row.delivered), None)

    @property
    def baseline(self) -> Candidate | None:
        """The candidate that the others are compared with."""
        return next((row for row in self.rows if row.baseline), None)

    @property
    def nearest_miss(self) -> Candidate | None:
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
    reference = _reference_accuracy(records)
    drop = run.number("target", "max_drop")
    lowest = None
    if reference is not None and drop is not None:
        lowest = reference - drop / 100
    # Limits are passed as candidates without rows, which have the same four.
    limits = Candidates(
        (), lowest, run.number("target", "max_latency"), run.number("target", "max_size"), drop
    )
    rows = [_candidate(record, run, baseline, reference, limits) for record in records]
    rows.sort(key=lambda row: row.latency or math.inf)
    return Candidates(tuple(rows), lowest, limits.max_latency, limits.max_size, drop)


def _reference_accuracy(records: list[Record]) -> float | None:
    """The validation accuracy that a drop is counted from: the best in float32."""
    full = [
        record.number("validation_accuracy")
        for record in records
        if record.text("precision") == "float32"
    ]
    return max((accuracy for accuracy in full if accuracy is not None), default=None)


def _candidate(
    record: Record, run: Record, baseline: Record, reference: float | None, limits: Candidates
) -> Candidate:
    accuracy, latency = record.number("validation_accuracy"), record.number("latency_ms", "median")
    # A file from elsewhere may say 0 ms: such a time is none, and a ratio to it would be infinite.
    if latency is not None and latency <= 0:
        latency = None
    change = None
    if accuracy is not None and reference is not None:
        change = accuracy - reference
    return Candidate(
        record=record,
        name=" ".join(
            part
            for part in (runtime_name(record.text("runtime")), record.text("precision"))
            if part
        ),
        validation_accuracy=accuracy,
        test_accuracy=record.number("test_accuracy"),
        latency=latency,
        latency_p90=record.number("latency_ms", "p90"),
        throughput=record.number("throughput"),
        size_bytes=record.number("size_bytes"),
        passes=record.flag("passes"),
        baseline=record.flag("baseline"),
        delivered=_same(run.record("delivered"), record),
        nearest_miss=_same(run.record("nearest_miss"), record),
        speed_up=_ratio(baseline.number("latency_ms", "median"), latency),
        throughput_ratio=_ratio(record.number("throughput"), baseline.number("throughput")),
        change=change,
        misses=_misses(latency, record.number("size_bytes"), change, limits),
    )


def _misses(
    latency: float | None, size_bytes: float | None, change: float | None, limits: Candidates
) -> tuple[str, ...]:
    texts = []
    if latency is not None and limits.max_latency is not None and latency > limits.max_latency:
        texts.append(
            f"latency {milliseconds(latency)}, at most {milliseconds(limits.max_latency)} wanted"
        )
    if size_bytes is not None and limits.max_size is not None and size_bytes > limits.max_size:
        texts.append(f"size {size(size_bytes)}, at most {size(limits.max_size)} wanted")
    if (
        change is not None
        and limits.max_drop is not None
        and -100 * change > limits.max_drop + 1e-9
    ):
        texts.append(
            f"validation accuracy {points(change)} points, a drop of at most "
            f"{limits.max_drop:g} wanted"
        )
    return tuple(texts)


def _same(one: Record, other: Record) -> bool:
    names = ("runtime", "precision", "form")
    # Two that say nothing would be the same by having no name.
    return bool(one) and bool(other) and all(one.value(name) == other.value(name) for name in names)


def _ratio(above: float | None, below: float | None) -> float | None:
    if above is not None and below is not None and below > 0:
        return above / below
    return None
