"""Sources whose columns are fixed, such as class folders: asking for others is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from allotrope.config import DataOptions
from allotrope.data.reading import Reading
from allotrope.errors import UsageError


def with_columns_as_asked(reading: Reading, options: DataOptions) -> Reading:
    """The reading itself, whose source has these inputs and tasks and no others.

    Raises: UsageError for all options that ask for another column, or for another kind of one.
    """
    inputs = {each.name: each.kind for each in reading.inputs}
    tasks = {each.name: each.kind for each in reading.tasks}
    problems = [
        f"--target: there is no column '{name}'" for name in options.target if name not in tasks
    ]
    parted = {"group": options.group, "time": options.time}
    problems += [
        f"--{option}: there is no column '{name}'" for option, name in parted.items() if name
    ]
    problems += _misfits("task", options.task, tasks)
    problems += _misfits("input", options.input, inputs)
    if problems:
        has = ", ".join(f"'{name}' ({kind})" for name, kind in {**inputs, **tasks}.items())
        raise UsageError(
            f"{reading.name}: {'; '.join(problems)}. It has {has}. Other columns come from a table "
            "that names pictures, or from arrays by column."
        )
    return reading


def _misfits(option: str, asked: Mapping[str, str], columns: Mapping[str, str]) -> Iterator[str]:
    for name, kind in asked.items():
        if name not in columns:
            yield f"--{option}: there is no column '{name}'"
        elif kind != columns[name]:
            yield f"--{option}: '{name}' cannot be {kind}"
