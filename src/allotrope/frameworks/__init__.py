"""The frameworks, by name. Each is one file, imported when it is first asked for."""

from __future__ import annotations

import functools
import importlib
import importlib.util

from allotrope.errors import MissingDependencyError, unknown_name
from allotrope.frameworks.contract import Framework

FRAMEWORKS = {"reference": "numpy", "pytorch": "torch", "jax": "jax", "tensorflow": "tensorflow"}
"""Each framework and the package that it needs."""


def missing(name: str) -> str | None:
    """Why a framework cannot be used here, with the command that installs it; None where it can."""
    if importlib.util.find_spec(FRAMEWORKS[name]) is not None:
        return None
    return f"{name} is not installed; install it with: pip install 'allotrope[{name}]'"


@functools.cache
def framework(name: str) -> Framework:
    """The framework of this name. Raises: UsageError for an unknown name, MissingDependencyError."""
    if name not in FRAMEWORKS:
        raise unknown_name("framework", name, FRAMEWORKS)
    reason = missing(name)
    if reason is not None:
        raise MissingDependencyError(reason)
    module = importlib.import_module(f"allotrope.frameworks.{name}")
    return module.FRAMEWORK
