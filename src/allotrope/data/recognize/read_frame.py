"""From columns to inputs and tasks: what each is for, in the form that training takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from allotrope.config import DataOptions
from allotrope.data.apart_splits import Apart
from allotrope.data.asked_columns import asked_kinds, asked_names
from allotrope.data.examples import UNLABELLED, Examples
from allotrope.data.patient_splits import PatientsApart
from allotrope.data.reading import Reading
from allotrope.data.recognize.absent_labels import check_absent
from allotrope.data.recognize.apart_column import apart_of, without_apart
from allotrope.data.recognize.as_known import with_known
from allotrope.data.recognize.bad_rows import without_bad_rows
from allotrope.data.recognize.column_roles import (
    INPUT_KINDS,
    TASK_KINDS,
    Asked,
    ColumnRoles,
    find_roles,
)
from allotrope.data.recognize.frame import Frame
from allotrope.data.recognize.input_columns import (
    Decoded,
    DecodedVolumes,
    InputColumns,
    to_inputs,
)
from allotrope.data.recognize.targets import to_task
from allotrope.errors import DataError, UsageError
from allotrope.inputs.contract import Input
from allotrope.tasks import Classification, Task

Decode = Callable[[Frame, list[str]], tuple[Frame, Mapping[str, Decoded | DecodedVolumes]]]
"""decode(frame, columns): the pictures or volumes that these columns name.

And the frame without the rows of which one could not be read.
"""


def asked_of(options: DataOptions) -> Asked:
    """What the options say of columns. Raises: UsageError for unknown kinds."""
    return Asked(
        asked_names(options.target),
        asked_kinds("task", options.task, TASK_KINDS),
        asked_kinds("input", options.input, INPUT_KINDS),
    )


def read_frame(frame: Frame, options: DataOptions, decode: Decode | None = None) -> Reading:
    """The reading of a frame. `decode` reads the files that its columns name.

    Raises: DataError, UsageError.
    """
    frame = replace(frame, known=options.known)
    asked = with_known(asked_of(options), frame)
    roles = find_roles(frame, without_apart(asked, options, frame))
    check_absent(frame, roles.inputs)
    kinds = {name: task.kind for name, task in roles.tasks.items()}
    frame = without_bad_rows(roles.frame, roles.inputs, kinds, options.skip_bad_rows)
    named = [name for name in (*frame.pictures, *frame.volumes) if name in roles.inputs]
    decoded: Mapping[str, Decoded | DecodedVolumes] = {}
    if decode is not None and named:
        frame, decoded = decode(frame, named)
    relative = options.scan_values == "relative"
    columns = to_inputs(frame, roles.inputs, decoded, options.value_range, relative)
    tasks = _add_labels(frame, roles, columns)
    _check(frame, columns.inputs, tasks, columns.columns)
    splits = {
        split: Examples(part, frame.origin.get(split)) for split, part in columns.columns.items()
    }
    notes = [*frame.notes, *roles.notes]
    inputs = tuple(columns.inputs)
    return Reading(
        frame.name,
        inputs,
        tuple(tasks),
        splits,
        columns.pictures,
        notes,
        frame.unreadable,
        _apart(frame, options, tasks, splits, decoded),
    )


def _apart(
    frame: Frame,
    options: DataOptions,
    tasks: Sequence[Task],
    splits: Mapping[str, Examples],
    decoded: Mapping[str, Decoded | DecodedVolumes],
) -> Apart | None:
    """What keeps examples apart: of volumes their patients, else a column that was asked for.

    Raises: UsageError for volumes that are to be parted by time.
    """
    volumes = [one for one in decoded.values() if isinstance(one, DecodedVolumes)]
    if not volumes:
        return apart_of(frame, options)
    if options.time is not None:
        raise UsageError("--time: splits of volumes are by patient. Leave it out.")
    train = splits["train"]
    for task in tasks:
        if isinstance(task, Classification):
            labels = np.maximum(train[task.name], 0)
            return PatientsApart("group", "patient", volumes[0].patients, labels, task.classes)
    # Without classes every split needs somebody, whoever it is.
    anyone = np.zeros(len(train), np.int64)
    return PatientsApart("group", "patient", volumes[0].patients, anyone, ("examples",))


def _add_labels(frame: Frame, roles: ColumnRoles, columns: InputColumns) -> list[Task]:
    """The tasks; their labels are added to the columns."""
    tasks = []
    alone = len(roles.tasks) == 1
    for name, kind in roles.tasks.items():
        task, labels = to_task(frame, name, kind.kind, alone)
        tasks.append(task)
        for split, column in labels.items():
            columns.columns[split][name] = column
    return tasks


def _check(
    frame: Frame,
    inputs: Sequence[Input],
    tasks: Sequence[Task],
    splits: Mapping[str, Mapping[str, np.ndarray]],
) -> None:
    """Raises DataError for names that are used twice, and labels that teach nothing."""
    names = {each.name for each in inputs}
    problems = [f"'{task.name}' is an input and a target" for task in tasks if task.name in names]
    if not problems:
        problems = [
            problem
            for task in tasks
            for split, columns in splits.items()
            if split != UNLABELLED
            for problem in task.problems(split, columns[task.name])
        ]
    if problems:
        raise DataError(f"{frame.name}: {'; '.join(problems)}.")
