"""The tokenizer of a network beside it, and whether both ways of making ids give the same."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allotrope.errors import ModelError
from allotrope.inputs.contract import Input
from allotrope.inputs.text.tokens.token_ids import TOKENIZER, Ids
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.storage import replace_file

COMPARED = 10_000
"""So many texts are tokenized again by the program that is delivered."""
LISTED = 3


def keep_tokenizer(inputs: Sequence[Input], folder: Path) -> None:
    """Puts the file that makes tokens of texts into a run's folder, if there is one."""
    for each in inputs:
        if isinstance(each, Tokens) and each.how is not None:
            file = folder / TOKENIZER
            if not file.is_file():
                replace_file(file, each.how.file.read_bytes())


@dataclass(frozen=True)
class SameIds:
    """How many texts were compared, and the places of those whose ids differ."""

    compared: int
    differing: tuple[int, ...]

    def __str__(self) -> str:
        if not self.differing:
            return (
                f"predict.py, in a process of its own, makes the ids of all {self.compared:,} "
                "texts that were compared as training did"
            )
        return (
            f"predict.py makes other ids than training did of {len(self.differing):,} of "
            f"{self.compared:,} texts"
        )


def check_same_ids(
    inputs: Sequence[Input], splits: Mapping[str, Mapping[str, np.ndarray]], delivered: Path
) -> SameIds | None:
    """Whether a delivered predict.py makes the ids that training took; None without a text alone.

    `splits` are columns by split, of which each has its share of up to COMPARED texts.

    Raises: ModelError if it makes others, or none at all.
    """
    if len(inputs) != 1 or not isinstance(inputs[0], Tokens):
        return None
    tokens = inputs[0]
    total = sum(len(columns[tokens.name]) for columns in splits.values())
    step = -(-total // COMPARED)
    texts, trained = list[str](), list[Ids]()
    for columns in splits.values():
        texts += columns[tokens.texts][::step].tolist()
        trained += [row[row >= 0].tolist() for row in columns[tokens.name][::step]]
    same = compared_ids(tokens.name, texts, trained, delivered)
    if same.differing:
        listed = ", ".join(repr(texts[place][:60]) for place in same.differing[:LISTED])
        raise ModelError(
            f"{same}: {listed}. {delivered / TOKENIZER} is not the file that training used, or "
            "another version of the package tokenizers reads it. Fit again with one of both."
        )
    return same


def compared_ids(
    name: str, texts: Sequence[str], trained: Sequence[Ids], delivered: Path
) -> SameIds:
    """The ids of training beside those that a delivered predict.py makes of the same texts.

    Raises: ModelError if it makes none.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "texts.jsonl"
        lines = [json.dumps({name: text}) for text in texts]
        file.write_text("\n".join(lines), encoding="utf-8")
        program = [sys.executable, str(delivered / "predict.py"), "--tokens", str(file)]
        done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError(f"{program[1]} makes no ids of texts: {done.stderr.strip()[-500:]}")
    made = [json.loads(line) for line in done.stdout.splitlines()]
    if len(made) != len(trained):
        raise ModelError(f"{program[1]} makes ids of {len(made)} of {len(trained)} texts.")
    pairs = enumerate(zip(made, trained, strict=True))
    return SameIds(len(made), tuple(place for place, (one, other) in pairs if one != other))
