"""What a network from a file prescribes of how data is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from allotrope.config import DataOptions
from allotrope.inputs.image.pretrained.sized_options import sized
from allotrope.inputs.text.tokens.prescribed_tokens import tokenizing
from allotrope.network.network import Network


def prescribed(
    network: Network, options: DataOptions, file: Path, beside: Path, report: Callable[[str], None]
) -> DataOptions:
    """The options with what the network in `file` takes alone.

    What follows from its inside is reported. In the folder `beside` it its tokenizer may lie.

    Raises: UsageError if something else was asked for, and for a tokenizer that does not fit.
    """
    tokens = tokenizing(network, options, beside, report)
    if tokens is not None:
        return replace(options, known=replace(options.known, tokens=tokens))
    return sized(network, options, file, report)
