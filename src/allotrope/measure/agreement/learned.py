"""What a check trains a network for if outputs are tasks: random labels, some missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from allotrope.errors import UsageError, unknown_name
from allotrope.tasks import KINDS, Classification, MultiLabel, Regression, Task


def learned_tasks(
    kinds: Mapping[str, str], outputs: Mapping[str, Sequence[int]]
) -> tuple[Task, ...]:
    """A task of the kind that is asked for each of these outputs [n, size].

    Raises: UsageError for an output that is not there or gives no rows, or a kind that is unknown.
    """
    tasks: list[Task] = []
    for name, kind in kinds.items():
        if kind not in _MADE:
            raise unknown_name("kind of task", kind, KINDS)
        if len(outputs.get(name, ())) != 2:
            rows = ", ".join(output for output, shape in outputs.items() if len(shape) == 2)
            raise UsageError(
                f"'{name}' is no output that gives a row of floats for each example. "
                f"Such outputs are: {rows or 'none'}."
            )
        tasks.append(_MADE[kind](name, outputs[name][1]))
    return tuple(tasks)


def random_labels(
    task: Task, count: int, missing: float, random: np.random.Generator
) -> np.ndarray:
    """So many labels of a task, about the part `missing` of which is unknown, never all of them."""
    labels = _DRAWN[task.kind](task, count, random)
    unknown = random.random(count) < missing
    unknown[0] = False
    labels[unknown] = -1 if labels.dtype.kind == "i" else np.nan
    return labels


def _names(size: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(size))


def _codes(task: Task, count: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(0, task.size, count)


def _numbers(task: Task, count: int, random: np.random.Generator) -> np.ndarray:
    return random.standard_normal((count, task.size))


def _flags(task: Task, count: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 2, (count, task.size)).astype(np.float64)


_MADE: dict[str, Callable[[str, int], Task]] = {
    Classification.kind: lambda name, size: Classification(name=name, classes=_names(size)),
    MultiLabel.kind: lambda name, size: MultiLabel(name=name, labels=_names(size)),
    Regression.kind: lambda name, size: Regression(
        name=name, mean=(0.0,) * size, deviation=(1.0,) * size
    ),
}
_DRAWN: dict[str, Callable[[Task, int, np.random.Generator], np.ndarray]] = {
    Classification.kind: _codes,
    MultiLabel.kind: _flags,
    Regression.kind: _numbers,
}
