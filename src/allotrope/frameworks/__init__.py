"""The frameworks, by name.

Each is a folder with the same file names, imported when it is first asked for.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Iterable

from allotrope.errors import MissingDependencyError, UsageError, unknown_name
from allotrope.frameworks.contract import Framework

FRAMEWORKS = {
    "reference": "numpy",
    "pytorch": "torch",
    "jax": "jax",
    "tensorflow": "tensorflow",
    "keras": "keras",
}
"""Each framework and the package that it needs."""

TRAINING = tuple(name for name in FRAMEWORKS if name != "reference")
"""Those that train; the reference only computes outputs."""


TOGETHER = ("pytorch", "tensorflow", "keras", "jax")
"""Those that train in several processes, Keras unless it runs on JAX."""


def alone(name: str, engine: str | None = None) -> str | None:
    """Why a framework, on its engine, trains in one process only; None if it does not."""
    which = name
    if engine == "jax":
        which = f"{name} on jax"
    if which in TOGETHER:
        return None
    return f"{which} trains in one process only; these in several: {', '.join(TOGETHER)}"


def named(asked: str | Iterable[str] | None) -> tuple[str, ...]:
    """The frameworks that are asked for, also with commas between them; all that train by default.

    Raises: UsageError for one that is unknown or does not train.
    """
    if asked is None:
        return TRAINING
    if isinstance(asked, str):
        asked = (asked,)
    names = tuple(dict.fromkeys(name for word in asked for name in word.split(",") if name))
    for name in names:
        if name not in TRAINING:
            raise unknown_name("framework", name, TRAINING)
    return names or TRAINING


def missing(name: str) -> str | None:
    """Why a framework cannot be used here, with the command that installs it; None if it can."""
    if importlib.util.find_spec(FRAMEWORKS[name]) is None:
        return f"{name} is not installed; install it with: pip install 'allotrope[{name}]'"
    if name == "keras":
        return _missing_engine()
    return None


def _missing_engine() -> str | None:
    """Why Keras, which is there, has nothing to run on."""
    from allotrope.frameworks.keras.keras_engine import ENGINES, engine

    try:
        reason = missing(ENGINES[engine()])
    except UsageError as error:
        return str(error)
    if reason is None:
        return None
    return f"Keras runs on {engine()} here (KERAS_BACKEND says on what), and {reason}"


def check_trains(name: str, missing: Callable[[str], str | None] = missing) -> None:
    """Raises: UsageError for one that does not train; MissingDependencyError if it is missing."""
    if name not in TRAINING:
        raise unknown_name("framework", name, TRAINING)
    reason = missing(name)
    if reason is None:
        return
    others = [f"--framework {other}" for other in TRAINING if missing(other) is None]
    if others:
        reason = f"{reason}. What is there: {', '.join(others)}"
    raise MissingDependencyError(reason)


@functools.cache
def framework(name: str) -> Framework:
    """The framework of this name.

    Raises: UsageError for an unknown name, MissingDependencyError.
    """
    if name not in FRAMEWORKS:
        raise unknown_name("framework", name, FRAMEWORKS)
    reason = missing(name)
    if reason is not None:
        raise MissingDependencyError(reason)
    module = importlib.import_module(f"allotrope.frameworks.{name}.framework")
    return module.FRAMEWORK
