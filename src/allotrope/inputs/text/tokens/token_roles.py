"""Which input of a network takes the ids of tokens, which says where there are any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from allotrope.errors import UsageError
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.lookup import Lookup

IDS, MASK, TYPES = "ids", "mask", "types"
NAMES: Mapping[str, tuple[str, ...]] = {
    IDS: ("input_ids", "token_ids", "input_word_ids", "ids", "tokens"),
    MASK: ("attention_mask", "input_mask", "attn_mask", "mask"),
    TYPES: ("token_type_ids", "segment_ids", "input_type_ids", "type_ids"),
}
"""How exporters call the inputs: ids, 1 for a token and 0 for padding, the number of the text."""


@dataclass(frozen=True)
class TokenRoles:
    """Names of the network's inputs; `types` is given zeros, as there is one text an example."""

    ids: str
    mask: str | None = None
    types: str | None = None

    @property
    def by_role(self) -> dict[str, str]:
        """The inputs that there are."""
        named = {IDS: self.ids, MASK: self.mask, TYPES: self.types}
        return {role: name for role, name in named.items() if name is not None}

    @property
    def in_words(self) -> str:
        """As `--token-inputs` takes them."""
        return ",".join(f"{role}={name}" for role, name in self.by_role.items())


def roles_of(network: Network, asked: str | None, has_tokenizer: bool) -> TokenRoles | None:
    """What its inputs take of tokens; None for a network that takes something else.

    Raises: UsageError if something else was asked for, or an input is left over.
    """
    named = _named(network.inputs)
    if asked is not None:
        named = _asked(asked, network)
    alone = len(network.inputs) == 1 and _may_be_ids(network.inputs[0])
    if IDS not in named and has_tokenizer and alone:
        named = {IDS: network.inputs[0].name}
    if IDS not in named:
        return None
    over = [_in_words(each) for each in network.inputs if each.name not in named.values()]
    if over:
        raise UsageError(
            f"the network takes tokens by {', '.join(named.values())}, and {', '.join(over)} too, "
            f"which no column or tokenizer gives. Say by --token-inputs which of its inputs takes "
            f"what ({_example()}), or export it without."
        )
    return TokenRoles(**named)


def rows_of_table(network: Network, ids: str) -> int | None:
    """How many tokens the network knows: the rows of what ids are looked up in, if that is seen."""
    lookup, reached = Lookup(network.graph, network.weights), [ids]
    for name in reached:
        for node in lookup.users(name):
            # Our own nodes put the id of padding where no token is.
            padded = node.operator == "Where" and node.inputs[1] == name
            if padded or node.operator in ("Cast", "Identity"):
                reached.extend(node.outputs)
            looked_up = node.operator == "Gather" and node.inputs[1] == name
            if looked_up and node.inputs[0] in lookup.arrays and not node.attributes.get("axis"):
                return int(lookup.arrays[node.inputs[0]].shape[0])
    return None


def _named(inputs: Sequence[Value]) -> dict[str, str]:
    """The inputs that are called as usual, by role."""
    there = {each.name.lower(): each.name for each in inputs}
    firsts = {
        role: next((there[name] for name in names if name in there), None)
        for role, names in NAMES.items()
    }
    return {role: name for role, name in firsts.items() if name is not None}


def _asked(asked: str, network: Network) -> dict[str, str]:
    pairs = [part.strip().partition("=") for part in asked.split(",") if part.strip()]
    named = {role.strip(): name.strip() for role, _, name in pairs}
    there = [each.name for each in network.inputs]
    problems = [f"'{role}' is no role" for role in named if role not in NAMES]
    problems += [f"there is no input '{name}'" for name in named.values() if name not in there]
    if IDS not in named:
        problems.append("no input is said to take ids")
    if problems:
        inputs = ", ".join(map(_in_words, network.inputs))
        raise UsageError(
            f"--token-inputs {asked}: {'; '.join(problems)}. The network takes {inputs}; expected "
            f"such as {_example()}."
        )
    return named


def _may_be_ids(value: Value) -> bool:
    whole = value.dtype in (np.dtype(np.int64), np.dtype(np.int32))
    return whole and (value.shape is None or len(value.shape) == 2)


def _example() -> str:
    return "ids=input_ids,mask=attention_mask,types=token_type_ids"


def _in_words(value: Value) -> str:
    return f"'{value.name}' {value.dtype} {list(value.shape or ())}"
