"""Texts as ids of tokens, made by Hugging Face's tokenizers: in training and beside a network.

A delivered predict.py carries this text, so that both make ids in one way. `facts` are what the
network's metadata says of the input: `longest`, `padding`, and perhaps `fixed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

TOKENIZER = "tokenizer.json"
"""How Hugging Face call the file, and how it is called beside a delivered network."""
NO_TOKEN = -1
"""What stands behind the last token of a text; the network's own nodes hide it."""
TEXTS_AT_ONCE = 1000

Ids = list[int]


def opened(file: Path, longest: int) -> Any:
    """The tokenizer in a file, which cuts texts to so many tokens, its own around them included.

    Raises: ImportError without the package, OSError without the file, ValueError if it is none.
    """
    from tokenizers import Tokenizer

    text = file.read_text(encoding="utf-8")
    try:
        tokenizer = Tokenizer.from_str(text)
    except Exception as error:  # noqa: BLE001 - the only class that its errors have
        raise ValueError(f"holds no tokenizer: {error}") from None
    # Its file says at which end texts are cut; padding is ours, so that every batch is as short
    # as it can be.
    direction = (tokenizer.truncation or {}).get("direction", "right")
    tokenizer.enable_truncation(max_length=longest, direction=direction)
    tokenizer.no_padding()
    return tokenizer


def ids_of(tokenizer: Any, texts: Sequence[str], facts: Mapping[str, Any]) -> Iterator[Ids]:
    """The ids of each text, at least one. Raises: ValueError if the tokenizer fails on a text."""
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        part = [plain(text) for text in texts[start : start + TEXTS_AT_ONCE]]
        for one in encodings(tokenizer, part):
            yield one.ids or [facts["padding"]]


def encodings(tokenizer: Any, texts: Sequence[str]) -> Any:
    """What it makes of texts. Raises: ValueError if it fails: no unknown token, a wild pattern."""
    try:
        return tokenizer.encode_batch(texts)
    except BaseException as error:
        # Rust's panics are no Exception; whatever else is none ends the program as it should.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"cannot make tokens of a text: {error}") from None


def side_by_side(rows: Sequence[Ids], facts: Mapping[str, Any]) -> np.ndarray:
    """int32 [n, length]: as long as the longest, or as `longest` says if that is `fixed`."""
    length = max(map(len, rows), default=1)
    if facts.get("fixed"):
        length = facts["longest"]
    whole = np.full((len(rows), length), NO_TOKEN, np.int32)
    for row, ids in zip(whole, rows, strict=True):
        row[: len(ids)] = ids
    return whole


def plain(text: str) -> str:
    """The text without zeros, which end texts elsewhere, and without halves of characters."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
