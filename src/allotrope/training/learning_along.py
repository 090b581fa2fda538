"""Teachers that learn along: what the average of the network's weights says of unlabelled examples.

It is asked about an example as it hardly changes, and its answer is the target of the same example
strongly changed. All unlabelled examples of a batch together count as much as all that have labels,
as in each of the papers.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from allotrope.frameworks.contract import Batch
from allotrope.tasks import Task
from allotrope.tasks.several import joint_loss
from allotrope.training.teach import Answer, Teaching

CERTAIN = 0.95
"""From which probability on FixMatch believes an answer (Sohn et al. 2020, table 4)."""
SLOWNESS = 0.999
"""By what FreeMatch averages what it knows of all answers (Wang et al. 2023, table 6)."""
Floats = NDArray[np.float64]
Memory = MutableMapping[str, np.ndarray]
Believing = Callable[[Floats, Memory], tuple[Floats, Floats]]
"""believing(probabilities [n, k], memory): targets [n, k], and what each counts [n], 0 to 1."""


def mean_teacher(probabilities: Floats, memory: Memory) -> tuple[Floats, Floats]:
    """The answers themselves (Tarvainen and Valpola 2017, https://arxiv.org/abs/1703.01780).

    Compared by cross-entropy, whose slopes by the logits are the difference of probabilities.
    """
    return probabilities, np.ones(len(probabilities))


def fixmatch(probabilities: Floats, memory: Memory) -> tuple[Floats, Floats]:
    """The likeliest class, if it is nearly certain (https://arxiv.org/abs/2001.07685)."""
    return _hard(probabilities), np.asarray(probabilities.max(axis=1) >= CERTAIN, np.float64)


def freematch(probabilities: Floats, memory: Memory) -> tuple[Floats, Floats]:
    """The likeliest class, if it is as sure as answers are on the whole, and to that class.

    The self-adaptive threshold of https://arxiv.org/abs/2205.07246, without the fairness term.
    """
    classes = probabilities.shape[1]
    steps = memory.setdefault("steps", np.zeros(()))
    # What is known of few steps is averaged faster, as averages of weights are.
    slowness = min(SLOWNESS, float((1 + steps) / (10 + steps)))
    memory["steps"] = steps + 1
    sureness = memory.get("sureness", np.full((), 1 / classes))
    shares = memory.get("shares", np.full(classes, 1 / classes))
    sureness = slowness * sureness + (1 - slowness) * probabilities.max(axis=1).mean()
    shares = slowness * shares + (1 - slowness) * probabilities.mean(axis=0)
    memory["sureness"], memory["shares"] = np.asarray(sureness), shares
    thresholds = sureness * shares / shares.max()
    sure = probabilities.max(axis=1) >= thresholds[probabilities.argmax(axis=1)]
    return _hard(probabilities), np.asarray(sure, np.float64)


def _hard(probabilities: Floats) -> Floats:
    return np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]


BELIEVING: dict[str, Believing] = {
    "fixmatch": fixmatch,
    "freematch": freematch,
    "mean-teacher": mean_teacher,
}


def learning_along(method: str, task: Task) -> Teaching:
    """Teaches the one task; what a method remembers is saved with the training."""
    believing, memory = BELIEVING[method], dict[str, np.ndarray]()

    def teach(batch: Batch, answer: Answer) -> Batch:
        probabilities = np.asarray(task.answers(answer(batch.clean)[task.name]), np.float64)
        return with_beliefs(batch, task.name, *believing(probabilities, memory))

    return Teaching(teach, joint_loss, clean=True, memory=memory)


def with_beliefs(batch: Batch, name: str, targets: Floats, belief: Floats) -> Batch:
    """The batch with these targets and weights for the examples that have none of this name."""
    target, weight = batch.targets[name], batch.weights[name]
    unlabelled = weight == 0
    count = int(np.count_nonzero(unlabelled))
    each = (len(weight) - count) / max(count, 1)
    taught = np.where(unlabelled[:, None], targets, target).astype(target.dtype)
    weights = np.where(unlabelled, each * belief, weight).astype(weight.dtype)
    return replace(
        batch,
        targets={**batch.targets, name: taught},
        weights={**batch.weights, name: weights},
        clean={},
    )
