"""A delivered network that takes ids of tokens, asked with texts. A predict.py carries this."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.delivery.asked import ArgumentError
from allotrope.delivery.text_lines import read_objects
from allotrope.inputs.text.tokens.token_ids import TOKENIZER, ids_of, opened, side_by_side

Answering = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]


def on_texts(
    columns: Mapping[str, Any], folder: Path, run: Answering
) -> tuple[Mapping[str, Any], Answering]:
    """A network that takes ids as one that takes texts: what its columns are, and what runs it.

    `folder` is where tokenizer.json lies, which is opened only if the network takes ids.

    Raises: ArgumentError if it cannot be opened.
    """
    if all(each["kind"] != "tokens" for each in columns["inputs"]):
        return columns, run
    as_ids = making_ids(columns, folder)
    inputs = [
        {**each, "kind": "text"} if each["kind"] == "tokens" else each for each in columns["inputs"]
    ]
    return {**columns, "inputs": inputs}, lambda texts: run(as_ids(texts))


def making_ids(
    columns: Mapping[str, Any], folder: Path
) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]:
    """What makes int32 [n, tokens] of the texts uint8 [n, bytes] among the inputs of a network.

    Raises: ArgumentError if tokenizer.json is not there or cannot be used; so does what it gives.
    """
    taken = {each["name"]: each for each in columns["inputs"] if each["kind"] == "tokens"}
    made = {name: tokenizer_in(folder, facts) for name, facts in taken.items()}

    def as_ids(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        changed = dict(inputs)
        for name, facts in taken.items():
            texts = [text_in_row(row) for row in inputs[name]]
            try:
                changed[name] = side_by_side(list(ids_of(made[name], texts, facts)), facts)
            except ValueError as error:
                raise ArgumentError(f"{folder / TOKENIZER}: {error}.") from None
        return changed

    return as_ids


def ids_in_lines(columns: Mapping[str, Any], folder: Path, file: Path) -> Iterator[str]:
    """The ids of each text of a .jsonl file, as a list in JSON. Raises: ArgumentError."""
    (facts,) = (each for each in columns["inputs"] if each["kind"] == "tokens")
    name, as_ids = facts["name"], making_ids(columns, folder)
    for one in read_objects(facts, file):
        row = as_ids({name: one.inputs[name][None]})[name][0]
        yield json.dumps(row[row >= 0].tolist())


def tokenizer_in(folder: Path, facts: Mapping[str, Any]) -> Any:
    """The tokenizer beside a network. Raises: ArgumentError."""
    file = folder / TOKENIZER
    try:
        return opened(file, facts["longest"])
    except ImportError:
        raise ArgumentError(
            f"{file} makes ids of texts, which needs the package tokenizers: pip install tokenizers"
        ) from None
    except (OSError, ValueError) as error:
        raise ArgumentError(
            f"{file}: {error}. This network takes ids of tokens: bring back the file that was "
            "delivered with it."
        ) from None


def text_in_row(row: np.ndarray) -> str:
    """The text of UTF-8 bytes uint8 [length], without the zeros at its end."""
    return row.tobytes().rstrip(b"\0").decode("utf-8", "replace")
