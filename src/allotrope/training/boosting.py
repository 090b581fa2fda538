"""Gradient-boosted trees on the same rows, which a network for tables is compared with.

They are scikit-learn's HistGradientBoosting, grown for as long as validation rows are answered
better. Codes are numbers to them: trees cut them where they like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from allotrope.data.examples import Data, Examples
from allotrope.data.store.stored_rows import StoredRows
from allotrope.inputs.by_page import pages
from allotrope.inputs.table.table import Table
from allotrope.memory_limit import data_limit
from allotrope.network.network import Network
from allotrope.network.zoo.trees import BoostedTree, boosted_trees
from allotrope.tasks import Task
from allotrope.tasks.means import missing

INNER = "rows"
"""What the trees take: the row, and where its dates stand in the week, the year and the day."""
USUAL_ROUNDS, USUAL_RATE = 100, 0.1
"""scikit-learn's own, where there are too few validation rows to tell when to stop."""
SLOW_RATE = 0.05
"""More and smaller steps are better if there is time for them."""
PATIENCE = 30
"""Rounds without a better answer to validation rows, after which no more trees are grown."""
MOST_ROUNDS = 2000
MOST_WORK = 4e9
"""Rows times columns times trees, of which a core does about 1e8 a second."""
MEMORY_PER_CELL, FEWEST = 16, 1_000
"""Bytes that learning takes for each number, as float64 and in bins; and rows even so."""
FEWEST_JUDGES = 20
"""So many validation rows are needed to tell when to stop."""


@dataclass(frozen=True)
class BoostedTrees:
    """Trees as a network with a raw output for each task, and what it answers to validation rows.

    `validation` are raw outputs float64 [n, size] by task, `rounds` how many were grown for each,
    and `rows` from how many training rows.
    """

    network: Network
    validation: Mapping[str, np.ndarray]
    rounds: Mapping[str, int]
    rows: int


@dataclass(frozen=True)
class Rows:
    """Rows x [n, columns] and the labels [n] of one answer, NaN or below 0 if unknown."""

    x: np.ndarray
    y: np.ndarray

    def known(self) -> Rows:
        """Those with a label."""
        there = ~missing(self.y)
        return self if there.all() else Rows(self.x[there], self.y[there])


def grown(data: Data, tasks: Sequence[Task], seed: int) -> BoostedTrees:
    """Trees for each task of data whose only input is a table.

    They learn from training rows; validation rows tell when to stop. Of rows on disk they learn
    from as many as fit in memory.
    """
    (table,) = data.inputs
    assert isinstance(table, Table)
    train, judges = (fitting(part, table, seed) for part in (data.train, data.validation))
    x = table.with_cycles(train[table.name])
    growth = Growth.of(x, sum(task.size for task in tasks), seed)
    made = {task.name: trees_from(table, train, judges, task, growth) for task in tasks}
    return BoostedTrees(
        table.with_cycles_before(boosted_trees(INNER, x.shape[1], made), INNER),
        {name: answers_of(trees, table, data.validation) for name, trees in made.items()},
        {name: len(trees) for name, (trees, _) in made.items()},
        len(train),
    )


def fitting(part: Examples, table: Table, seed: int) -> Examples:
    """The rows of a split that trees may learn from, in memory.

    All of those that are there already; of rows on disk as many as fit, drawn by seed.
    """
    x: Any = part[table.name]
    if not isinstance(x, StoredRows):
        return part
    most = max(FEWEST, data_limit() // (MEMORY_PER_CELL * len(table.columns)))
    # Drawn from all of them: files are often sorted by the answer, or by time.
    drawn = np.random.default_rng([seed, len(part)]).permutation(len(part))[:most]
    those = part.take(np.sort(drawn))
    return Examples({**those.columns, table.name: those[table.name][:]})


Trees = tuple[list[BoostedTree], list[float]]
"""Trees of a task, and what their sums begin with."""


def trees_from(
    table: Table, train: Examples, validation: Examples, task: Task, growth: Growth
) -> Trees:
    """The trees of one task, that learn from the rows of a table."""
    learned, judges = (
        Rows(table.with_cycles(part[table.name]), part[task.name]) for part in (train, validation)
    )
    return trees_of(task, learned, judges, growth)


def answers_of(trees: Trees, table: Table, part: Examples) -> np.ndarray:
    """What trees answer for all rows of a split, float64 [n, size]."""
    rows = map(table.with_cycles, pages(part[table.name]))
    return np.concatenate([sums(*trees, page) for page in rows])


@dataclass(frozen=True)
class Growth:
    """How many rounds there may be, how far each steps, and the seed of what is drawn."""

    rounds: int
    rate: float
    seed: int

    @classmethod
    def of(cls, x: np.ndarray, answers: int, seed: int) -> Growth:
        """As many rounds as there is time for; rows x [n, columns], a tree a round and answer."""
        rounds = int(MOST_WORK / (x.size * answers + 1))
        rounds = min(max(rounds, USUAL_ROUNDS), MOST_ROUNDS)
        rate = SLOW_RATE if rounds >= MOST_ROUNDS / 4 else USUAL_RATE
        return cls(rounds, rate, seed)

    def fit(self, kind: type[Any], train: Rows, validation: Rows) -> tuple[list[Any], list[float]]:
        """Trees of each round, as far as they serve validation rows, and what they begin with."""
        judges = validation.known()
        if kind.__name__.endswith("Classifier"):
            seen = np.isin(judges.y, train.y)
            judges = Rows(judges.x[seen], judges.y[seen])
        if len(judges.y) < FEWEST_JUDGES:
            model = kind(random_state=self.seed, early_stopping=False).fit(train.x, train.y)
            return model._predictors, np.ravel(model._baseline_prediction).tolist()
        model = kind(
            random_state=self.seed,
            learning_rate=self.rate,
            max_iter=self.rounds,
            # Each branch looks at half of the columns: trees that differ err less together.
            max_features=0.5,
            l2_regularization=5.0,
            early_stopping=True,
            n_iter_no_change=PATIENCE,
            tol=0,
        )
        model.fit(train.x, train.y, X_val=judges.x, y_val=judges.y)
        # Scores begin with that of no tree; what was grown after the best is of no use.
        best = max(int(np.argmax(model.validation_score_)), 1)
        return model._predictors[:best], np.ravel(model._baseline_prediction).tolist()


def sums(trees: Sequence[BoostedTree], start: Sequence[float], x: np.ndarray) -> np.ndarray:
    """What trees answer for rows x [n, columns]: float64 [n, size], `start` and their leaves."""
    total = np.tile(np.asarray(start, np.float64), (len(x), 1))
    rows = np.arange(len(x))
    for tree in trees:
        at = np.zeros(len(x), np.int64)
        # Each turn takes all rows one branch further, until all of them have come to a leaf.
        while tree.branch[at].any():
            number = x[rows, tree.feature[at]]
            at_most = np.where(
                np.isnan(number), tree.missing_left[at] != 0, number <= tree.threshold[at]
            )
            further = np.where(at_most, tree.left[at], tree.right[at])
            at = np.where(tree.branch[at], further, at)
        total[:, tree.target] += tree.value[at]
    return total


def trees_of(
    task: Task, train: Rows, validation: Rows, growth: Growth
) -> tuple[list[BoostedTree], list[float]]:
    """The trees of a task whose sums are its raw output: logits, flags, standardized values."""
    if task.kind == "classification":
        return _classifier(train.known(), validation, task.size, growth)
    kind = _regressor() if task.kind == "regression" else _classifier_kind()
    columns = [_columns(task, rows) for rows in (train, validation)]
    trees, start = [], []
    for place, (own, judges) in enumerate(zip(*columns, strict=True)):
        rounds, first = growth.fit(kind, own.known(), judges)
        trees += [_tree(one[0], place) for one in rounds]
        start += first
    return trees, start


def _columns(task: Task, rows: Rows) -> list[Rows]:
    """The rows with each number of the task's targets, NaN if it is unknown."""
    targets = task.encode(rows.y).targets.astype(np.float64)
    gaps = missing(rows.y).reshape(len(rows.y), -1)
    targets[np.broadcast_to(gaps, targets.shape)] = np.nan
    return [Rows(rows.x, column) for column in targets.T]


def _classifier(
    train: Rows, validation: Rows, classes: int, growth: Growth
) -> tuple[list[BoostedTree], list[float]]:
    """Logits of classes; of two, the first is always 0."""
    rounds, first = growth.fit(_classifier_kind(), train, validation)
    seen = np.unique(train.y).tolist()
    places = seen[1:] if len(seen) == 2 else seen
    # A class that no row has is never answered.
    start = np.zeros(classes) if len(seen) == classes else np.full(classes, -30.0)
    start[seen] = 0
    start[places] = first
    trees = [
        _tree(predictor, place)
        for one in rounds
        for predictor, place in zip(one, places, strict=True)
    ]
    return trees, start.tolist()


def _classifier_kind() -> type[Any]:
    # Only here: scikit-learn takes a second to load.
    from sklearn.ensemble import HistGradientBoostingClassifier

    kind: type[Any] = HistGradientBoostingClassifier
    return kind


def _regressor() -> type[Any]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    kind: type[Any] = HistGradientBoostingRegressor
    return kind


def _tree(predictor: Any, target: int) -> BoostedTree:
    """One tree of scikit-learn's as a network has it."""
    nodes: Mapping[str, np.ndarray] = predictor.nodes
    return BoostedTree(
        target=target,
        branch=nodes["is_leaf"] == 0,
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"],
        left=nodes["left"],
        right=nodes["right"],
        value=nodes["value"],
    )
