"""Texts against their bars: accuracy after a training, labels in two runtimes, time a text.

    python benchmarks/texts.py --data ../shared/data [--sets trec sst2] [--seeds 3] [--budget 180]

Beside each: scikit-learn's TF-IDF with LinearSVC, of words and pairs and of n-grams of characters
too, on the training and validation texts together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import allotrope
from allotrope.data.examples import Data
from allotrope.delivery.predictor import TEXTS_READ
from allotrope.delivery.text_lines import groups, together
from allotrope.inputs.text.raw_bytes import rows_of, text_of
from allotrope.runtimes import runtime

RUNTIMES = ("onnxruntime", "openvino")
TOKENS = r"\w+|[^\w\s]"
BATCH = 64
ROUNDS = 7
STRANGE = (
    "😀 how great 👍👍",
    "",
    "   ",
    "日本語のテキスト",
    "Größe naïve",
    "?" * 500,
    "a b " * 200,
)
LONG = 100_000
COUNT = 2_000


def main() -> None:
    """Print a row for each set and seed, and the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", nargs="+", default=["trec", "sst2"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=180.0)
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--threads", type=int, help="of trainings, all cores by default")
    parser.add_argument("--precision", help="of trainings, raced by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        for name in asked.sets:
            rows = [measured(asked, name, seed, Path(scratch)) for seed in range(asked.seeds)]
            mean = {key: np.mean([row[key] for row in rows]) for key in rows[0]}
            print(f"{name}: mean {in_words(mean)}", flush=True)


def measured(asked: Any, name: str, seed: int, folder: Path) -> dict[str, float]:
    """One run of `fit`, and its delivered files."""
    data = allotrope.read(asked.data / name, seed=seed)
    run = allotrope.fit(
        asked.data / name,
        budget=asked.budget,
        seed=seed,
        framework=asked.framework,
        threads=asked.threads,
        precision=asked.precision,
        out=folder,
        quiet=True,
    )
    row = {
        "accuracy": 100 * run.json["test"]["accuracy"],
        **by_scikit_learn(data),
        "seconds": run.json["seconds"],
        **compared(run.folder / "model.onnx", data),
        **delivered(run, data),
    }
    file = f"{run.json['delivered']['runtime']} {run.json['delivered']['precision']}"
    print(f"{name} seed {seed}, {file}: {in_words(row)}", flush=True)
    return row


def in_words(row: dict[str, float]) -> str:
    """A row for people."""
    return ", ".join(f"{key} {value:.2f}" for key, value in row.items())


def by_scikit_learn(data: Data) -> dict[str, float]:
    """The test accuracies of TF-IDF with LinearSVC, on training and validation texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    texts, labels = {}, {}
    for split in ("train", "validation", "test"):
        part = data.splits[split]
        texts[split] = [text_of(row) for row in part[data.inputs[0].name]]
        labels[split] = part[data.tasks[0].name]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKENS)
    characters = TfidfVectorizer(ngram_range=(2, 5), sublinear_tf=True, analyzer="char")
    accuracies = {}
    for name, features in (("words", words), ("characters too", make_union(words, characters))):
        model = make_pipeline(features, LinearSVC())
        model.fit(
            texts["train"] + texts["validation"],
            np.concatenate([labels["train"], labels["validation"]]),
        )
        score = 100 * model.score(texts["test"], labels["test"])
        accuracies[f"scikit-learn, {name}"] = float(score)
    return accuracies


def delivered(run: Any, data: Data) -> dict[str, float]:
    """CPU microseconds a test text of the delivered file: one, a batch, all as `predict` does.

    In parts of as many as were the fastest when candidates were measured.
    """
    text, row = data.inputs[0].name, run.json["delivered"]
    opened = runtime(row["runtime"]).open(run.delivered, row["precision"], 1, **row["options"])
    column = data.test[text]
    lengths = column.astype(bool).sum(1)
    median = column[np.argsort(lengths, kind="stable")[[len(column) // 2]]]
    asked = {"one": median, "64": column[:BATCH]}
    prefix = "delivered, CPU us a text"
    times = {
        f"{prefix}, {name}": timing(opened.run, {text: trimmed(rows)})
        for name, rows in asked.items()
    }
    rows = [{text: each[:length]} for each, length in zip(column, lengths, strict=True)]
    batches_of_all = [
        {text: together([rows[number][text] for number in window[group]])}
        for window in np.array_split(np.arange(len(rows)), max(1, len(rows) // TEXTS_READ))
        for group in groups([rows[number] for number in window], BATCH)
    ]
    began = time.process_time()
    for _ in range(ROUNDS):
        for batch in batches_of_all:
            opened.run(batch)
    seconds = (time.process_time() - began) / ROUNDS
    return {**times, f"{prefix}, of all": 1e6 * seconds / len(rows)}


def compared(file: Path, data: Data) -> dict[str, float]:
    """Labels that differ between runtimes among `COUNT` texts; CPU microseconds a text."""
    (text,), (task,) = data.inputs, data.tasks
    answers, microseconds = [], {}
    for name in RUNTIMES:
        session = runtime(name).open(file, "float32", 1)
        answers.append(
            np.concatenate(
                [session.run({text.name: batch})[task.name].argmax(1) for batch in batches(data)]
            )
        )
        timed = data.test[text.name][:BATCH]
        for count in (1, BATCH):
            microseconds[f"{name} CPU us a text by {count}"] = timing(
                session.run, {text.name: trimmed(timed[:count])}
            )
    return {"different labels": float((answers[0] != answers[1]).sum()), **microseconds}


def batches(data: Data) -> Iterator[np.ndarray]:
    """`COUNT` texts: of the test, strange ones, and one of `LONG` bytes."""
    column = data.test[data.inputs[0].name]
    texts = [text_of(row) for row in column][: COUNT - 100]
    while len(texts) < COUNT - 1:
        texts.append(f"{STRANGE[len(texts) % len(STRANGE)]} {texts[len(texts) // 2]}")
    texts[-len(STRANGE) :] = STRANGE
    for start in range(0, len(texts), BATCH):
        part = texts[start : start + BATCH]
        yield rows_of(part, max(len(each.encode()) for each in part) + 1)
    yield rows_of([" ".join(texts)[:LONG].ljust(LONG, "x")], LONG)


def trimmed(rows: np.ndarray) -> np.ndarray:
    """Without the columns in which all have ended."""
    return np.ascontiguousarray(rows[:, : int(rows.any(0).sum())])


def timing(run: Any, inputs: dict[str, np.ndarray]) -> float:
    """The median of CPU microseconds an example on one thread, over rounds of 20 runs.

    Not of the clock: on a machine that others use, that tells of them.
    """
    count = len(next(iter(inputs.values())))
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(20):
            run(inputs)
        rounds.append((time.process_time() - began) / 20 / count * 1e6)
    return float(np.median(rounds))


if __name__ == "__main__":
    main()
