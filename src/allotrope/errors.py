"""Every error that Allotrope raises on purpose.

Each names the thing, what was found, what was expected and the remedy.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_LONGEST_WORD = 300
_CONTROL = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD},}}")


def printable(text: str) -> str:
    """A text that names from a file may stand in.

    What steers a terminal is written as its code, very long words are cut.
    """
    seen = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    return _LONG_WORD.sub(lambda match: f"{match[0][:200]} … {match[0][-40:]}", seen)


class AllotropeError(Exception):
    """Anything that a user can understand and mend.

    The command line prints it without a traceback.
    """

    exit_code = 1

    about_files = False
    """Whether messages are made of what stands in a file, which may break a line but not ours."""

    def __init__(self, message: str = "") -> None:
        shown = printable(message)
        super().__init__(shown.replace("\n", "\\n") if self.about_files else shown)


class UsageError(AllotropeError):
    """The command or call itself is wrong: an unknown name, a wrong value, options at odds."""

    exit_code = 2


class ModelError(AllotropeError):
    """An ONNX file that is broken, hostile or not what its header says."""

    about_files = True


class NodeError(ModelError):
    """A node that could not be computed from the arrays that it was given.

    Its cause is what the framework raised.
    """


class UnsupportedError(AllotropeError):
    """A sound network that uses something which is not supported here.

    Lists every such operator with its node.
    """

    about_files = True


class DataError(AllotropeError):
    """Data that cannot be read or cannot be learned from."""


class TrainingError(AllotropeError):
    """A training that cannot go on, such as a loss that is not a number."""


class RunFolderError(AllotropeError):
    """A run folder that cannot be made, written or used: read-only, full, or in use elsewhere."""


class ClusterError(AllotropeError):
    """A cluster that cannot compute what it is asked for: gone, or with other versions."""


class StudyError(AllotropeError):
    """A study of `tune` that cannot be used: gone, of another version, or about something else."""


class MissingDependencyError(AllotropeError):
    """A framework or runtime that is not installed; carries the command that installs it."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not one of `known`; suggests the nearest.

    `kind` says what the name is for, such as `network` or `optimizer`.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = ""
    if near:
        hint = f" Did you mean '{near[0]}'?"
    return UsageError(f"unknown {kind} '{name}'.{hint} Known: {', '.join(names)}.")
