"""What the trained network is compared with on the same rows, and may be delivered instead of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from allotrope.data.examples import Data
from allotrope.delivery.finished import finished
from allotrope.measure.candidates import Candidate
from allotrope.measure.choice import DECIDING, ENSEMBLES, TOGETHER, TREES
from allotrope.measure.machine import cores
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

FOLDER = "candidates"
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

    `everywhere`: every runtime computes it, which trees only one does.
    """

    form: str
    network: Network
    tasks: tuple[Task, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    everywhere: bool = False


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
        rivals.append(Rival(form, ended, tuple(settled), facts[form]))
    return rivals


def with_rivals(
    among: Callable[[Path], list[Candidate]], rivals: Sequence[Rival]
) -> Callable[[Path], list[Candidate]]:
    """The candidates of a network, and a file for each rival."""

    def candidates(folder: Path) -> list[Candidate]:
        own, others = among(folder), []
        # Where the network itself is tried, so is what is made of several of them.
        whole = [(each.runtime, each.precision) for each in own if _is_whole(each)]
        for rival in rivals:
            path = folder / FOLDER / f"{rival.form}.onnx"
            rival.network.save(path)
            strip(path, path)
            for runtime, precision in whole if rival.everywhere else [(RUNTIME, "float32")]:
                others.append(Candidate(runtime, precision, path, rival.form, facts=rival.facts))
        return [*own, *others]

    return candidates


def _is_whole(candidate: Candidate) -> bool:
    """Whether its file is the network itself, made by no quantizer, and may be delivered."""
    return not candidate.form and not candidate.baseline


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
