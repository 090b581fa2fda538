"""What a target writes: source files, arrays of weights, and what its README says of operators."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.conversion.core.carried import Carried
from allotrope.conversion.core.carried_text import Written
from allotrope.conversion.core.spelled import Spelled
from allotrope.conversion.core.translation import Translation
from allotrope.errors import UnsupportedError

NOTE = """
## Operators that are spelled out

{target} has no ordinary form of these, or none that is known to be the same here: {names}.

`operators.py` has what they mean, and `model.py` calls it.
They compute the same in training and in inference.
{steered}It needs {packages} too.
"""


@dataclass(frozen=True)
class Sources:
    """Text by file name, and arrays by their keys in the file of weights."""

    files: Mapping[str, str]
    arrays: Mapping[str, np.ndarray]
    note: str = ""

    def write(self, folder: Path, readme: str) -> None:
        """Writes the sources and README.md."""
        for name, text in {**self.files, "README.md": readme + self.note}.items():
            (folder / name).write_text(text, encoding="utf-8")


def translated(
    translate: Callable[[bool, Any], Translation], layers: Callable[..., Any]
) -> Translation:
    """The translation in ordinary forms alone.

    Where there is none, with operators that are spelled out.

    A weight that a layer cannot share with what else uses it stands by itself then.
    """
    try:
        return translate(False, layers())
    except UnsupportedError:
        return spelled(translate, layers)


def spelled(
    translate: Callable[[bool, Any], Translation], layers: Callable[..., Any]
) -> Translation:
    """The translation with operators that are spelled out where they have no ordinary form.

    Raises: UnsupportedError.
    """
    apart: frozenset[str] = frozenset()
    while True:
        made = layers(apart=apart)
        try:
            return translate(True, made)
        except UnsupportedError:
            if made.contested <= apart:
                raise
            apart |= made.contested


def operators_source(target: str, label: str, spelled: Spelled) -> str:
    """The file `operators.py`; empty where nothing is spelled out."""
    if not spelled.operators and not spelled.arrays:
        return ""
    return Written(
        label, Carried(target, frozenset(spelled.operators), frozenset(spelled.hosted))
    ).text


def note(label: str, spelled: Spelled, operators: str, steered: str) -> str:
    """What README.md says of them.

    `steered` is what follows where values steer one, so that they must be known.
    """
    if not operators:
        return ""
    imported = set(re.findall(r"^(?:import|from) (\w+)", operators, re.MULTILINE)) & {
        "ml_dtypes",
        "numpy",
        "PIL",
        "scipy",
    }
    imported |= set(re.findall(r"^ +(?:import|from) (PIL|scipy)\b", operators, re.MULTILINE))
    packages = ", ".join(sorted({"PIL": "pillow"}.get(name, name) for name in imported))
    names = ", ".join(sorted(spelled.operators)) or "none; arrays only pass through it"
    note_of_steered = ""
    if spelled.steered:
        note_of_steered = f"{steered}\n"
    return NOTE.format(target=label, names=names, packages=packages, steered=note_of_steered)
