"""Answers what the file beside this one was trained to answer.

    python predict.py PICTURE... [--top 5] [--json] [--threads N]
    python predict.py VOLUME.nii.gz FOLDER_OF_DICOM_SLICES...
    python predict.py ROWS.csv... or ROWS.jsonl or ROWS.parquet
    python predict.py TEXT... or TEXTS.txt

Needs NumPy, the runtime that is imported below and, for pictures, Pillow; for volumes nibabel
(NIfTI) or pydicom (DICOM), for .parquet pyarrow; for a network with tokenizer.json beside it the
package tokenizers. Allotrope need not be there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.predictor import in_words, origin_in_words, predicted
from allotrope.delivery.text_lines import in_encoding
from allotrope.delivery.token_texts import ids_in_lines, on_texts
from allotrope.runtimes.onnxruntime.session import Session

FILE = "model.onnx"
PRECISION = "float32"
OPTIONS: dict[str, int] = {}
COLUMNS: dict[str, Any] = {"inputs": [], "tasks": []}
HERE = Path(__file__).resolve().parent


def main() -> int:
    """Prints what is answered for each example; 1 if one cannot be read."""
    parser = argparse.ArgumentParser(description="Answers with the file beside this program.")
    what = (
        "a picture or volume, a folder of them, a text, a .txt file with a text a line, or a .csv, "
        ".jsonl or .parquet file with a column for each input"
    )
    parser.add_argument("examples", nargs="+", metavar="EXAMPLE", help=what)
    top = "classes to print for each example (default: 5)"
    parser.add_argument("--top", type=int, default=5, help=top)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    threads = "processor threads (default: all cores)"
    parser.add_argument("--threads", type=int, default=None, help=threads)
    encoding = "encoding of texts and tables, such as gb18030 (default: UTF-8)"
    parser.add_argument("--encoding", default=None, help=encoding)
    tokens = "of a .jsonl file print the ids of the tokens of each text, and answer nothing"
    parser.add_argument("--tokens", action="store_true", help=tokens)
    arguments = parser.parse_args()
    if arguments.tokens:
        return print_ids(arguments.examples)
    session = Session(HERE / FILE, PRECISION, arguments.threads, **OPTIONS)
    top = max(arguments.top, 1)
    try:
        columns, run = on_texts(in_encoding(COLUMNS, arguments.encoding), HERE, session.run)
        rows = list(predicted(columns, run, arguments.examples, top))
    except ArgumentError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(rows))
    else:
        print("\n".join(f"{origin_in_words(row)}  {in_words(row)}" for row in rows))
    return int(any("reason" in row for row in rows))


def print_ids(files: list[str]) -> int:
    """Prints the ids of texts, a line each; 1 if they cannot be read."""
    try:
        for file in files:
            for line in ids_in_lines(COLUMNS, HERE, Path(file)):
                print(line)
    except (ArgumentError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
