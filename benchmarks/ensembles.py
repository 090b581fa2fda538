"""What an ensemble in one file gains, beside its members and one network that learned from it.

    python benchmarks/ensembles.py fashion adult [--data ../shared/data] [--seeds 3] [--first 0]
                                   [--budget 90s] [--distill] [--members 5] [--out runs]

Fashion-MNIST and adult by their own test splits: `fit --ensemble 5` with 90 s for each member. Of
each seed a row: test metric of the mean member and of the best on validation data, of the ensemble
with its gain over both and the intervals, of what was distilled, and how far the file's answers in
ONNX Runtime and OpenVINO lie from the mean that NumPy makes of the members' answers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import allotrope
from allotrope.delivery.finished import finished
from allotrope.measure.choice import ENSEMBLE, IN_MIRROR, MIRRORED, WITH_TREES
from allotrope.run_words import inside
from allotrope.runtimes import runtime
from allotrope.tasks import task_of
from allotrope.training.checkpoints import Checkpoints
from allotrope.training.evaluate import in_batches
from allotrope.verbs.network_file import as_saved

RUNTIMES = ("onnxruntime", "openvino")
COMPARED = 1000
"""So many test examples are asked of the file and of each member."""
FORMS = (MIRRORED, ENSEMBLE, IN_MIRROR, "distilled")
"""Those whose gain run.json has; what trees add to an ensemble of a table stands in its row."""
HEADER = (
    "data, seed",
    "mean member",
    "best member",
    *FORMS,
    "with trees",
    "delivered",
    "size of one, of all (kB)",
    "ms of one, of all",
    "file against NumPy",
)


def source(name: str, data: Path, scratch: Path) -> tuple[Path, dict[str, Any]]:
    """What is read, and what is asked of it."""
    if name == "fashion":
        return data / "fashion-mnist", {}
    folder = scratch / name
    folder.mkdir(exist_ok=True)
    for file in ("adult-train.csv", "adult-test.csv"):
        (folder / file).write_bytes((data / "tables" / file).read_bytes())
    return folder, {"target": "col15"}


def members_mean(
    folder: Path, record: Mapping[str, Any], data: Any, name: str, scratch: Path
) -> np.ndarray:
    """The weighted mean of the members' answers, each of a file of its own in the same runtime."""
    facts = record["ensemble"]
    answers = []
    for number, row in enumerate(facts["members"], 1):
        own = folder / "members" / str(number)
        best = Checkpoints(own / "checkpoints").best(print)
        assert best is not None
        network = as_saved(own / "start.onnx").with_weights(best.arrays)
        task = task_of(row["tasks"][0])
        file = scratch / f"member-{number}.onnx"
        finished(network, data.inputs, [task]).save(file)
        session = runtime(name).open(file, "float32", 1)
        answers.append(in_batches(session.run, few_of(data))[task.name].astype(np.float64))
    return np.average(answers, axis=0, weights=facts["shares"][facts["task"]])


def apart(folder: Path, record: Mapping[str, Any], data: Any) -> str:
    """The largest difference of the file's answers in each runtime."""
    rows = [row for row in record["candidates"] if row["form"] == ENSEMBLE]
    if not rows or record["ensemble"]["way"] == "vote":
        return "-"
    said = []
    for name in RUNTIMES:
        with tempfile.TemporaryDirectory() as scratch:
            expected = members_mean(folder, record, data, name, Path(scratch))
        session = runtime(name).open(folder / rows[0]["file"], "float32", 1)
        answers = in_batches(session.run, few_of(data))[record["ensemble"]["task"]]
        said.append(f"{name} {np.abs(answers - expected).max():.1e}")
    return ", ".join(said)


def gained(row: Mapping[str, Any] | None, text: Any) -> str:
    """The metric of a form, and its gain over the mean and the best member."""
    if row is None:
        return "-"
    gains = [row["over_mean"], row["over_best"]]
    said = [f"{one['points']:+.2f} ({one['low']:+.2f} to {one['high']:+.2f})" for one in gains]
    return f"{text(row['test_metric'])}, {' and '.join(said)}"


def with_trees(record: Mapping[str, Any], task: Any) -> str:
    """The test metric of ensemble and trees together."""
    rows = [row for row in inside(record["candidates"]) if row["form"] == WITH_TREES]
    return task.metric_text(rows[0]["test_metric"]) if rows else "-"


def costs(record: Mapping[str, Any], figure: Any) -> str:
    """A figure of the fastest float32 file of one network, and of all."""
    cells = []
    for form in ("", ENSEMBLE):
        rows = [
            row
            for row in record["candidates"]
            if (row["form"], row["precision"], row["baseline"]) == (form, "float32", False)
            and "latency_ms" in row
        ]
        cells.append("-" if not rows else f"{min(map(figure, rows)):.3g}")
    return ", ".join(cells)


def row_of(title: str, folder: Path, data: Any) -> list[str]:
    """A run as cells of the table."""
    record = json.loads((folder / "run.json").read_text())
    facts = inside(record["ensemble"])
    task = task_of(record["data"]["tasks"][0])
    own = [each["test_metric"] for each in facts["members"]]
    forms = {each["form"]: each for each in facts["forms"]}
    delivered = record["delivered"] or {}
    return [
        title,
        task.metric_text(float(np.mean(own))),
        task.metric_text(own[facts["best"] - 1]),
        *(gained(forms.get(form), task.metric_text) for form in FORMS),
        with_trees(record, task),
        f"{delivered.get('form') or 'one network'} {delivered.get('precision', '')}",
        costs(record, lambda row: row["size_bytes"] / 1e3),
        costs(record, lambda row: row["latency_ms"]["median"]),
        apart(folder, record, data),
    ]


def main(asked: argparse.Namespace) -> list[list[str]]:
    """A run for each set of data and seed, as rows."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.sets:
            path, options = source(name, Path(asked.data), Path(scratch))
            data = allotrope.read(path, **options)
            for seed in range(asked.first, asked.first + asked.seeds):
                run = allotrope.fit(
                    path,
                    ensemble=asked.members,
                    budget=asked.budget,
                    distill=asked.distill,
                    seed=seed,
                    out=asked.out,
                    **options,
                )
                rows.append(row_of(f"{name}, {seed}", run.folder, data))
                print(" | ".join(rows[-1]), flush=True)
    return rows


def few_of(data: Any) -> dict[str, np.ndarray]:
    """The first test examples."""
    return {name: column[:COMPARED] for name, column in data.taken("test").items()}


def table(rows: Sequence[Sequence[str]]) -> str:
    """The rows in Markdown."""
    lines = [HEADER, ["---"] * len(HEADER), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", choices=("fashion", "adult"))
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--budget", default="90s")
    parser.add_argument("--distill", action="store_true")
    parser.add_argument("--out", default="runs")
    print(table(main(parser.parse_args())))
