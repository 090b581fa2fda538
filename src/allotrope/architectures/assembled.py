"""Networks for any mix of inputs and tasks: a trunk an input, features joined, a head a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from allotrope.architectures.asked_style import checked_style
from allotrope.inputs.contract import Input
from allotrope.inputs.table.table import Table
from allotrope.network.network import Network
from allotrope.network.rewriting.joined import Trunk, joined, trunk_of, with_heads
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.zoo.tabular import TableStyle, table_mlp
from allotrope.tasks import Task

MIXED = 128
"""Units of the layer that mixes the features of several inputs before the heads see them."""
ROWS = (64, 64)
"""Units of the layers for a row of numbers."""
OF_TABLES = ["activation", "dropout"]
"""What may be asked for of the layers of a table_mlp."""

Build = Callable[[Input], Network]
"""The network of one input, which takes `x` prepared and ends in a dense layer."""


def assembled(
    inputs: Sequence[Input],
    tasks: Sequence[Task],
    build: Build,
    seed: int,
    style: Mapping[str, Any] | None = None,
) -> Network:
    """A network that takes each input raw and gives each task's raw output, by their names.

    One input has its trunk as it is; the features of several are mixed by a dense layer before the
    heads. `build` makes the network of which a trunk is taken, for kinds that have no other here;
    `style` is what was asked for of the layers for rows.

    Raises: UsageError for a style that rows have no place for.
    """
    trunks = {each.name: _trunk(each, build, seed, style or {}) for each in inputs}
    hidden = MIXED if len(trunks) > 1 else 0
    return with_heads(joined(trunks), {task.name: task.size for task in tasks}, seed, hidden)


def _trunk(each: Input, build: Build, seed: int, style: Mapping[str, Any]) -> Trunk:
    """The trunk of one input, its pre-processing in front."""
    if isinstance(each, Table):
        network = named_after(rows(each, seed, style), [each.name], ["y"])
    else:
        network = build(each)
    prepared = each.prepare(network)
    (output,) = prepared.outputs
    return trunk_of(named_after(prepared, [each.name], [output.name]))


def rows(table: Table, seed: int, asked: Mapping[str, Any]) -> Network:
    """A small table_mlp [n, features] to one number, which no head keeps."""
    own = checked_style("table_mlp", OF_TABLES, dict(asked))
    style = replace(TableStyle(members=1, hidden=ROWS, dropout=0.0), **own)
    flags = table.features - len(table.numbers)
    return table_mlp({"y": 1}, len(table.numbers), flags, style=style, seed=seed)


def reasons(inputs: Sequence[Input], tasks: Sequence[Task], names: Mapping[str, str]) -> list[str]:
    """What was put together, and why; `names` is the network of each input that is not a row."""
    lines = []
    if len(inputs) > 1:
        trunks = ", ".join(
            f"{names.get(each.name, 'dense layers')} for {each.name}" for each in inputs
        )
        lines.append(
            f"A trunk for each input ({trunks}); {MIXED} units mix their features, "
            "so that a head can weigh one by another."
        )
    if len(tasks) > 1:
        heads = ", ".join(f"{task.name} ({task.kind}, {task.size})" for task in tasks)
        lines.append(
            f"One trunk for all tasks, a dense layer for each: {heads}. "
            "What the tasks have in common is computed once."
        )
    return lines
