"""Classifies pictures with the file beside this one.

    python predict.py PICTURE... [--top 5] [--json] [--threads N]

Needs NumPy, Pillow and the runtime that is imported below; Allotrope need not be there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from allotrope.inputs.image.decoding import to_pixels
from allotrope.runtimes.onnxruntime.session import Session

FILE = "model.onnx"
PRECISION = "float32"
OPTIONS: dict[str, int] = {}
IMAGE = (32, 32, 3)
VALUE_RANGE: tuple[float, float] | None = None
HERE = Path(__file__).resolve().parent


def main() -> int:
    """Prints the most probable classes of each picture; 1 where a picture cannot be read."""
    parser = argparse.ArgumentParser(description="Classifies pictures with the file beside this program.")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--top", type=int, default=5, help="classes to print for each picture (default: 5)")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--threads", type=int, default=None, help="processor threads (default: all cores)")
    arguments = parser.parse_args()
    classes = (HERE / "labels.txt").read_text(encoding="utf-8").splitlines()
    session = Session(HERE / FILE, PRECISION, arguments.threads, **OPTIONS)
    rows = [classify(session, classes, path, arguments.top) for path in arguments.pictures]
    print(json.dumps(rows) if arguments.json else "\n".join(map(as_text, rows)))
    return int(any("reason" in row for row in rows))


def classify(session: Session, classes: list[str], path: str, top: int) -> dict[str, object]:
    """The `top` most probable classes of a picture, or the reason why it cannot be read."""
    try:
        with Image.open(path) as image:
            pixels = to_pixels(image, *IMAGE, VALUE_RANGE)
    except Exception as error:  # noqa: BLE001 - a decoder may raise anything on a broken file
        return {"file": path, "reason": str(error) or type(error).__name__}
    (probabilities,) = next(iter(session.run({"image": np.ascontiguousarray(pixels)[None]}).values()))
    best = np.argsort(-probabilities)[:top]
    return {"file": path, "top": [{"class": classes[i], "probability": round(float(probabilities[i]), 6)} for i in best]}


def as_text(row: dict[str, object]) -> str:
    """A row as lines to read."""
    guesses = row.get("top")
    if not isinstance(guesses, list):
        return f"{row['file']}: cannot be read: {row['reason']}"
    return "\n".join([f"{row['file']}", *(f"  {guess['probability']:7.2%}  {guess['class']}" for guess in guesses)])


if __name__ == "__main__":
    sys.exit(main())
