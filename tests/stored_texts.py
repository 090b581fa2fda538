"""Texts in files of each kind, the same ones again and again."""

from __future__ import annotations

import csv
import gzip
import json

import numpy as np

SAID = "the a film plot was is never truly good bad fine 日本 naïve slow 😀 brilliant dull"


def reviews(count=60):
    """Texts of several words and of many lengths, each with a label, an empty one among them."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        words = rng.choice(SAID.split(), 9 + number % 40)
        rows.append((" ".join(words) + f" {number}", ("good", "bad")[number % 2]))
    rows[7] = ("", rows[7][1])
    return rows


def csv_file(folder, rows, name="reviews.csv", header=("text", "label")):
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows] if header else rows)
    return folder / name


def json_file(folder, rows, name="reviews.jsonl"):
    lines = [
        json.dumps({"text": text or None, "label": label}, ensure_ascii=False)
        for text, label in rows
    ]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def lines_file(folder, rows, name="reviews.txt"):
    lines = [f"__label__{label} {text}" for text, label in rows]
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    return folder / name


def zipped_lines(folder, rows):
    path = lines_file(folder, rows)
    (folder / "reviews.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return folder / "reviews.txt.gz"


def text_folder(folder, rows):
    for number, (text, label) in enumerate(rows):
        path = folder / "reviews" / label / f"{number:03}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "reviews"
