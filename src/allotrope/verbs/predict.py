"""`predict`: classifies pictures with the file that a run delivered, in the runtime that it was delivered for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.data.sources.folder.tree import scan
from allotrope.errors import DataError, RunFolderError, UsageError
from allotrope.inputs.image.formats import SUFFIXES
from allotrope.inputs.image.pictures import UnreadablePicture, read_picture, strict_size
from allotrope.run import read_record

BATCH = 64


@dataclass(frozen=True)
class Predictions:
    """A row a picture in `json`: `file` and `top` [{class, probability}], or `file` and the `reason` why it cannot be read."""

    json: list[dict[str, Any]]

    @property
    def exit_code(self) -> int:
        """1 where a picture could not be read."""
        return int(any("reason" in row for row in self.json))

    def __str__(self) -> str:
        width = max(len(row["file"]) for row in self.json)
        return "\n".join(f"{row['file']:{width}}  {_described(row)}" for row in self.json)


def predict(run: str | Path, *images: str | Path, top: int = 5, threads: int | None = None) -> Predictions:
    """Classify pictures with the file that a run delivered.

    Example: allotrope predict runs/digits-1 picture.png more-pictures/

    Args:
        run: the run folder that `fit` made.
        images: pictures, or folders of which every picture is taken.
        top: how many classes to name for each picture, the most probable first.
        threads: processor threads; all cores by default.

    Raises: UsageError where no picture is named, RunFolderError where the run delivered nothing, MissingDependencyError for its runtime.
    """
    if not images:
        raise UsageError("no picture is named. Name pictures or folders of pictures after the run folder.")
    if top < 1:
        raise UsageError(f"top is {top}, expected at least 1.")
    record = read_record(run)
    session = _delivered_session(Path(run), record, threads)
    classes = record["data"]["classes"]
    rows: list[dict[str, Any]] = []
    pictures = list(_pictures(images))
    if not pictures:
        raise DataError(f"no picture is in {', '.join(map(str, images))}. Expected files that end in {', '.join(SUFFIXES)}.")
    value_range = record["data"].get("summary", {}).get("value_range")
    for files, pixels, reasons in _batches(pictures, record["data"]["image"], value_range):
        probabilities = iter(next(iter(session.run({"image": pixels}).values()))) if len(pixels) else iter(())
        for file, reason in zip(files, reasons, strict=True):
            answer = {"reason": reason} if reason else {"top": _top(next(probabilities), classes, top)}
            rows.append({"file": str(file), **answer})
    return Predictions(rows)


def _delivered_session(folder: Path, record: dict[str, Any], threads: int | None) -> Any:
    from allotrope.runtimes import runtime

    delivered = record.get("delivered")
    if delivered is None:
        raise RunFolderError(f"'{folder}' delivered no file (its status is '{record.get('status')}'). Name another run, or fit again.")
    path = folder / delivered["file"]
    if not path.is_file():
        raise RunFolderError(f"'{path}', which the run delivered, is gone. Fit again.")
    return runtime(delivered["runtime"]).open(path, delivered["precision"], threads, **delivered.get("options", {}))


def _pictures(images: Sequence[str | Path]) -> Iterator[Path]:
    """Each picture named, and those in each folder named but hidden ones and those that were made here."""
    for path in map(Path, images):
        if path.is_dir():
            yield from scan(path).root.below()
        else:
            yield path


def _batches(
    files: list[Path], image: Sequence[int], value_range: tuple[float, float] | None
) -> Iterator[tuple[list[Path], np.ndarray, list[str]]]:
    """Files, the pixels of the readable ones as uint8 [n, h, w, c], and for each file why it cannot be read, or nothing.

    `value_range` are the values that are black and white in pictures of more than 8 bits a channel.
    """
    channels, height, width = image
    for start in range(0, len(files), BATCH):
        part = files[start : start + BATCH]
        pixels, reasons = [], []
        with strict_size():
            for file in part:
                try:
                    if not file.exists():
                        raise UnreadablePicture(file, "no such file")
                    pixels.append(read_picture(file, height, width, channels, value_range))
                    reasons.append("")
                except UnreadablePicture as error:
                    reasons.append(error.reason)
        yield part, np.stack(pixels) if pixels else np.empty((0, height, width, channels), np.uint8), reasons


def _top(probabilities: np.ndarray, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    order = probabilities.argsort()[::-1][:count]
    return [{"class": classes[i], "probability": float(probabilities[i])} for i in order]


def _described(row: dict[str, Any]) -> str:
    if "reason" in row:
        return f"cannot be read: {row['reason']}"
    return ", ".join(f"{guess['class']} {guess['probability']:.1%}" for guess in row["top"])
