"""The options of verbs that are about texts: tokens of a network from elsewhere, synonyms."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from allotrope.option import ABOVE_0, BELOW_1, Option


class TokenOptions(TypedDict, total=False):
    """How texts become tokens for a network from an ONNX file."""

    tokenizer: str | Path | None
    max_tokens: int | None
    padding_token: str | None
    token_inputs: str | None


class SynonymOptions(TypedDict, total=False):
    """Which words training may put for each other."""

    synonyms: str | Path | None
    synonym_rate: float | None


TOKEN_OPTIONS = (
    Option(
        "tokenizer",
        "the tokenizer.json of an ONNX file that takes ids of tokens; by default the one that lies "
        "beside it.",
        for_file=True,
    ),
    Option(
        "max_tokens",
        "to how many tokens texts are cut for an ONNX file; by default what its tokenizer says up "
        "to 512, or what the network computes.",
        range=ABOVE_0,
        for_file=True,
    ),
    Option(
        "padding_token",
        "the token, or its id, that fills up short texts for an ONNX file; by default what its "
        "tokenizer says.",
        for_file=True,
    ),
    Option(
        "token_inputs",
        "which inputs of an ONNX file take tokens, such as ids=input_ids,mask=attention_mask,"
        "types=token_type_ids; by default by their usual names.",
        for_file=True,
    ),
)


SYNONYM_OPTIONS = (
    Option(
        "synonyms",
        "a file of words that mean the same, a line each group, with commas or tabs between them; "
        "training puts some in the place of others.",
    ),
    Option(
        "synonym_rate",
        "the fraction of the words with synonyms that training replaces; by default 0.1.",
        range=BELOW_1,
        recipe=True,
    ),
)


def text_reading(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of DataOptions that the arguments of a verb ask for; not each has synonyms."""
    files = {name: arguments.get(name) for name in ("tokenizer", "synonyms")}
    paths = {name: Path(file).expanduser() for name, file in files.items() if file is not None}
    return {
        **paths,
        "max_tokens": arguments["max_tokens"],
        "padding_token": arguments["padding_token"],
        "token_inputs": arguments["token_inputs"],
    }
