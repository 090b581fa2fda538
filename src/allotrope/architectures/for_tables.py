"""Network and recipe for rows of a table alone: sizes by the number of rows, with the reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from allotrope.architectures.asked_recipe import with_asked
from allotrope.architectures.asked_style import checked_style, style_of
from allotrope.architectures.assembled import OF_TABLES
from allotrope.architectures.augmenting import what_acts
from allotrope.architectures.chosen import Choice, losses_of, with_task_weights
from allotrope.config import Recipe
from allotrope.data.examples import Data
from allotrope.errors import UsageError
from allotrope.inputs.table.table import Table
from allotrope.network.network import Network
from allotrope.network.rewriting.named_after import named_after
from allotrope.network.summary import size_in_words
from allotrope.network.zoo.tabular import FEW_VALUES, TableStyle, quantile_edges, table_mlp

NAME = "table_mlp"
FEW = 3_000
"""Fewer training rows than this are few: small members without pieces, many short epochs."""
PIECES = 6_000
"""Pieces of all numbers together, at the most: a first layer for them of a few million weights."""
LEAST_PIECES = 4
"""Numbers that would have fewer pieces each go without."""
MANY_STYLE = TableStyle(activation="mish", dropout=0.45)
"""Mish, dropout and decay by the loss on folds of adult's training rows: 0.274 and 0.282 on two of
them, where ReLU with a dropout of 0.35 and a decay of 0.01 came to 0.276 and 0.284."""
FEW_STYLE = TableStyle(hidden=(64, 64), pieces=0, dropout=0.3)
QUANTITY_DROPOUT, QUANTITY_RATE, QUANTITY_DECAY = 0.15, 4e-3, 0.01
"""Dropout, learning rate and decay for a quantity: what is dropped makes it noisy, where it makes a
class only less certain. In trials on one split each California housing was 2 % worse with a dropout
of 0.25 than with 0.1, and adult had AUC 0.9204 with 0.15, 0.9260 with 0.35."""
MANY_RECIPE = Recipe(
    optimizer="adamw",
    learning_rate=3e-3,
    momentum=0.9,
    beta2=0.99,
    weight_decay=0.05,
    schedule="one-cycle",
    warmup=0.1,
    average=0.99,
    augmentation="none",
    batch_size=256,
)
"""No smoothing of labels, which would cost the probabilities their calibration."""
FEW_RECIPE = replace(MANY_RECIPE, average=0.98, batch_size=64)
TABLE_DROP, TABLE_WORSE = 0.1, 0.5
"""Points of the metric that speed may cost, and per cent of the loss: every form answers a row in
less than a millisecond, so that more would be a bad bargain. Among a few thousand validation rows a
difference of 0.3 points of accuracy is chance, while the loss tells forms apart."""
SEEN = 600_000
"""So many rows are seen in all, but each 15 to 40 times: what is more is learned by heart."""


def is_table(data: Data) -> bool:
    """Whether the only input is a table."""
    return [type(each) for each in data.inputs] == [Table]


def choose_for_table(
    data: Data,
    name: str,
    overrides: Mapping[str, Any],
    budget: float | None,
    epochs: float | None,
    seed: int,
    shape: Mapping[str, Any] | None = None,
) -> Choice:
    """A table_mlp that suits the number of rows, and how it is trained.

    `shape` are fields of its style that are asked for.

    Raises: UsageError for a network that takes no tables.
    """
    if name not in ("auto", NAME):
        raise UsageError(
            f"network '{name}' takes pictures and the data is a table. Known for tables: {NAME}, "
            "or auto."
        )
    few = len(data.train) < FEW
    style, recipe = (FEW_STYLE, FEW_RECIPE) if few else (MANY_STYLE, MANY_RECIPE)
    if any(task.kind == "regression" for task in data.tasks):
        # Smooth as a quantity is; RealMLP takes Mish for the same reason.
        style = replace(style, activation="mish", dropout=QUANTITY_DROPOUT)
        decay = FEW_RECIPE.weight_decay if few else QUANTITY_DECAY
        recipe = replace(recipe, learning_rate=QUANTITY_RATE, weight_decay=decay)
    style = replace(style, **checked_style(NAME, OF_TABLES, style_of(overrides)))
    style = replace(style, **(shape or {}))
    network = _network(data, style, seed)
    reasons = _reasons(data, style, few, network)
    usual_epochs = float(min(max(SEEN // len(data.train), 15), 40))
    recipe = _timed(replace(recipe, epochs=usual_epochs), budget, epochs, reasons)
    # Fewer rows fill fewer steps of an epoch: 16 to 256 of them, twice the root of all.
    batch = min(max(2 ** round(math.log2(2 * math.sqrt(len(data.train)))), 16), recipe.batch_size)
    usual = {"seed": seed, "loss": losses_of(data.tasks), "batch_size": batch}
    recipe = with_asked(replace(recipe, **usual), overrides, reasons)
    reasons += what_acts(data.inputs, recipe, overrides)
    network = with_task_weights(network, recipe, data.tasks, reasons)
    return Choice(NAME, {**asdict(style), "seed": seed}, network, recipe, reasons)


def _network(data: Data, style: TableStyle, seed: int) -> Network:
    (table,) = data.inputs
    assert isinstance(table, Table)
    numbers, sizes = len(table.numbers), {task.name: task.size for task in data.tasks}
    edges: list[np.ndarray] = []
    most = PIECES // max(numbers, 1)
    if style.pieces and numbers and most >= LEAST_PIECES:
        seen = table.numbers_seen(data.train[table.name])
        edges = quantile_edges(seen, min(style.pieces, most), min(FEW_VALUES, most))
    network = table_mlp(sizes, numbers, table.features - numbers, edges, style, seed)
    outputs = [value.name for value in network.outputs]
    return table.prepare(named_after(network, [table.name], outputs))


def _timed(
    recipe: Recipe, budget: float | None, epochs: float | None, reasons: list[str]
) -> Recipe:
    """The recipe with the epochs that were asked for; else its own, within a budget if there is."""
    if epochs is not None:
        return replace(recipe, epochs=epochs, budget=budget)
    within = "" if budget is None else f", or what fits into {budget:g} s"
    reasons.append(f"{recipe.epochs:g} epochs{within}: more teach a network of this size nothing.")
    return replace(recipe, budget=budget)


def _reasons(data: Data, style: TableStyle, few: bool, network: Network) -> list[str]:
    rows = f"{len(data.train):,} rows are few" if few else f"there are {len(data.train):,} rows"
    embedded = "numbers as they are"
    if style.pieces:
        embedded = f"numbers in up to {style.pieces} pieces each"
    hidden = " and ".join(map(str, style.hidden))
    return [
        f"{NAME}, because there are rows of a table and nothing else: {embedded}, "
        f"{style.members} members of {hidden} units each, because {rows}.",
        size_in_words(NAME, network),
    ]
