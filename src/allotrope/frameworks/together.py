"""What a trainer does so that several processes make the step of one, in every framework.

A process computes its rows. The outputs of all are put together, so that each process has the loss
of the whole batch, whichever that is. What is minimized is the mean over the processes of these
equal losses: so gradients that are summed over the processes are those of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allotrope.frameworks.contract import Arrays, Collective
from allotrope.frameworks.primitives import Array
from allotrope.operators.interpret import Program
from allotrope.operators.share import BatchShare, axes_of_examples


def rows_of(total: int, rank: int, size: int) -> tuple[int, int]:
    """Where the rows of a process begin in a batch of `total`, and end; the first have one more.

    Of sizes that differ by one at most.
    """
    least, more = divmod(total, size)
    start = rank * least + min(rank, more)
    return start, start + least + (rank < more)


class Together:
    """How one process's part of a step becomes the step of all; without others it is that."""

    def __init__(self, collective: Collective | None, program: Program) -> None:
        """Raises: UnsupportedError if the program cannot draw the masks of a whole batch."""
        self._collective, self._p = collective, program.p
        self._axes: Mapping[str, int | None] = {}
        outputs = program.graph.outputs
        # An output whose first length is a number is not of examples.
        self._of_examples = {
            value.name
            for value in outputs
            if not value.shape or not isinstance(value.shape[0], int)
        }
        if collective is not None:
            self._axes = axes_of_examples(program.graph)

    def share(self, targets: Arrays) -> BatchShare | None:
        """The rows of this process in a batch with these targets; None if it has all."""
        group = self._collective
        if group is None:
            return None
        total = next(iter(targets.values())).shape[0]
        start, stop = rows_of(total, group.rank, group.size)
        return BatchShare(start, stop - start, total, group.sum, self._axes)

    def whole(self, outputs: Mapping[str, Array], share: BatchShare | None) -> dict[str, Array]:
        """The outputs of all rows: floats alone, as nothing else is learned by."""
        if share is None:
            return dict(outputs)
        joined = dict(outputs)
        for name in sorted(self._of_examples & outputs.keys()):
            if "float" in self._p.dtype(outputs[name]).name:
                joined[name] = share.whole(self._p, outputs[name])
        return joined

    def part(self, loss: Array) -> Array:
        """What this process minimizes, of the loss of all rows."""
        if self._collective is None:
            return loss
        return self._p.divide(loss, self._collective.size)

    def summed(self, gradients: Sequence[Array]) -> list[Array]:
        """Gradients summed over all processes, in one message a dtype."""
        if self._collective is None:
            return list(gradients)
        p, summed = self._p, list(gradients)
        kinds: dict[np.dtype, list[int]] = {}
        for place, gradient in enumerate(gradients):
            kinds.setdefault(p.dtype(gradient), []).append(place)
        for places in kinds.values():
            flat = p.concatenate([p.reshape(gradients[i], (-1,)) for i in places], 0)
            flat, start = self._collective.sum(flat), 0
            for i in places:
                shape = p.shape(gradients[i])
                stop = start + int(np.prod(shape, dtype=int))
                summed[i] = p.reshape(p.slice(flat, (start,), (stop,), (1,)), shape)
                start = stop
        return summed
