"""Figures of `concepts.py` in pages, between marks: <!--effect KEY-->…<!--/-->."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

PAGES = (Path("docs/concepts.md"), Path("docs/concepts.zh-CN.md"))
MARK = re.compile(r"<!--(effect|bare) ([^ <>]+?)-->.*?<!--/-->")
STUDENT = {3: 4.303, 4: 3.182, 5: 2.776}
"""The 97.5th percentile of Student's t by the number of values, one degree of freedom fewer. Of
fewer than three values no interval is told."""
METRICS = {"rmse": "RMSE", "quadratic_kappa": "κ", "micro_f1": "F1"}
"""What stands behind a figure that is not of accuracy."""
NOTHING = "–"


def written(page: str, results: Mapping[str, Any]) -> str:
    """The page with what `results` say in its marks; a dash for what they do not say."""
    return MARK.sub(lambda mark: _filled(mark[1], mark[2], results), page)


def _filled(kind: str, key: str, results: Mapping[str, Any]) -> str:
    text = effect(key, results) if kind == "effect" else bare(key, results)
    return f"<!--{kind} {key}-->{text}<!--/-->"


def effect(key: str, results: Mapping[str, Any]) -> str:
    """`+0.31 ± 0.52`: the mean difference to the bare training of equal seeds, and its interval.

    In bold if 0 lies outside of the interval. What is not measured, or did not train with one of
    the seeds, is a dash.
    """
    problem = key.partition("/")[0]
    facts, rows = results["problems"][problem], results["rows"]
    bare_rows = rows.get(problem, {})
    seeds = sorted(rows.get(key, {}).keys() & bare_rows.keys(), key=int)
    pairs = [(rows[key][seed]["metric"], bare_rows[seed]["metric"]) for seed in seeds]
    if not pairs or any(None in pair for pair in pairs):
        return NOTHING
    differences = [facts["factor"] * (one - other) for one, other in pairs]
    text = _with_interval(differences)
    metric = METRICS.get(facts["metric"])
    return f"{text} {metric}" if metric else text


def _with_interval(differences: list[float]) -> str:
    middle, reach = interval(differences)
    if math.isinf(reach):
        return f"{signed(middle)} (n = {len(differences)})"
    text = f"{signed(middle)} ± {reach:.2f}"
    return f"**{text}**" if abs(middle) > reach else text


def bare(problem: str, results: Mapping[str, Any]) -> str:
    """`86.65 ± 0.40`: the metric of the bare training itself."""
    facts, seeds = results["problems"][problem], results["rows"].get(problem, {})
    values = [facts["factor"] * cell["metric"] for cell in seeds.values()]
    if not values:
        return NOTHING
    middle, reach = interval(values)
    if math.isinf(reach):
        return f"{middle:.2f} (n = {len(values)})"
    return f"{middle:.2f} ± {reach:.2f}"


def interval(values: list[float]) -> tuple[float, float]:
    """Mean and half of the 95 % interval; infinite for fewer than three values."""
    if len(values) not in STUDENT:
        return mean(values), math.inf
    return mean(values), STUDENT[len(values)] * stdev(values) / math.sqrt(len(values))


def signed(value: float) -> str:
    """With a sign that is as long as a plus; ±0 has none."""
    text = f"{value:+.2f}"
    if float(text) == 0:
        return "0.00"
    return text.replace("-", "−")
