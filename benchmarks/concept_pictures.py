"""The pictures of docs/concepts.md: `allotrope explain` on Fashion-MNIST, a file for each step.

    python benchmarks/concept_pictures.py [--data ../shared/data] [--run RUN] [--out docs/explained]

Trains `cnn` for 2 epochs on 12,000 pictures unless a run is named, explains the first sneaker of
the test data, and takes each section of the page by a Chromium without a window.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from concept_problems import idx
from PIL import Image, ImageChops

import allotrope

CLASSES = (
    *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SHOWN = "Sneaker"
LEARNED, TESTED = 12_000, 1_000
STEPS = ("input", "kernels", "maps", "activation", "pooling", "dense", "softmax", "gradient")
WIDTH, HEIGHT, MARGIN, COLOURS = 940, 1500, 12, 96


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, help="a run of such pictures, in place of a new one")
    parser.add_argument("--out", type=Path, default=Path("docs/explained"))
    parser.add_argument("--browser", default="chromium")
    return parser.parse_args()


def fashion(data: Path) -> dict[str, dict[str, np.ndarray]]:
    """The first pictures of Fashion-MNIST, with their classes by name."""
    parts = {}
    for split, stem, most in (("train", "train", LEARNED), ("test", "t10k", TESTED)):
        labels = idx(data / f"fashion-mnist/{stem}-labels-idx1-ubyte.gz", 8)
        pictures = idx(data / f"fashion-mnist/{stem}-images-idx3-ubyte.gz", 16)
        names = np.array(CLASSES)[labels]
        pictures = pictures.reshape(len(labels), 28, 28, 1)
        parts[split] = {"image": pictures[:most], "label": names[:most]}
    return parts


def section(page: str, name: str, browser: str, scratch: Path) -> Image.Image:
    """One section of the page as a picture, without the empty margin around it."""
    hidden = f"<style>header, footer, section:not(#{name}) {{ display: none }}</style></head>"
    alone, shot = scratch / f"{name}.html", scratch / f"{name}.png"
    alone.write_text(page.replace("</head>", hidden, 1), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--hide-scrollbars"]
    command += [f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}", alone.as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    picture = Image.open(shot).convert("RGB")
    ground = Image.new("RGB", picture.size, picture.getpixel((0, picture.height - 1)))
    left, top, right, bottom = ImageChops.difference(picture, ground).getbbox()
    box = (left - MARGIN, top, right + MARGIN, bottom + MARGIN)
    return picture.crop(box).quantize(COLOURS, dither=Image.Dither.NONE)


def main() -> None:
    """Trains if it must, explains, and writes the files."""
    asked = options()
    source = fashion(asked.data)
    place = int(np.flatnonzero(source["test"]["label"] == SHOWN)[0])
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        run = asked.run
        if run is None:
            how = {"network": "cnn", "epochs": 2, "threads": 1, "precision": "float32"}
            run = allotrope.fit(source, **how, framework="pytorch", seed=0, out=scratch).folder
        picture = source["test"]["image"][place]
        said = allotrope.explain(run, picture, label=SHOWN, out=scratch / "way.html")
        print(said)
        page = (scratch / "way.html").read_text(encoding="utf-8")
        asked.out.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(STEPS, 1):
            file = asked.out / f"{number}-{name}.png"
            section(page, name, asked.browser, scratch).save(file, optimize=True)
            print(f"written: {file}, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
