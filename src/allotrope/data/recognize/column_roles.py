"""Which columns are inputs and which are targets, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from allotrope.data.recognize.frame import NUMBERS, OTHER, PICTURES, PIXELS, TEXTS, Frame
from allotrope.data.recognize.task_kind import TaskKind, task_kind
from allotrope.data.sources.arrays.array_names import array_name
from allotrope.errors import DataError, UsageError

NONE = "none"
INPUT_KINDS = ("image", "table", NONE)
TASK_KINDS = ("classification", "multilabel", "regression")
USUAL = {PICTURES: "image", PIXELS: "image", NUMBERS: "table"}
WHY = {
    PICTURES: "it names picture files",
    PIXELS: "it holds pixels",
    NUMBERS: "it holds numbers",
}
POSSIBLE = {"image": (PICTURES, PIXELS), "table": (NUMBERS,)}


@dataclass(frozen=True)
class Asked:
    """What a user asks for of columns: the targets, the kinds of tasks and of inputs by name."""

    targets: tuple[str, ...] = ()
    tasks: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ColumnRoles:
    """The kind of each input column and of each target column, and a reason a column in `notes`."""

    inputs: Mapping[str, str]
    tasks: Mapping[str, TaskKind]
    notes: list[str]


def find_roles(frame: Frame, asked: Asked) -> ColumnRoles:
    """What each column of the frame is for.

    Raises: UsageError for names that are no columns, or a target that is also an input; DataError
    if nothing says what is to be predicted, or nothing is left to predict it from.
    """
    _check_asked(frame, asked)
    _check_pictures(frame, asked)
    targets, why_targets = _targets(frame, asked)
    tasks = {name: _task(frame, name, asked) for name in targets}
    inputs, notes = _inputs(frame, targets, asked)
    if not inputs:
        raise DataError(
            f"{frame.name}: no column is left to predict {_quoted(targets)} from: {_shown(frame)}. "
            "Expected pixels, names of pictures, or numbers; --input NAME=table or NAME=image "
            "takes one that was left out."
        )
    said = [
        f"'{name}' is predicted ({task.kind}): {task.reason}{why_targets.get(name, '')}; "
        f"--task {name}=… says otherwise"
        for name, task in tasks.items()
    ]
    return ColumnRoles(inputs, tasks, said + notes)


def _check_asked(frame: Frame, asked: Asked) -> None:
    columns = set(frame.columns)
    named = {"target": asked.targets, "task": tuple(asked.tasks), "input": tuple(asked.inputs)}
    problems = [
        f"--{option}: there is no column '{name}'"
        for option, names in named.items()
        for name in names
        if name not in columns
    ]
    taken = [name for name, kind in asked.inputs.items() if kind != NONE]
    twofold = sorted((set(asked.targets) | set(asked.tasks)) & set(taken))
    problems += [f"'{name}' is asked for as an input and as a target" for name in twofold]
    wrong = [
        f"--input {name}={kind}: it holds {frame.form(name)}"
        for name, kind in asked.inputs.items()
        if name in columns and kind != NONE and frame.form(name) not in POSSIBLE[kind]
    ]
    if problems or wrong:
        raise UsageError(f"{frame.name}: {'; '.join(problems + wrong)}. Columns: {_shown(frame)}.")


def _check_pictures(frame: Frame, asked: Asked) -> None:
    """Raises DataError if several columns name pictures and nobody says which are meant."""
    if len(frame.pictures) < 2 or "image" in asked.inputs.values():
        return
    options = "\n".join(f"  --input {name}=image" for name in frame.pictures)
    raise DataError(
        f"{frame.name}: {_quoted(frame.pictures)} all name pictures. Say which are inputs, one or "
        f"several:\n{options}"
    )


def _targets(frame: Frame, asked: Asked) -> tuple[tuple[str, ...], dict[str, str]]:
    """The columns to predict; and why, if nobody asked for them."""
    if asked.targets:
        others = tuple(name for name in asked.tasks if name not in asked.targets)
        return asked.targets + others, {}
    if asked.tasks:
        return tuple(asked.tasks), {}
    free = [name for name in frame.columns if name not in asked.inputs]
    named = [name for name in free if _says_labels(name) and frame.form(name) != PICTURES]
    if len(named) == 1:
        return tuple(named), {named[0]: ", and its name says that it is the label"}
    pictured = [name for name in frame.columns if frame.form(name) in (PICTURES, PIXELS)]
    rest = [name for name in free if name not in pictured]
    if pictured and len(rest) == 1 and not named:
        return tuple(rest), {rest[0]: ", and it is the only column beside the pictures"}
    raise DataError(
        f"{frame.name}: which column is to be predicted? Columns: {_shown(frame)}. "
        "Say --target NAME, or several with commas between them."
    )


def _says_labels(name: str) -> bool:
    said = array_name(name)
    return said is not None and said.role == "labels"


def _task(frame: Frame, name: str, asked: Asked) -> TaskKind:
    if frame.form(name) == OTHER:
        raise DataError(
            f"{frame.name}: target '{name}' holds texts of more than 1,000 characters, or "
            "something "
            "that is neither text nor number; expected labels."
        )
    if name in asked.tasks:
        return TaskKind(asked.tasks[name], "as was asked for")
    if name in frame.spoiled:
        raise DataError(
            f"{frame.name}: target {frame.spoiled[name]} Mend these rows, or say "
            f"--task {name}=classification."
        )
    return task_kind(name, frame.whole(name))


def _inputs(frame: Frame, targets: Sequence[str], asked: Asked) -> tuple[dict[str, str], list[str]]:
    """The kind of each input column, pictures first, and a reason for every column."""
    inputs: dict[str, str] = {}
    notes = []
    pictured = [name for name in frame.columns if frame.form(name) == PICTURES]
    for name in sorted(frame.columns, key=lambda name: frame.form(name) == NUMBERS):
        if name in targets:
            continue
        form = frame.form(name)
        kind, why = _input_kind(frame, name, form, asked, bool(pictured))
        if kind == NONE:
            notes.append(f"'{name}' is left out: {why}")
        else:
            inputs[name] = kind
            notes.append(f"'{name}' is an input ({kind}): {why}")
    return inputs, notes


def _input_kind(
    frame: Frame, name: str, form: str, asked: Asked, pictures: bool
) -> tuple[str, str]:
    if name in asked.inputs:
        return asked.inputs[name], "as was asked for"
    if form in (TEXTS, OTHER):
        what = "texts" if form == TEXTS else "long texts, or something that is not read"
        return NONE, f"it holds {what}"
    if frame.table and pictures and form == NUMBERS:
        return NONE, f"the pictures alone are learned from; --input {name}=table takes it too"
    if "image" in asked.inputs.values() and form == PICTURES:
        return NONE, f"other pictures were asked for; --input {name}=image takes it too"
    return USUAL[form], f"{WHY[form]}; --input {name}=none leaves it out"


def _shown(frame: Frame) -> str:
    return ", ".join(f"'{name}' ({frame.form(name)})" for name in frame.columns)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
