"""What is asked before each step of a training: it may change what is learned from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from allotrope.frameworks.contract import Arrays, Batch, Loss
from allotrope.tasks import Task

Answer = Callable[[Arrays], Mapping[str, np.ndarray]]
"""What the network that learns answers so far, by output."""

Teach = Callable[[Batch, Answer], Batch]
"""Gives the batch to learn from, such as one with a teacher's targets beside the labels'."""


@dataclass(frozen=True)
class Teaching:
    """A teacher, and the loss that knows the targets which it adds.

    `loss` makes it of tasks that know their recipe. With `clean` it is shown examples as they
    hardly change, too. `memory` is what it has learned so far, saved with the training.
    """

    teach: Teach
    loss: Callable[[Sequence[Task]], Loss]
    clean: bool = False
    memory: MutableMapping[str, np.ndarray] = field(default_factory=dict)
