"""Processes that train together by `jax.distributed`, one device of each.

A step is one program over the devices of all processes. Every array of it counts as the same
everywhere, as weights are; that a process has rows of its own is known to nobody but the step. So
the rows need not be divided evenly, which arrays that JAX itself cuts have to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from allotrope.frameworks.contract import Collective
from allotrope.frameworks.primitives import Array

AXIS = "processes"
PATIENCE = 24 * 3600
"""Seconds that JAX waits for a process. Who leads ends those that wait for one that is gone."""


class JaxProcesses(Collective):
    """This process among those that gathered at HOST:PORT."""

    def __init__(self, rank: int, size: int, address: str, device: str) -> None:
        """Nothing may be computed in this process before."""
        super().__init__(rank, size)
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.distributed.initialize(address, size, rank, heartbeat_timeout_seconds=PATIENCE)
        first = {one.process_index: one for one in reversed(jax.devices(device))}
        self.device = first[rank]
        self._mesh = Mesh(np.array([first[number] for number in range(size)]), (AXIS,))
        self._everywhere = NamedSharding(self._mesh, PartitionSpec())

    def sum(self, x: Array) -> jax.Array:
        return _sum(x)

    def compiled(self, step: Callable[..., Any], donated: Sequence[int]) -> Callable[..., Any]:
        """A step that is made by all processes, of arrays of this one to arrays of this one."""
        over_all = jax.shard_map(
            step,
            mesh=self._mesh,
            in_specs=PartitionSpec(),
            out_specs=PartitionSpec(),
            check_vma=False,
        )
        run = jax.jit(over_all, donate_argnums=tuple(donated))

        def made(*arguments: Any) -> Any:
            results = run(*jax.tree.map(self._among_all, arguments))
            return jax.tree.map(lambda x: x.addressable_data(0), results)

        return made

    def _among_all(self, x: Any) -> Any:
        # As an array a number of Python's would make float64 of the weights that it meets.
        if isinstance(x, float):
            return x
        own = jax.device_put(x, self.device)
        return jax.make_array_from_single_device_arrays(own.shape, self._everywhere, [own])


@jax.custom_vjp
def _sum(x: jax.Array) -> jax.Array:
    return lax.psum(x, AXIS)


def _forward(x: jax.Array) -> tuple[jax.Array, None]:
    return lax.psum(x, AXIS), None


def _backward(_: None, gradient: jax.Array) -> tuple[jax.Array]:
    return (lax.psum(gradient, AXIS),)


_sum.defvjp(_forward, _backward)
