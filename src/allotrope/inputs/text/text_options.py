"""The options of verbs that are about texts: what a network from elsewhere takes of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

from allotrope.option import ABOVE_0, Option


class TokenOptions(TypedDict, total=False):
    """How texts become tokens for a network from an ONNX file."""

    tokenizer: str | Path | None
    max_tokens: int | None
    padding_token: str | None
    token_inputs: str | None


TOKEN_OPTIONS = (
    Option(
        "tokenizer",
        "the tokenizer.json of an ONNX file that takes ids of tokens; by default the one that lies "
        "beside it.",
        for_file=True,
    ),
    Option(
        "max_tokens",
        "to how many tokens texts are cut for an ONNX file; by default what its tokenizer says, "
        "else 512, or what the network computes.",
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


def tokens_asked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of DataOptions that the arguments of a verb ask for."""
    file = arguments["tokenizer"]
    return {
        "tokenizer": None if file is None else Path(file).expanduser(),
        "max_tokens": arguments["max_tokens"],
        "padding_token": arguments["padding_token"],
        "token_inputs": arguments["token_inputs"],
    }
