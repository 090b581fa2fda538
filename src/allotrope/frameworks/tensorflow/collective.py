"""Processes that train together by `tf.distribute`: its servers, and its collective operations."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from allotrope.frameworks.contract import Collective
from allotrope.frameworks.tensorflow.importing import tf

Tensor = Any
GROUP = 1
"""The key of all processes together, of which there is no other group."""


class TensorFlowProcesses(Collective):
    """This process among the workers of a cluster.

    Sums are operations of their own, outside of the strategy's scope, so that steps are traced as
    they are for one process, in Keras too.
    """

    def __init__(self, rank: int, size: int, addresses: Sequence[str]) -> None:
        """Nothing may be computed in this process before."""
        super().__init__(rank, size)
        task = {"type": "worker", "index": rank}
        os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        # It starts the server of this worker, and waits for all others.
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        self._keys = itertools.count(1)

    def sum(self, x: Tensor) -> Tensor:
        @tf.custom_gradient
        def summed(x: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
            return self._summed(x), self._summed

        return summed(x)

    def _summed(self, x: Tensor) -> Tensor:
        # All processes trace the same sums in the same order, so that keys are of the same sums.
        y = tf.raw_ops.CollectiveReduceV2(
            input=tf.identity(x),
            group_size=self.size,
            group_key=GROUP,
            instance_key=next(self._keys),
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            communication_hint="ring",
        )
        return tf.ensure_shape(y, x.shape)
