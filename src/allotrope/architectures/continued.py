"""A network with any inputs and outputs made ready to learn on: our own, or one that fits as it is.

What `fit` delivers says of itself what it takes and answers. Any other network has to take the raw
columns of the data: there is nothing to be found out by trying, as there is of pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allotrope.architectures.fine_tune import (
    AT_ONCE,
    LOOKED_AT,
    PreparedNetwork,
    ending_in_logits,
    frozen_weights,
    in_float32,
)
from allotrope.architectures.rescaled import in_units_of
from allotrope.config import FineTuning, Recipe
from allotrope.data.examples import Data
from allotrope.errors import AllotropeError, UsageError
from allotrope.inputs.by_page import each_column
from allotrope.inputs.contract import Input
from allotrope.inputs.from_facts import input_of
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.tokens.token_roles import IDS, NAMES
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.network.columns import KEY, columns_of, with_columns
from allotrope.network.graph import Dimension, Value
from allotrope.network.network import Network
from allotrope.network.rewriting.ends import end_of
from allotrope.network.rewriting.head import with_new_head
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.rewriting.rewriter import Rewriter
from allotrope.tasks import Classification, MultiLabel, Regression, Task, task_of
from allotrope.tasks.guess import guess
from allotrope.tasks.members import with_members
from allotrope.tasks.several import trained_by

Columns = tuple[tuple[Input, ...], tuple[Task, ...]]


def own_columns(network: Network) -> Columns | None:
    """The inputs and tasks that a network says of itself; None if it does not.

    Raises: ModelError, DataError, UsageError if what it says is nonsense.
    """
    said = columns_of(network.metadata)
    inputs = tuple(map(input_of, said["inputs"]))
    tasks = tuple(map(task_of, said["tasks"]))
    names = [value.name for value in network.inputs]
    if not inputs or not tasks or sorted(names) != sorted(each.name for each in inputs):
        return None
    return inputs, tasks


def continued(
    network: Network, data: Data, options: FineTuning, framework: str, seed: int
) -> PreparedNetwork:
    """The network for this data, which is in the network's own columns if it has such.

    Raises: UsageError, UnsupportedError, each saying what of the network does not fit the data and
    what to do.
    """
    notes: list[str] = []
    network = in_float32(network, notes)
    own, units = own_columns(network), dict[str, Task]()
    if own is None:
        network = _bound(network, data, options, notes)
    else:
        network, units = _reopened(network, own[1], data, options)
    network, fresh = _with_fresh_head(network, data, options, seed, notes)
    network = in_units_of(with_members(network), {} if fresh else units, _trained(data))
    _check(network, data, framework)
    knows = not fresh and _knows(network, data, framework, notes)
    network = _saying(network, data)
    frozen = frozen_weights(network, options.freeze, fresh)
    if frozen:
        notes.append(
            f"{len(frozen)} of {len(network.trainable)} trainable weights are frozen "
            f"({', '.join(options.freeze)})."
        )
    return PreparedNetwork(network, frozen, tuple(sorted(fresh)), notes, None, knows)


def _trained(data: Data) -> tuple[Task, ...]:
    """The tasks with units, which the loss and its targets are in."""
    return trained_by(data.tasks, Recipe(), data.train.columns)


# --- a network of our own


def _reopened(
    network: Network, tasks: Sequence[Task], data: Data, options: FineTuning
) -> tuple[Network, dict[str, Task]]:
    """The network with its raw outputs, those of the data's tasks alone; and the tasks it had."""
    for task in tasks:
        network = task.unfinished(network)
    answered = [task.name for task in tasks]
    wanted = [task.name for task in data.tasks]
    if options.new_head:
        if len(tasks) != 1 or len(wanted) != 1:
            raise UsageError(
                f"--new-head replaces the last layer of one task; the network has {len(tasks)} and "
                f"the data {len(wanted)}."
            )
        wanted_now = answered
    else:
        wanted_now = wanted
    outputs = {value.name: value for value in network.outputs}
    rewriter = Rewriter(network.graph, network.weights)
    rewriter.give(*(outputs[name] for name in wanted_now))
    network = rewriter.applied_to(network)
    inputs = [value.name for value in network.inputs]
    return named_after(network, inputs, wanted), {task.name: task for task in tasks}


# --- a network of others


def _bound(network: Network, data: Data, options: FineTuning, notes: list[str]) -> Network:
    """The network with an input for each of the data's and an output for each of its tasks.

    Raises: UsageError for all inputs that do not fit.
    """
    network = _taking_tokens(network, data)
    problems = [problem for each in data.inputs if (problem := _unfit(each, data))]
    names = _by_name([value.name for value in network.inputs], [each.name for each in data.inputs])
    by_name = {value.name: value for value in network.inputs}
    for each, name in zip(data.inputs, names, strict=False):
        problem = _misfit(by_name[name], each.value())
        if problem:
            problems.append(problem)
    if len(names) != len(data.inputs) or len(names) != len(network.inputs) or problems:
        takes = ", ".join(map(_in_words, network.inputs))
        wanted = ", ".join(_in_words(each.value()) for each in data.inputs)
        said = f": {'; '.join(problems)}" if problems else ""
        hint = ""
        if any(each.name.lower() in NAMES[IDS] for each in network.inputs):
            hint = (
                " Ids of tokens are made of a text: --input NAME=text says which column holds it."
            )
        raise UsageError(
            f"the network does not take what {data.name} has{said}. It takes {takes or 'nothing'}; "
            f"the data is {wanted}. A network from elsewhere is given raw columns, by their names "
            "or the only one; leave others out by --input NAME=none, or take a network of the zoo."
            f"{hint}"
        )
    network = _ending_raw(network, data, options, notes)
    order = [value.name for value in network.inputs]
    called = dict(zip(names, (each.name for each in data.inputs), strict=True))
    tasks = [task.name for task in data.tasks]
    return named_after(network, [called[name] for name in order], tasks)


def _taking_tokens(network: Network, data: Data) -> Network:
    """The network that takes the ids of the data's text, if that is read as tokens.

    Raises: UsageError for several texts.
    """
    tokens = [each for each in data.inputs if isinstance(each, Tokens)]
    if len(tokens) > 1:
        names = ", ".join(f"'{each.name}'" for each in tokens)
        raise UsageError(
            f"the network takes the tokens of one text, and {data.name} has {names}. Leave all but "
            "one out by --input NAME=none."
        )
    return tokens[0].prepare(network) if tokens else network


def _unfit(each: Input, data: Data) -> str:
    """What of an input only a network of our own can take."""
    if not isinstance(each, Table):
        return ""
    if each.coded:
        names = ", ".join(f"'{each.columns[place]}'" for place in each.coded)
        return f"{names} are categories, whose codes it does not know"
    columns = zip(each.columns, each_column(data.train[each.name]), strict=True)
    lacking = ", ".join(f"'{name}'" for name, column in columns if np.isnan(column).any())
    return f"{lacking} lack in some rows" if lacking else ""


def _by_name(there: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The names that stand for those that are wanted: the same, or the only one of each."""
    if set(wanted) <= set(there):
        return list(wanted)
    return list(there) if len(there) == len(wanted) == 1 else []


def _misfit(there: Value, wanted: Value) -> str:
    """Why an input cannot take raw columns such as `wanted`; nothing if it can."""
    shape = there.shape or wanted.shape or ()
    lengths = zip(shape, wanted.shape or (), strict=False)
    alike = len(shape) == len(wanted.shape or ()) and all(map(_fits, *zip(*lengths, strict=True)))
    if there.dtype == wanted.dtype and alike:
        return ""
    return f"{_in_words(there)} is not {_in_words(wanted)}"


def _fits(there: Dimension, wanted: Dimension) -> bool:
    return not (isinstance(there, int) and isinstance(wanted, int)) or there == wanted


def _in_words(value: Value) -> str:
    return f"'{value.name}' {value.dtype} {list(value.shape or ())}"


def _ending_raw(network: Network, data: Data, options: FineTuning, notes: list[str]) -> Network:
    """The network with raw rows of numbers [n, size] for the tasks, in their order."""
    tasks = data.tasks
    if len(tasks) == 1 and isinstance(tasks[0], Classification):
        return ending_in_logits(network, tasks[0].classes, options, notes)
    names = _by_name([value.name for value in network.outputs], [task.name for task in tasks])
    if len(names) != len(tasks):
        gives = ", ".join(map(_in_words, network.outputs))
        wanted = ", ".join(f"'{task.name}' [n, {task.size}]" for task in tasks)
        raise UsageError(f"the network gives {gives}; {data.name} has tasks {wanted}.")
    rewriter = Rewriter(network.graph, network.weights)
    outputs = []
    for name, task in zip(names, tasks, strict=True):
        raw = name if isinstance(task, Regression) else end_of(rewriter, name)[0]
        if rewriter.rank(raw) == 1:
            shape = rewriter.constant(f"{raw}.rows.shape", np.array([-1, task.size], np.int64))
            raw = rewriter.append("Reshape", [raw, shape], f"{raw}.rows")
        if raw != name and isinstance(task, MultiLabel):
            notes.append(f"Sigmoid taken off the end of '{name}': training begins from logits.")
        outputs.append(Value(raw, np.dtype(np.float32), None))
    rewriter.give(*outputs)
    return rewriter.applied_to(network)


# --- both


def _with_fresh_head(
    network: Network, data: Data, options: FineTuning, seed: int, notes: list[str]
) -> tuple[Network, frozenset[str]]:
    if not options.new_head:
        return network, frozenset()
    if len(data.tasks) != 1:
        raise UsageError("--new-head replaces the last layer of one task; the data has several.")
    (task,) = data.tasks
    changed, fresh = with_new_head(network, task.size, seed)
    notes.append(f"The last layer has fresh weights for '{task.name}': {', '.join(sorted(fresh))}.")
    return named_after(changed, [value.name for value in changed.inputs], [task.name]), fresh


def _check(network: Network, data: Data, framework: str) -> None:
    """Raises: UsageError if the network cannot compute two examples, or gives other sizes."""
    two = {each.name: data.train[each.name][[0, -1]] for each in data.inputs}
    try:
        outputs = network.run(two, framework=framework)
    except AllotropeError as error:
        raise UsageError(f"the network cannot compute examples of {data.name}: {error}") from error
    wrong = [
        f"'{task.name}' is {list(outputs[task.name].shape)} for two examples, expected "
        f"{[2, task.size]}"
        for task in data.tasks
        if outputs[task.name].shape != (2, task.size)
    ]
    if wrong:
        raise UsageError(
            f"the network does not answer what {data.name} has: {'; '.join(wrong)}. If its last "
            "layer is made for something else, add --new-head."
        )


def _knows(network: Network, data: Data, framework: str, notes: list[str]) -> bool:
    """Whether it answers training examples better than one answer for all."""
    task = _trained(data)[0]
    step = max(1, len(data.train) // LOOKED_AT)
    rows = np.arange(0, len(data.train), step)[:LOOKED_AT]
    seen = {each.name: data.train[each.name][rows] for each in data.inputs}
    labels = data.train[task.name][rows]
    parts = [
        network.run({name: x[at : at + AT_ONCE] for name, x in seen.items()}, framework=framework)
        for at in range(0, len(rows), AT_ONCE)
    ]
    answers = np.concatenate([part[task.name] for part in parts])
    value = task.scores(answers, labels).get(task.metric.name, float("nan"))
    knows = task.metric.better(value, guess(task, data.train[task.name], labels).value)
    if knows:
        notes.append(
            f"As it came it has {task.metric_text(value)} {task.metric.title} on {len(rows)} "
            "training examples."
        )
    return knows


def _saying(network: Network, data: Data) -> Network:
    """The network that says these columns of itself, and no others."""
    ends = {task.name: ("n", task.size) for task in data.tasks}
    outputs = tuple(
        replace(value, shape=ends.get(value.name, value.shape)) for value in network.outputs
    )
    network = network.changed(
        graph=replace(network.graph, values={}, outputs=outputs), metadata={KEY: "{}"}
    )
    inputs = [each.facts() for each in data.inputs]
    return with_columns(network, inputs=inputs, tasks=[task.facts() for task in data.tasks])
