"""`explain`: one example on its way through a run's network, step by step, with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import RunFolderError, UsageError
from allotrope.frameworks import TRAINING
from allotrope.option import Option, check_values
from allotrope.verbs.declaring import takes

EXPLAIN = (
    Option("run", "the run folder that `fit`, `shrink` or `tune` made."),
    Option("example", "a file such as the run's examples; in Python also an array of it."),
    Option("out", "the page's file; by default EXAMPLE-explained.html, in this folder."),
    Option(
        "label",
        "the class that the example is, by which the loss is; by default what is answered.",
    ),
    Option(
        "framework",
        "which computes it; by default the one that trained.",
        choices=TRAINING,
    ),
)
NETWORK = "model.onnx"


@dataclass(frozen=True)
class ExplainedExample:
    """Where the page is, what is answered, and which steps the network has, in `json`."""

    json: dict[str, Any]

    def __str__(self) -> str:
        lacking = [step["title"] for step in self.json["steps"] if step["lacking"]]
        lines = [f"answer: {self.json['answer']}"]
        if lacking:
            lines.append(f"not in this network, and said so: {', '.join(lacking)}")
        return "\n".join([*lines, f"page: {self.json['page']}"])


@takes(EXPLAIN)
def explain(
    run: str | Path,
    example: str | Path | np.ndarray,
    *,
    out: str | Path | None = None,
    label: str | None = None,
    framework: str | None = None,
) -> ExplainedExample:
    """Draw one example's way through a trained network, in the eight steps of a CNN, on a page.

    With the actual numbers: input matrix, kernels, feature maps, activation, pooling, dense layer,
    shares, gradient. A step that the network does not have is said.
    Example: allotrope explain runs/photos-1 cat.jpg

    Raises: RunFolderError if the run has no trained network, UsageError for a run whose examples
        have no such way, DataError for an example that cannot be read.
    """
    from allotrope.explaining.followable import followable_input, label_of, names_of, raw_example
    from allotrope.explaining.followed import followed
    from allotrope.explaining.way import way_through
    from allotrope.network.reading.read import load
    from allotrope.report.explained.explained_page import About, answer_in_words, write_explained
    from allotrope.run import read_record

    check_values(EXPLAIN, {"framework": framework})
    folder = Path(run)
    record = read_record(folder)
    columns = _columns(folder, record)
    kind = followable_input(columns["inputs"], str(run))
    task = columns["tasks"][0]
    place = label_of(task, label)
    x = raw_example(kind, example)
    page = _page(example, out)
    network = load(folder / NETWORK)
    way = way_through(network, kind.name, task["name"])
    result = followed(network, way, x, framework or record.get("framework", "pytorch"), place)
    about = About(str(run), str(record.get("network", "")), _called(example), names_of(task))
    steps = write_explained(result, about, page)
    return ExplainedExample(
        {
            "page": str(page),
            "answer": answer_in_words(result, about.names),
            "loss": result.loss,
            "steps": [{"title": step.title, "lacking": step.lacking} for step in steps],
        }
    )


def _columns(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """What the run's network says of its inputs and tasks. Raises: RunFolderError."""
    from allotrope.delivery.finished import columns_before, columns_in

    path = folder / NETWORK
    if not path.is_file():
        raise RunFolderError(
            f"'{folder}' has no {NETWORK}: its training has not ended (its status is "
            f"'{record.get('status')}'), or it compared frameworks only. Name another run, or go "
            f"on with it: allotrope fit --resume {folder}."
        )
    columns = columns_in(path)
    return columns if columns["inputs"] else columns_before(record["data"])


def _called(example: Any) -> str:
    return "an array" if hasattr(example, "shape") else Path(example).name


def _page(example: Any, out: str | Path | None) -> Path:
    """The file that is written: nothing that is there is written over. Raises: UsageError."""
    if out is not None:
        if Path(out).exists():
            raise UsageError(f"--out {out} is there already. Name another file, or remove it.")
        return Path(out)
    stem = "array" if hasattr(example, "shape") else Path(example).stem
    path, number = Path(f"{stem}-explained.html"), 1
    while path.exists():
        number += 1
        path = Path(f"{stem}-explained-{number}.html")
    return path
