"""A tokenizer.json that somebody gave: what it holds, or in one sentence what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allotrope.config import bytes_text
from allotrope.errors import MissingDependencyError, ModelError, UsageError
from allotrope.inputs.text.tokens.token_ids import TOKENIZER, encodings, opened

MOST_BYTES = 256_000_000
"""The largest that are published take 34 MB."""
PADDINGS = ("[PAD]", "<pad>", "<PAD>", "<|pad|>", "<|padding|>", "[pad]")
MASKS = ("[MASK]", "<mask>", "<MASK>", "[mask]")
USUAL_LONGEST = 512
"""Tokens that BERT and most encoders after it take."""
EXPECTED = (
    f"Expected {TOKENIZER} as Hugging Face's tokenizers write it; take the one that was published "
    "with the network."
)


@dataclass(frozen=True)
class TokenizerFile:
    """What a tokenizer says of itself.

    `count` is the highest id and one. `special` are ids that stand for no word. `before` and
    `behind` are the tokens that it puts around each text. `types`: whether it numbers the parts of
    a single text otherwise than by zeros.
    """

    file: Path
    model: str
    count: int
    special: tuple[int, ...]
    before: tuple[str, ...]
    behind: tuple[str, ...]
    types: bool
    longest: int | None
    padding: tuple[int, str] | None
    masking: int | None

    @property
    def added(self) -> int:
        """How many tokens it puts around a text."""
        return len(self.before) + len(self.behind)

    @property
    def described(self) -> str:
        """In words: `WordPiece, 100 tokens; [CLS] before and [SEP] behind each text`."""
        ends = [(self.before, "before"), (self.behind, "behind")]
        said = [f"{' '.join(tokens)} {where}" for tokens, where in ends if tokens]
        around = "nothing put around a text"
        if said:
            around = f"{' and '.join(said)} each text"
        return f"{self.model}, {self.count:,} tokens; {around}"


def read_tokenizer(file: Path) -> TokenizerFile:
    """What the file holds.

    Raises: UsageError without such a file, ModelError if it is none, MissingDependencyError.
    """
    tokenizer = open_tokenizer(file)
    said = _settings(file)
    model = type(tokenizer.model).__name__
    vocabulary: dict[str, int] = tokenizer.get_vocab(with_added_tokens=True)
    if not vocabulary:
        raise ModelError(f"{file}: holds no token at all. {EXPECTED}")
    special = {
        number for number, one in tokenizer.get_added_tokens_decoder().items() if one.special
    }
    try:
        before, behind, types = _around(tokenizer, special)
    except ValueError as error:
        raise ModelError(f"{file}: {error}. {EXPECTED}") from None
    return TokenizerFile(
        file,
        model,
        max(vocabulary.values()) + 1,
        tuple(sorted(special)),
        before,
        behind,
        types,
        said["truncation"].get("max_length"),
        _padding(said["padding"], vocabulary),
        next((vocabulary[name] for name in MASKS if name in vocabulary), None),
    )


def open_tokenizer(file: Path) -> Any:
    """The tokenizer, as far as the file is one. Raises: as `read_tokenizer`."""
    _check(file)
    try:
        return opened(file, USUAL_LONGEST)
    except ImportError:
        raise MissingDependencyError(
            f"{file.name} needs the package tokenizers: pip install 'allotrope[text]'"
        ) from None
    except ValueError as error:
        raise ModelError(f"{file}: {error}. {EXPECTED}") from None
    except BaseException as error:
        # Rust's panics are no Exception; any other such ends the program as it should.
        if type(error).__name__ != "PanicException":
            raise
        raise ModelError(f"{file}: holds no sound tokenizer: {error}. {EXPECTED}") from None


def padding_of(file: Path, asked: str) -> tuple[int, str]:
    """The id and name of a token that was asked for by its name or id. Raises: UsageError."""
    tokenizer = open_tokenizer(file)
    number = tokenizer.token_to_id(asked)
    if number is None and asked.isdecimal() and tokenizer.id_to_token(int(asked)) is not None:
        number = int(asked)
    if number is None:
        raise UsageError(
            f"--padding-token {asked}: {file} has no such token. Name one of its tokens, such as "
            f"{PADDINGS[0]}, or an id from 0 to {tokenizer.get_vocab_size() - 1}."
        )
    return number, tokenizer.id_to_token(number)


def _check(file: Path) -> None:
    """Raises: for what is no file of a tokenizer, before anything of it is trusted."""
    if not file.is_file():
        raise UsageError(f"--tokenizer {file}: there is no such file. {EXPECTED}")
    size = file.stat().st_size
    if not size:
        raise ModelError(f"{file}: is empty (0 bytes). {EXPECTED}")
    if size > MOST_BYTES:
        raise ModelError(
            f"{file}: takes {bytes_text(size)}, more than {bytes_text(MOST_BYTES)}. {EXPECTED}"
        )
    try:
        said = json.loads(file.read_bytes())
    except UnicodeDecodeError:
        raise ModelError(f"{file}: is no JSON in UTF-8. {EXPECTED}") from None
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{file}: is no JSON, or was cut short ({bytes_text(size)}): {error}. {EXPECTED}"
        ) from None
    if not isinstance(said, dict) or not isinstance(said.get("model"), dict):
        holds = f"a {type(said).__name__}"
        if isinstance(said, dict):
            holds = f"an object with {', '.join(map(repr, list(said)[:5])) or 'nothing'}"
        raise ModelError(f"{file}: is no tokenizer: it holds {holds}, and no 'model'. {EXPECTED}")


def _around(tokenizer: Any, special: set[int]) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """The tokens that are put before and behind a text, and whether it has other types than 0."""
    (one,) = encodings(tokenizer, ["a"])
    plain = len(tokenizer.encode("a", add_special_tokens=False).ids)
    before = 0
    while before < len(one.ids) - plain and one.ids[before] in special:
        before += 1
    behind = len(one.ids) - plain - before
    tokens = tuple(one.tokens)
    return tokens[:before], tokens[len(tokens) - behind :], any(one.type_ids)


def _settings(file: Path) -> dict[str, dict[str, Any]]:
    """What the file says of cutting and filling up, which ours took the place of."""
    said = json.loads(file.read_bytes())
    parts = {name: said.get(name) for name in ("truncation", "padding")}
    return {name: part if isinstance(part, dict) else {} for name, part in parts.items()}


def _padding(said: dict[str, Any], vocabulary: dict[str, int]) -> tuple[int, str] | None:
    if isinstance(said.get("pad_id"), int):
        return said["pad_id"], str(said.get("pad_token"))
    return next(((vocabulary[name], name) for name in PADDINGS if name in vocabulary), None)
