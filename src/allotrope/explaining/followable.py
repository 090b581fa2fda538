"""What of a run can be followed: one picture through its network to its first task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.errors import UsageError, unknown_name
from allotrope.inputs.from_facts import input_of
from allotrope.inputs.image.image import Image

REPORTED = (
    "`allotrope predict` answers for other examples, and the run's report.html shows what its "
    "answers rest on"
)


def followable_input(inputs: Sequence[Mapping[str, Any]], run: str) -> Image:
    """The input of a network that takes one picture and nothing else.

    Raises: UsageError for any other.
    """
    kinds = [each["kind"] for each in inputs]
    if kinds != ["image"]:
        listed = ", ".join(f"{each['name']} ({each['kind']})" for each in inputs)
        raise UsageError(
            f"'{run}' takes {listed}; explain follows one picture (image) and nothing beside it, "
            f"because its steps are those of pixels. {REPORTED}."
        )
    image = input_of(inputs[0])
    assert isinstance(image, Image)
    return image


def names_of(task: Mapping[str, Any]) -> tuple[str, ...]:
    """What the numbers of the task's answer are called: classes, labels, or the quantity."""
    names = task.get("classes") or task.get("labels") or task.get("columns")
    return tuple(names or (task["name"],))


def label_of(task: Mapping[str, Any], label: str | None) -> int | None:
    """The place of the class that the picture is said to be.

    Raises: UsageError for a class that there is not, or a task that has none.
    """
    if label is None:
        return None
    if task["kind"] != "classification":
        raise UsageError(
            f"--label names a class, and '{task['name']}' is a {task['kind']}. Leave it out."
        )
    classes = names_of(task)
    if label not in classes:
        raise unknown_name("class", label, classes)
    return classes.index(label)


def raw_example(image: Image, example: Any) -> Any:
    """Raw pixels uint8 [h, w, c] of a file, or of an array [h, w] or [h, w, c].

    Raises: DataError for a file that is no such picture; UsageError for an array that does not fit.
    """
    if not hasattr(example, "shape"):
        return image.read(str(example))
    x = example[..., None] if example.ndim == 2 else example
    expected = (image.height, image.width, image.channels)
    if x.shape != expected or x.dtype != "uint8":
        raise UsageError(
            f"the picture is {x.dtype} {list(example.shape)}, expected uint8 {list(expected)}: "
            "height, width and channels as the network takes them."
        )
    return x
