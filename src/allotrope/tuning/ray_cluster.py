"""A Ray cluster as tune uses it: so many things are computed at once, each by a process of its own.

All that is known of Ray is here.
"""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Callable
from typing import Any

from allotrope.errors import ClusterError, MissingDependencyError, UsageError
from allotrope.process.link import host_and_port

LOCAL = "local"
"""The address for a cluster of this machine alone, which ends with the search."""
SOON = 10.0
"""Seconds in which a cluster has to answer."""


def check_cluster_installed() -> None:
    """Raises: MissingDependencyError with the command that installs what is missing."""
    if importlib.util.find_spec("ray") is None:
        raise MissingDependencyError(
            "ray is not installed, with which --cluster runs trials. Install it with: "
            "pip install 'allotrope[cluster]'"
        )


class RayCluster:
    """Connected until it is closed; `slots` is how many trainings it makes at once."""

    def __init__(self, address: str, threads: int) -> None:
        """Each training has so many processor threads.

        Raises: UsageError if no cluster answers at the address, or has too few processors.
        """
        self._threads, self._address = threads, address
        self._ray = _connected(address)
        self.slots = int(self._ray.cluster_resources().get("CPU", 0)) // threads
        if self.slots < 1:
            self.close()
            raise UsageError(
                f"the cluster at {address} has fewer than {threads} processors, which a training "
                "takes. Ask for fewer --threads."
            )

    def shared(self, value: Any) -> Any:
        """What stands for a value that is sent to each node once."""
        return self._ray.put(value)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function gives, on some node; it is run again if that goes away.

        Raises: ClusterError if it cannot be run.
        """
        away = self._ray.remote(num_cpus=self._threads, max_retries=3)(function)
        try:
            return self._ray.get(away.remote(*arguments))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines() or [type(error).__name__]
            raise ClusterError(
                f"the cluster at {self._address} could not train: {first[-1]}"
            ) from error

    def close(self) -> None:
        """Leaves the cluster; one of this machine alone ends."""
        self._ray.shutdown()


def _connected(address: str) -> Any:
    """Ray, connected. Raises: UsageError."""
    # Ray ends the whole process where nobody answers.
    _check_answers(address)
    # Else it speaks of a change of its own each time.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    options: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address == LOCAL:
        options |= {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0))}
    else:
        options["address"] = address
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _unusable(address, error) from error
    return ray


def _check_answers(address: str) -> None:
    """Raises: UsageError if nobody listens at HOST:PORT or ray://HOST:PORT."""
    place = address.removeprefix("ray://")
    if ":" not in place:
        return
    try:
        socket.create_connection(host_and_port(place), SOON).close()
    except (OSError, ValueError) as error:
        raise _unusable(address, error) from error


def _unusable(address: str, error: Exception) -> UsageError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return UsageError(
        f"no Ray cluster can be used at {address}: {first}. Start one with `ray start --head`, of "
        "the same versions of Python and Ray, or take --cluster local."
    )
