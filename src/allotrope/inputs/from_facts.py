"""An input from what a record or a file says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allotrope.inputs.contract import Input
from allotrope.inputs.image.image import Image
from allotrope.inputs.table.table import Table
from allotrope.inputs.text.text_input import Text
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.inputs.volume.volume import Volume
from allotrope.network.columns import of_facts

KINDS: Mapping[str, type[Input]] = {
    kind.kind: kind for kind in (Image, Table, Text, Tokens, Volume)
}


def input_of(facts: Mapping[str, Any]) -> Input:
    """The input that `facts` says, as its `facts()` are.

    Raises: UsageError for an unknown kind, DataError for facts that do not fit the kind.
    """
    return of_facts(facts, KINDS, "input")
