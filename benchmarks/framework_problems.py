"""The problems of `which_framework.py`: data, network and training of each, small enough for a CPU.

Data lies in a folder as `../shared/data` is; volumes are made here, because there are no free ones
that are small.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fine_tune
import nibabel
import numpy as np
import onnx
from PIL import Image
from safetensors.numpy import load_file

QUESTIONS = 2000
VOLUMES = 90
VOXELS = 24
PIXELS = 96


@dataclass(frozen=True)
class Problem:
    """What is raced, and how it is asked for.

    `source(data, folder)` gives what `compare` reads, made in `folder` if it has to be. `options`
    are its options; `epochs` are enough for the goal to be reached. Compilation of deep networks
    and recurrent ones takes a larger `share` of the time.
    """

    name: str
    title: str
    about: str
    source: Callable[[Path, Path], Any]
    epochs: float
    options: dict[str, Any] = field(default_factory=dict)
    network: Callable[[Path, Path], str] | str = "auto"
    share: float = 1.0


def clothes(data: Path, folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """3,000 training and 2,000 test images of Fashion-MNIST."""

    def part(name: str, count: int) -> dict[str, np.ndarray]:
        file = data / "fashion-mnist" / f"{name}-{{}}.gz"
        with gzip.open(str(file).format("images-idx3-ubyte")) as images:
            x = np.frombuffer(images.read(), np.uint8, offset=16).reshape(-1, 28, 28)
        with gzip.open(str(file).format("labels-idx1-ubyte")) as labels:
            y = np.frombuffer(labels.read(), np.uint8, offset=8)
        return {"image": x[:count], "label": y[:count]}

    return {"train": part("train", 3000), "test": part("t10k", 2000)}


def questions(data: Path, folder: Path) -> str:
    """The first of TREC's training questions and all of its test questions."""
    folder.mkdir(parents=True)
    for split, count in (("train", QUESTIONS), ("test", None)):
        with gzip.open(data / "trec" / f"TREC.{split}.gz") as file:
            lines = file.readlines()[:count]
        (folder / f"TREC.{split}").write_bytes(b"".join(lines))
    return str(folder)


def houses(data: Path, folder: Path) -> str:
    """California housing."""
    return str(data / "tables" / "california-housing.csv")


def scans(data: Path, folder: Path) -> str:
    """Volumes of noise, half of them with a brighter ball somewhere in them, as NIfTI files."""
    random = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*3 * [np.arange(VOXELS)], indexing="ij"), -1)
    for split, count in (("train", VOLUMES), ("test", VOLUMES // 3)):
        for number in range(count):
            ball = number % 2 == 1
            middle = random.uniform(VOXELS / 4, 3 * VOXELS / 4, 3)
            inside = ((places - middle) ** 2).sum(-1) < random.uniform(4, 6) ** 2
            values = random.normal(0, 40, 3 * (VOXELS,)) + 60 * (inside & ball)
            file = folder / split / ("clear", "ball")[ball] / f"{split}-{number:03}.nii.gz"
            file.parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(values.astype(np.int16), np.eye(4)), file)
    return str(folder)


def photographs(data: Path, folder: Path) -> str:
    """12 categories of Caltech-101 in class folders, every fourth file."""
    with tarfile.open(data / fine_tune.PICTURES) as archive:
        members = sorted((m for m in archive if m.isfile()), key=lambda member: member.name)
        for member in members[::4]:
            label, name = member.name.split("/")[-2:]
            (folder / label).mkdir(parents=True, exist_ok=True)
            file = archive.extractfile(member)
            assert file is not None
            Image.open(file).convert("RGB").save(folder / label / name, quality=95)
    return str(folder)


def mobilenet(data: Path, folder: Path) -> str:
    """MobileNet v1 0.25 with Google's ImageNet weights, as an ONNX file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "mobilenet.onnx"
    onnx.save(fine_tune.mobilenet(load_file(data / fine_tune.WEIGHTS), PIXELS), file)
    return str(file)


def _text(name: str, title: str, about: str, share: float = 1.0) -> Problem:
    return Problem(name, title, about, questions, 4.0, network=name, share=share)


PROBLEMS = (
    Problem(
        "cnn",
        "CNN on small pictures",
        "3,000 images of Fashion-MNIST, 28x28",
        clothes,
        3.0,
    ),
    _text("text_cnn", "CNN on texts", f"{QUESTIONS:,} of TREC's questions, as Kim 2014", 0.8),
    _text("lstm", "LSTM on texts", "The same questions, read in both directions", 1.2),
    _text("transformer", "Transformer on texts", "The same questions, an encoder from scratch"),
    Problem(
        "table",
        "MLP on a table",
        "California housing, 14,448 rows",
        houses,
        4.0,
        {"target": "median_house_value"},
    ),
    Problem(
        "volumes",
        "3-D CNN on volumes",
        f"{VOLUMES} made volumes of {VOXELS}x{VOXELS}x{VOXELS} voxels, a ball or none",
        scans,
        40.0,
        {"batch_size": 16},
    ),
    Problem(
        "fine_tuned",
        "Fine-tuned pretrained CNN",
        "MobileNet v1 0.25 with ImageNet's weights, a new last layer, 363 photographs of 96x96",
        photographs,
        2.0,
        {"new_head": True, "batch_size": 32},
        mobilenet,
        1.6,
    ),
)
"""In the order of the page."""


def asked(problem: Problem, data: Path, work: Path) -> tuple[Any, dict[str, Any]]:
    """The source, and the options of `compare` for it."""
    network = problem.network
    if not isinstance(network, str):
        network = network(data, work / f"{problem.name}-network")
    source = problem.source(data, work / problem.name)
    return source, {**problem.options, "network": network}


def named(names: str | None) -> tuple[Problem, ...]:
    """Those of these names, with commas between them; all by default."""
    wanted = names.split(",") if names else [problem.name for problem in PROBLEMS]
    by_name = {problem.name: problem for problem in PROBLEMS}
    return tuple(by_name[name] for name in wanted)
