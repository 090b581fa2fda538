"""`predict`: answers with the file that a run delivered, in the runtime it was delivered for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.column_arrays import predicted_arrays
from allotrope.delivery.finished import columns_before, columns_in
from allotrope.delivery.predictor import Columns, Run, in_words, origin_in_words, predicted
from allotrope.delivery.text_lines import in_encoding
from allotrope.delivery.token_texts import on_texts
from allotrope.errors import DataError, RunFolderError, UsageError
from allotrope.option import ABOVE_0, Option, check_values
from allotrope.run import read_record
from allotrope.verbs.answers_table import check_out, write_answers
from allotrope.verbs.declaring import takes

PREDICT = (
    Option("run", "the run folder that `fit` made."),
    Option(
        "examples",
        "files such as the data had, or folders of them; or .csv, .jsonl or .parquet files with a "
        "column for each input, in which files are named relative to the table.",
    ),
    Option(
        "top",
        "how many classes to name for each example, the most probable first.",
        range=ABOVE_0,
    ),
    Option("threads", "processor threads; all cores by default.", range=ABOVE_0),
    Option(
        "encoding",
        "the encoding of texts and tables; by default the one that fit was told, else UTF-8, or "
        "UTF-16 with a mark.",
    ),
    Option(
        "out",
        "a new .csv file for the answers: a row for each example in its order, beside the cells "
        "that it came with.",
    ),
)


@dataclass(frozen=True)
class Predictions:
    """A row for each example in `json`: `file`, in a table its `line`, and `answers` by task.

    Or the `reason` why there are none.

    `predictions[task]` is the column of a task's answers, `predictions.probabilities[task]` [n, k]
    what they were taken from. A row without answers is an empty text, NaN, or all False there.
    """

    json: list[dict[str, Any]]
    tasks: Sequence[Mapping[str, Any]]

    @property
    def exit_code(self) -> int:
        """1 if an example could not be read."""
        return int(any("reason" in row for row in self.json))

    def __str__(self) -> str:
        named = [origin_in_words(row) for row in self.json]
        width = max(map(len, named), default=0)
        lines = zip(named, self.json, strict=True)
        return "\n".join(f"{name:{width}}  {in_words(row)}" for name, row in lines)

    def __getitem__(self, task: str) -> np.ndarray:
        """Class names [n], values [n] or [n, k], or whether each label is there [n, k]."""
        return self.columns[task]

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The answers to each task, by its name."""
        return {task["name"]: self._column(task) for task in self.tasks}

    @property
    def probabilities(self) -> dict[str, np.ndarray]:
        """Of classes or labels [n, k], in the order of the task's; NaN in a row without answers."""
        named = {task["name"]: task.get("classes") or task.get("labels") for task in self.tasks}
        return {
            name: np.array([_probabilities(self._answer(row, name), labels) for row in self.json])
            for name, labels in named.items()
            if labels
        }

    def _column(self, task: Mapping[str, Any]) -> np.ndarray:
        answers = [self._answer(row, task["name"]) for row in self.json]
        if task["kind"] == "classification":
            return np.array([one.get("class", "") for one in answers], dtype=str)
        if task["kind"] == "multilabel":
            rows = [[label in one.get("labels", ()) for label in task["labels"]] for one in answers]
            return np.array(rows, dtype=bool)
        return np.array([_values(one, len(task.get("mean", (0.0,)))) for one in answers])

    @staticmethod
    def _answer(row: Mapping[str, Any], task: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = row.get("answers", {}).get(task, {})
        return answer


def _probabilities(answer: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    if "probabilities" in answer:
        return list(answer["probabilities"].values())
    guessed = {guess["class"]: guess["probability"] for guess in answer.get("top", ())}
    return [guessed.get(name, float("nan")) for name in names]


def _values(answer: Mapping[str, Any], size: int) -> Any:
    if "values" in answer:
        return list(answer["values"].values())
    if "value" in answer:
        return answer["value"]
    return float("nan") if size == 1 else [float("nan")] * size


@takes(PREDICT)
def predict(
    run: str | Path,
    *examples: str | Path,
    top: int = 5,
    threads: int | None = None,
    encoding: str | None = None,
    out: str | Path | None = None,
) -> Predictions:
    """Answer for new examples with the file that a run delivered.

    Example: allotrope predict runs/photos-1 new.jpg more/

    Raises: UsageError if nothing is named, DataError for what cannot be read as a whole,
        RunFolderError if the run delivered nothing,
        MissingDependencyError for its runtime.
    """
    if not examples:
        raise UsageError(
            "no example is named. Name files, folders of them or .csv files after the run folder."
        )
    check_values(PREDICT, {"top": top, "threads": threads})
    if out is not None:
        check_out(Path(out))
    columns, session_run = _delivered(Path(run), threads)
    columns = _in_encoding(columns, encoding or _told(Path(run)))
    shown = top
    if out is not None:
        shown = max([top, *(len(task.get("classes", ())) for task in columns["tasks"])])
    rows: list[dict[str, Any]] = []
    try:
        rows += predicted(columns, session_run, list(map(str, examples)), shown)
    except ArgumentError as error:
        raise DataError(str(error)) from None
    if out is not None:
        write_answers(Path(out), rows, columns)
    return Predictions(rows, columns["tasks"])


def _told(run: Path) -> str | None:
    """The encoding that fit was told."""
    said: str | None = read_record(run).get("arguments", {}).get("encoding")
    return said


def _in_encoding(columns: Columns, encoding: str | None) -> Columns:
    try:
        return in_encoding(columns, encoding)
    except ArgumentError as error:
        raise UsageError(str(error)) from None


def predict_arrays(
    run: str | Path, arrays: Mapping[str, Any], threads: int | None = None
) -> Predictions:
    """The same for arrays by column: raw inputs, or columns of a row, examples along axis 0.

    Raises: DataError for arrays that do not fit the inputs.
    """
    columns, session_run = _delivered(Path(run), threads)
    try:
        rows = list(predicted_arrays(columns, session_run, arrays))
    except ArgumentError as error:
        raise DataError(str(error)) from None
    return Predictions(rows, columns["tasks"])


def _delivered(folder: Path, threads: int | None) -> tuple[Columns, Run]:
    """What the delivered file says of its inputs and tasks, and how it is run."""
    from allotrope.runtimes import runtime

    record = read_record(folder)
    row = record.get("delivered")
    if row is None:
        status = record.get("status")
        raise RunFolderError(
            f"'{folder}' delivered no file (its status is '{status}'). Name another run, or fit "
            "again."
        )
    path = folder / row["file"]
    if not path.is_file():
        raise RunFolderError(f"'{path}', which the run delivered, is gone. Fit again.")
    columns = columns_in(path)
    options = row.get("options", {})
    session = runtime(row["runtime"]).open(path, row["precision"], threads, **options)
    if not columns["inputs"]:
        columns = columns_before(record["data"])
    try:
        return on_texts(columns, path.parent, session.run)
    except ArgumentError as error:
        raise DataError(str(error)) from None
