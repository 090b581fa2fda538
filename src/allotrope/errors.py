"""Every error that Allotrope raises on purpose. Each names the thing, what was found, what was expected and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AllotropeError(Exception):
    """Anything that a user can understand and mend; the command line prints it without a traceback."""

    exit_code = 1


class UsageError(AllotropeError):
    """The command or call itself is wrong: an unknown name, a value out of range, options that contradict each other."""

    exit_code = 2


class ModelError(AllotropeError):
    """An ONNX file that is broken, hostile or not what its header says."""


class UnsupportedError(AllotropeError):
    """A sound network that uses something which is not supported here; lists every such operator with its node."""


class DataError(AllotropeError):
    """Data that cannot be read or cannot be learned from."""


class TrainingError(AllotropeError):
    """A training that cannot go on, such as a loss that is not a number."""


class RunFolderError(AllotropeError):
    """A run folder that cannot be made, written or used: read-only, full, or in use by another process."""


class MissingDependencyError(AllotropeError):
    """A framework or runtime that is not installed; carries the command that installs it."""


def unknown_name(kind: str, found: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not one of `known`; suggests the nearest.

    `kind` says what the name is for, such as `network` or `optimizer`.
    """
    names = sorted(known)
    near = difflib.get_close_matches(found, names, n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UsageError(f"unknown {kind} '{found}'.{hint} Known: {', '.join(names)}.")
