"""Latencies of rounds are brought to the pace at which the limits were measured."""

from __future__ import annotations

import pytest

from allotrope.verbs.pipeline.shrunk_measured import at_pace


def row(median, **facts):
    return {"latency_ms": {"median": median, "spread": 0.1}, **facts}


def test_what_is_timed_beside_todays_file_is_as_fast_as_then():
    slow = [row(3.0), row(6.0, form="nncf"), {"reason": "not installed"}]
    fast, failed = at_pace(slow, row(1.5))
    assert fast["latency_ms"] == {"median": pytest.approx(3.0), "spread": 0.1}
    assert fast["pace"] == pytest.approx(0.5) and fast["form"] == "nncf"
    assert failed == {"reason": "not installed"}


def test_without_it_they_stay_as_they_were_timed():
    assert at_pace([{"reason": "gone"}, row(6.0)], row(1.5)) == [row(6.0)]
