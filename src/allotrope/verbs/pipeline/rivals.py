"""What the trained network is compared with on the same rows, and may be delivered instead of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.measure.candidates import Candidate
from allotrope.measure.choice import (
    DECIDING,
    ENSEMBLE,
    ENSEMBLES,
    TOGETHER,
    TREES,
    WITH_TREES,
)
from allotrope.measure.machine import cores
from allotrope.network.columns import with_columns
from allotrope.network.network import Network
from allotrope.network.rewriting.united import united
from allotrope.shrinking.stripped import strip
from allotrope.tasks import Task
from allotrope.tasks.contract import Answers
from allotrope.tasks.embedding_head import without_embeddings
from allotrope.tasks.members import without_members
from allotrope.tasks.uncertainty import without_log_variances
from allotrope.training.blend import blended, shares_of_first
from allotrope.training.boosting import grown
from allotrope.training.greedy_selection import mean_of
from allotrope.training.stacking import stacked_shares

FOLDER = "candidates"
UNROUNDED = ""
"""The quantizer of a file that is made by none."""
NETWORK = "network"
RUNTIME = "onnxruntime"
"""The runtime that computes ONNX's trees."""
SHARES = "network_shares"
"""In the row of network and trees together: what the network counts for each task."""
ROUNDS = "trees"
"""In the row of the trees: how many there are for each task."""
ROWS, ALL_ROWS = "learned_rows", "training_rows"
"""In the row of the trees: from how many training rows they learned, and of how many."""


@dataclass(frozen=True)
class Rival:
    """A finished network of a form of its own; `tasks` have what was settled on its answers.

    `everywhere`: every runtime computes it, which trees only one does. `answers` are those to
    validation data, in the user's terms by task.
    """

    form: str
    network: Network
    tasks: tuple[Task, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    everywhere: bool = False
    answers: Mapping[str, Answers] = field(default_factory=dict)


def rivals_of(
    network: Network,
    data: Data,
    tasks: Sequence[Task],
    validation: Mapping[str, Answers],
    seed: int,
    threads: int | None = None,
) -> list[Rival]:
    """The rivals of a trained network for a table.

    They are boosted trees that learn the same rows, and a weighted mean of what both answer: each
    errs otherwise, so that it is often better than either. `validation` are the raw answers of the
    network.
    """
    # Only here: most data is no table.
    from threadpoolctl import threadpool_limits

    labels = data.validation.columns
    with threadpool_limits(limits=threads or cores()):
        boosted = grown(data, tasks, seed)
    shares = shares_of_first(tasks, validation, boosted.validation, labels)
    together = blended(validation, boosted.validation, shares)
    raw = without_members(without_embeddings(without_log_variances(network)))
    halves = {name: (share, 1 - share) for name, share in shares.items()}
    networks = {TREES: boosted.network, TOGETHER: united([raw, boosted.network], halves)}
    answers = {TREES: boosted.validation, TOGETHER: together}
    facts: dict[str, dict[str, Any]] = {
        TREES: {ROUNDS: dict(boosted.rounds), ROWS: boosted.rows, ALL_ROWS: len(data.train)},
        TOGETHER: {SHARES: shares},
    }
    rivals = []
    for form, one in networks.items():
        # Thresholds and temperature are those that suit its own answers.
        settled = [task.settled(answers[form][task.name], labels[task.name]) for task in tasks]
        ended = finished(one, data.inputs, settled)
        told = {task.name: task.answers(answers[form][task.name]) for task in settled}
        rivals.append(Rival(form, ended, tuple(settled), facts[form], answers=told))
    return rivals


def joined_by_trees(rivals: Sequence[Rival], data: Data) -> list[Rival]:
    """The ensemble with trees as one more member, if there are both.

    Each counts as is best on validation data: with two there is one number to be found.
    """
    by_form = {rival.form: rival for rival in rivals}
    if ENSEMBLE not in by_form or TREES not in by_form:
        return []
    several = by_form[ENSEMBLE], by_form[TREES]
    labels = data.validation.columns
    shares = {
        task.name: stacked_shares(
            task, [each.answers[task.name] for each in several], labels[task.name]
        )
        for task in data.tasks
    }
    tasks = tuple(
        task.settled_by(
            mean_of([each.answers[task.name] for each in several], shares[task.name]),
            labels[task.name],
        )
        for task in several[0].tasks
    )
    network = united([each.network for each in several], shares)
    network = with_columns(network, tasks=[task.facts() for task in tasks])
    facts = {SHARES: {name: own[0] for name, own in shares.items()}}
    return [Rival(WITH_TREES, network, tasks, facts)]


def with_rivals(
    among: Callable[[Path], list[Candidate]], rivals: Sequence[Rival]
) -> Callable[[Path], list[Candidate]]:
    """The candidates of a network, and a file for each rival."""

    def candidates(folder: Path) -> list[Candidate]:
        own, others = among(folder), list[Candidate]()
        for rival in rivals:
            path = folder / FOLDER / f"{rival.form}.onnx"
            rival.network.save(path)
            if rival.everywhere:
                others += _everywhere(rival, path, own)
                continue
            strip(path, path)
            others.append(Candidate(RUNTIME, "float32", path, rival.form, facts=rival.facts))
        return [*own, *others]

    return candidates


def _everywhere(rival: Rival, path: Path, own: Sequence[Candidate]) -> list[Candidate]:
    """Where the network itself is tried, so is what is made of several: in float, and in int8.

    Of int8 files one in each runtime, by the quantizer that the network's last one there is by.
    """
    float32 = path.with_name(f"{rival.form}-float32.onnx")
    others = [
        Candidate(
            each.runtime, each.precision, float32, rival.form, False, path, rival.facts, UNROUNDED
        )
        for each in own
        if not each.form and not each.baseline
    ]
    # Quantizers need the names of nodes: they begin with the file that is not stripped.
    methods = {each.runtime: each.method for each in own if each.method}
    for runtime, method in methods.items():
        file = path.with_name(f"{rival.form}-int8-{method}.onnx")
        facts = {**rival.facts, "quantizer": method}
        others.append(Candidate(runtime, "int8", file, rival.form, False, path, facts, method))
    return others


def trees_in_words(rows: Iterable[Mapping[str, Any]], task: Task) -> list[str]:
    """How well the trees among candidates answer beside the best of the network's, in a line."""
    metric, best = task.metric, dict[str, Mapping[str, Any]]()
    for row in rows:
        form = row.get("form", "")
        who = form if form in (TREES, TOGETHER) else NETWORK
        if row.get(DECIDING) is None or form in ENSEMBLES:
            continue
        if who not in best or metric.better(row[DECIDING], best[who][DECIDING]):
            best[who] = row
    if len(best) < 3:
        return []
    figures = {
        name: f"validation {task.metric_text(row[DECIDING])}, "
        f"test {task.metric_text(row['test_metric'])}"
        for name, row in best.items()
    }
    verdict = "the network is better"
    if metric.better(best[TREES][DECIDING], best[NETWORK][DECIDING]):
        verdict = "the trees are better"
    share = best[TOGETHER].get(SHARES, {}).get(task.name, 0.5)
    return [
        f"scikit-learn's HistGradientBoosting on {_rows_in_words(best[TREES])}, by {metric.title}: "
        f"{figures[TREES]}; the network: {figures[NETWORK]}: {verdict}; "
        f"their mean ({share:.0%} the network's): {figures[TOGETHER]}"
    ]


def _rows_in_words(row: Mapping[str, Any]) -> str:
    """Which rows the trees learned from."""
    learned, there = row.get(ROWS), row.get(ALL_ROWS)
    if learned is None or there is None or learned == there:
        return "the same rows"
    return f"{learned:,} of the {there:,} rows, as many as it may hold in memory"
