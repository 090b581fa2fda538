"""Which columns are inputs and which are targets, and why."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allotrope.data.recognize.date_order import DATE_KINDS, check_dates, zones
from allotrope.data.recognize.frame import (
    NAMING,
    NUMBERS,
    OTHER,
    PICTURES,
    PIXELS,
    VOLUMES,
    VOXELS,
    Frame,
)
from allotrope.data.recognize.joined_flags import with_joined_flags
from allotrope.data.recognize.role_notes import Note, noted
from allotrope.data.recognize.task_kind import TaskKind, task_kind
from allotrope.data.recognize.text_forms import CATEGORIES, DATES, NAMES, NOTHING, TEXTS
from allotrope.data.recognize.unused_columns import why_unused
from allotrope.data.recognize.whole_dates import epoch_doubt, whole_dates, why_dates
from allotrope.data.sources.arrays.array_names import array_name
from allotrope.errors import DataError, UsageError
from allotrope.inputs.table.cell_codes import EPOCH_FORMS

NONE, NUMBER, CATEGORICAL, TABLE = "none", "number", "categorical", "table"
TEXT = "text"
INPUT_KINDS = ("image", "volume", TEXT, TABLE, NUMBER, CATEGORICAL, *DATE_KINDS, NONE)
TASK_KINDS = ("classification", "multilabel", "regression")
USUAL = {
    PICTURES: "image",
    VOLUMES: "volume",
    PIXELS: "image",
    VOXELS: "volume",
    NUMBERS: NUMBER,
    CATEGORIES: CATEGORICAL,
    DATES: DATE_KINDS[0],
    TEXTS: TEXT,
}
WHY = {
    PICTURES: "it names picture files",
    VOLUMES: "it names volumes",
    PIXELS: "it holds pixels",
    VOXELS: "it holds voxels",
    NUMBERS: "it holds numbers",
    CATEGORIES: "it holds a few texts again and again",
    DATES: "it holds dates",
    TEXTS: "it holds texts of several words",
}
WHY_NOT = {
    NOTHING: "it holds nothing in any row",
    NAMES: "nearly every row has another text, as names and ids are; "
    "--input {name}=categorical or {name}=text takes it",
    OTHER: "it holds long texts, or something that is not read",
}
POSSIBLE = {
    "image": (PICTURES, PIXELS),
    "volume": (VOLUMES, VOXELS),
    TABLE: (NUMBERS, CATEGORIES, DATES),
    NUMBER: (NUMBERS,),
    TEXT: (TEXTS, NAMES, CATEGORIES),
    CATEGORICAL: (NUMBERS, CATEGORIES, DATES, NAMES, TEXTS),
    **dict.fromkeys(DATE_KINDS, (DATES,)),
    **dict.fromkeys(EPOCH_FORMS, (NUMBERS,)),
}
EXAMPLES = (*NAMING, PIXELS, VOXELS)
"""What columns look like that are learned from by themselves."""
LISTED = 12


@dataclass(frozen=True)
class Asked:
    """What a user asks for of columns: the targets, the kinds of tasks and of inputs by name.

    Columns that `follow` have their kind from the network that is trained further.
    """

    targets: tuple[str, ...] = ()
    tasks: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    follow: frozenset[str] = frozenset()

    def reason(self, name: str) -> str:
        """Why a column has the kind that was asked for."""
        if name not in self.follow:
            return "as was asked for"
        left_out = self.inputs.get(name) == NONE
        return "the network does not take it" if left_out else "as the network takes it"


@dataclass(frozen=True)
class ColumnRoles:
    """The kind of each input column and of each target column, and a reason a column in `notes`.

    They are those of `frame`, in which targets may have been joined.
    """

    frame: Frame
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
    frame, targets = with_joined_flags(frame, targets, asked.tasks)
    tasks = {name: _task(frame, name, asked) for name in targets}
    inputs, notes = _inputs(frame, targets, asked)
    check_dates(frame, inputs, asked.inputs)
    if not inputs:
        raise DataError(
            f"{frame.name}: no column is left to predict {_quoted(targets)} from: {_shown(frame)}. "
            "Expected pixels, names of pictures, texts, numbers, categories or dates; "
            "--input NAME=text, NAME=categorical or NAME=number takes one that was left out."
        )
    said = [
        f"'{name}' is predicted ({task.kind}): {task.reason}{why_targets.get(name, '')}; "
        f"--task {name}=… says otherwise"
        for name, task in tasks.items()
    ]
    return ColumnRoles(frame, inputs, tasks, said + noted(notes))


def _check_asked(frame: Frame, asked: Asked) -> None:
    columns = set(frame.columns)
    named = {"target": asked.targets, "task": tuple(asked.tasks), "input": tuple(asked.inputs)}
    problems = [
        f"--{option}: there is no column '{name}'{_meant(name, frame.columns)}"
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
        if name in columns and kind != NONE and not can_be(frame, name, kind)
    ]
    if problems or wrong:
        raise UsageError(f"{frame.name}: {'; '.join(problems + wrong)}. Columns: {_shown(frame)}.")


def can_be(frame: Frame, name: str, kind: str) -> bool:
    """Whether a column can be an input of a kind."""
    if kind == DATE_KINDS[0] and len(whole_dates(frame, name)):
        return True
    return frame.form(name) in POSSIBLE.get(kind, ())


def _meant(name: str, columns: Sequence[str]) -> str:
    """The column that a name that is none may stand for, as a question."""
    by_core = {column.strip().casefold(): column for column in columns}
    near = difflib.get_close_matches(name.strip().casefold(), by_core, n=1)
    return f" (did you mean '{by_core[near[0]]}'?)" if near else ""


def _check_pictures(frame: Frame, asked: Asked) -> None:
    """Raises DataError if several columns name files and nobody says which are meant."""
    naming = [name for name in frame.columns if frame.form(name) in NAMING]
    if len(naming) < 2 or {USUAL[form] for form in NAMING} & set(asked.inputs.values()):
        return
    options = "\n".join(f"  --input {name}={USUAL[frame.form(name)]}" for name in naming)
    files = " or ".join(dict.fromkeys(frame.form(name) for name in naming))
    raise DataError(
        f"{frame.name}: {_quoted(naming)} all name {files}. Say which are inputs, one or "
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
    named = [name for name in free if _says_labels(name) and frame.form(name) not in NAMING]
    if len(named) == 1:
        return tuple(named), {named[0]: ", and its name says that it is the label"}
    pictured = [name for name in frame.columns if frame.form(name) in EXAMPLES]
    rest = [name for name in free if name not in pictured]
    if pictured and len(rest) == 1 and not named:
        return tuple(rest), {
            rest[0]: f", and it is the only column beside the {_shown_as(frame, pictured)}"
        }
    raise DataError(
        f"{frame.name}: which column is to be predicted? Columns: {_shown(frame)}. "
        "Say --target NAME, or several with commas between them."
    )


def _shown_as(frame: Frame, columns: Sequence[str]) -> str:
    """What columns hold that are learned from by themselves: volumes or pictures."""
    if any(frame.form(name) in (VOLUMES, VOXELS) for name in columns):
        return VOLUMES
    return PICTURES


def _says_labels(name: str) -> bool:
    said = array_name(name)
    return said is not None and said.role == "labels"


def _task(frame: Frame, name: str, asked: Asked) -> TaskKind:
    if frame.form(name) == OTHER or frame.splits["train"][name].dtype.kind == "T":
        raise DataError(
            f"{frame.name}: target '{name}' holds texts of more than 1,000 characters, or "
            "something "
            "that is neither text nor number; expected labels."
        )
    if name in asked.tasks:
        return TaskKind(asked.tasks[name], asked.reason(name))
    if name in frame.label_names:
        return TaskKind("multilabel", f"its labels are {len(frame.label_names[name])} flags")
    _check_repeating(frame, name)
    if name in frame.spoiled:
        parts = frame.spoiled[name].numbers.values()
        return task_kind(name, np.concatenate(list(parts)))
    return task_kind(name, frame.whole(name))


def _check_repeating(frame: Frame, name: str) -> None:
    """Raises: DataError for a target of dates, or of texts that nearly all differ."""
    form, column = frame.form(name), frame.whole(name)
    if form == DATES:
        raise DataError(
            f"{frame.name}: target '{name}' holds dates, which are no classes. Predict a number, "
            f"such as the days until then, or say --task {name}=classification."
        )
    if form not in (NAMES, TEXTS):
        return
    distinct = np.unique(column)
    if len(distinct) > len(column) / 2:
        shown = ", ".join(repr(str(cell)[:30]) for cell in distinct[:3])
        raise DataError(
            f"{frame.name}: target '{name}' has another text in nearly every row ({shown}, …), as "
            f"ids and names have. Name another column, or say --task {name}=classification."
        )


def _inputs(
    frame: Frame, targets: Sequence[str], asked: Asked
) -> tuple[dict[str, str], list[Note]]:
    """The kind of each input column, pictures first, and a reason for every column."""
    inputs: dict[str, str] = {}
    notes = []
    naming = [name for name in frame.columns if frame.form(name) in NAMING]
    for name in sorted(frame.columns, key=lambda name: frame.form(name) not in EXAMPLES):
        if name in targets:
            continue
        kind, why = _input_kind(frame, name, asked, naming)
        notes.append(Note(name, "" if kind == NONE else kind, why))
        if kind != NONE:
            inputs[name] = kind
    return inputs, notes


def _input_kind(frame: Frame, name: str, asked: Asked, naming: Sequence[str]) -> tuple[str, str]:
    """The kind of a column, and why; {name} in the reason stands for its name.

    `naming` are the columns that name files.
    """
    form = frame.form(name)
    if name in asked.inputs:
        kind = asked.inputs[name]
        return (USUAL[form] if kind == TABLE else kind), asked.reason(name)
    if form in WHY_NOT:
        return NONE, WHY_NOT[form]
    if frame.table and naming and form not in NAMING:
        taking = TEXT if form == TEXTS else TABLE
        files = _shown_as(frame, naming)
        return NONE, f"the {files} alone are learned from; --input {{name}}={taking} takes it too"
    if form in NAMING and len(naming) > 1:
        kind = USUAL[form]
        return NONE, f"other {form} were asked for; --input {{name}}={kind} takes it too"
    unused = why_unused(frame, name)
    if unused:
        return NONE, f"{unused}; --input {{name}}={USUAL[form]} takes it"
    return _usual_kind(frame, name)


def _usual_kind(frame: Frame, name: str) -> tuple[str, str]:
    """The kind that suits what a column looks like, and why."""
    form = frame.form(name)
    if form == NUMBERS:
        dates = why_dates(frame, name)
        if dates:
            return DATE_KINDS[0], dates
        doubt = epoch_doubt(frame, name)
        if doubt:
            return NUMBER, doubt
    if form == DATES and zones(frame, name)[0]:
        return DATE_KINDS[0], (
            "it holds dates with time zones, which are brought to UTC; --input {name}=none leaves "
            "it out"
        )
    return USUAL[form], f"{WHY[form]}; --input {{name}}=none leaves it out"


def _shown(frame: Frame) -> str:
    """The columns; of many the first and the last, where targets usually stand."""
    columns = list(frame.columns)
    between = len(columns) - 2 * LISTED
    if between <= 0:
        return _with_forms(frame, columns)
    first, last = columns[:LISTED], columns[-LISTED:]
    return f"{_with_forms(frame, first)}, {between:,} more, {_with_forms(frame, last)}"


def _with_forms(frame: Frame, columns: Sequence[str]) -> str:
    forms = {name: frame.form(name) for name in columns}
    forms |= dict.fromkeys(frame.label_names, "labels")
    return ", ".join(f"'{name}' ({forms[name]})" for name in columns)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
