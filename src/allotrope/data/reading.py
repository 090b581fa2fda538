"""What a reader found in a source, before it is split and looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allotrope.data.apart_splits import Apart
from allotrope.data.examples import IMAGE, LABEL, Data, Examples
from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.tasks import Classification, Task
from allotrope.wording import example_noun


@dataclass(frozen=True)
class PicturesFound:
    """The pictures of an input as they were in the source.

    `sizes` counts (height, width), and `modes` counts Pillow's modes.
    """

    sizes: Mapping[tuple[int, int], int]
    modes: Mapping[str, int]


@dataclass
class Reading:
    """The splits that a source brings, and remarks for the user.

    `pictures` is by the name of the input. `unreadable` lists {file, reason}. `apart` keeps
    examples apart when splits are made.
    """

    name: str
    inputs: tuple[Input, ...]
    tasks: tuple[Task, ...]
    splits: dict[str, Examples]
    pictures: Mapping[str, PicturesFound] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    apart: Apart | None = None

    @property
    def noun(self) -> str:
        """What one of its examples is called."""
        return noun(self.inputs)


def noun(inputs: Sequence[Input]) -> str:
    """What an example of these inputs is called: an image, if it is nothing else."""
    return example_noun(each.kind for each in inputs)


def labelled_pictures(
    name: str,
    splits: dict[str, Examples],
    classes: tuple[str, ...],
    pictures: PicturesFound,
    value_range: tuple[float, float] | None = None,
) -> Reading:
    """The reading of examples with the columns IMAGE, uint8 [n, h, w, c], and LABEL, int64 [n]."""
    image = Image.of(IMAGE, splits["train"][IMAGE], value_range)
    task = Classification(name=LABEL, classes=classes)
    return Reading(name, (image,), (task,), splits, {IMAGE: pictures})


def labelled(
    images: np.ndarray, labels: np.ndarray, files: tuple[str, ...] | None = None
) -> Examples:
    """Images uint8 [n, h, w, c] and the numbers of their classes [n], under the usual names."""
    return Examples({IMAGE: images, LABEL: labels}, files)


def labelled_data(
    name: str,
    classes: tuple[str, ...],
    train: Examples,
    validation: Examples,
    test: Examples,
) -> Data:
    """The data of examples that `labelled` made."""
    image = Image.of(IMAGE, train[IMAGE]).fitted(train[IMAGE])
    task = Classification(name=LABEL, classes=classes)
    splits = {"train": train, "validation": validation, "test": test}
    return Data(name, (image,), (task,), splits)
