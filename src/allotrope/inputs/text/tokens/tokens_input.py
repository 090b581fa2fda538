"""Texts as an input of a network that takes ids of tokens; padding and masks are nodes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from onnx.helper import np_dtype_to_tensor_dtype

from allotrope.config import Tokenizing
from allotrope.errors import ModelError, UsageError
from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.contract import Input, Shown
from allotrope.inputs.text.raw_bytes import rounded_up
from allotrope.inputs.text.text_input import shown_text
from allotrope.inputs.text.tokens.token_changes import changed_tokens
from allotrope.inputs.text.tokens.token_ids import ids_of, opened, side_by_side
from allotrope.network.build import Builder
from allotrope.network.graph import Value
from allotrope.network.network import Network
from allotrope.network.rewriting.chained import chained

SHORTEST = 16
"""Tokens of the shortest of the lengths to which batches are cut."""


@dataclass(frozen=True, kw_only=True)
class Tokens(Input):
    """Ids int32 [n, length] with -1 behind the last token of each text.

    Fields are those of `Tokenizing`; `how` is what made the ids, which no file says.
    `whole_files`: each text was a file.
    """

    kind: ClassVar[str] = "tokens"

    longest: int
    padding: int
    fixed: bool = False
    special: tuple[int, ...] = ()
    masking: int | None = None
    whole_files: bool = False
    how: Tokenizing | None = None

    @classmethod
    def of(cls, name: str, how: Tokenizing) -> Tokens:
        """The input of this name for which texts become tokens so."""
        return cls(
            name=name,
            longest=how.longest,
            padding=how.padding,
            fixed=how.fixed,
            special=how.special,
            masking=how.masking,
            how=how,
        )

    @property
    def texts(self) -> str:
        """What the column is called that keeps the texts themselves."""
        return f"{self.name} (text)"

    def columns(self, texts: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
        """Texts by split as examples of this input, int32 [n, length], all of one length.

        Raises: ModelError if the tokenizer fails on one.
        """
        tokenizer, facts = self._tokenizer(), self.facts()
        try:
            rows = {split: list(ids_of(tokenizer, part, facts)) for split, part in texts.items()}
        except ValueError as error:
            raise ModelError(
                f"{self._made.file}: {error}. Take the one that was published with the network."
            ) from None
        whole = side_by_side([one for part in rows.values() for one in part], facts)
        ends = np.cumsum([len(part) for part in rows.values()])[:-1]
        return dict(zip(rows, np.split(whole, ends), strict=True))

    def facts(self) -> dict[str, Any]:
        """All but what made the ids."""
        facts = super().facts()
        facts.pop("how", None)
        return facts

    def value(self) -> Value:
        """int32 ["n", length], free unless it is fixed."""
        length = self.longest if self.fixed else f"{self.name}.length"
        return Value(self.name, np.dtype(np.int32), ("n", length))

    def augment(
        self,
        x: np.ndarray,
        rng: np.random.Generator,
        strength: Augmentation,
        mirrored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Some tokens left out, masked, or in the place of the next."""
        return changed_tokens(x, self.special, self.masking, rng, strength)

    def lengths(self, x: np.ndarray) -> np.ndarray | None:
        """Tokens, rounded up to one of few numbers; None if all texts are filled up alike."""
        if self.fixed:
            return None
        return rounded_up((x >= 0).sum(1), x.shape[1], SHORTEST)

    def cut(self, x: np.ndarray) -> np.ndarray:
        """The columns up to the end of the longest text, rounded up to one of few numbers."""
        lengths = self.lengths(x)
        if lengths is None:
            return x
        return np.ascontiguousarray(x[:, : int(lengths.max(initial=1))])

    def described(self, x: np.ndarray) -> str:
        """How long the texts are, and how many are as long as what is looked at."""
        lengths = (x >= 0).sum(1)
        text = f"texts of {int(np.median(lengths)):,} tokens (median)"
        full = int(np.count_nonzero(lengths >= self.longest))
        if not full:
            return f"{text}, {int(lengths.max()):,} at the most"
        return f"{text}; {full:,} fill the {self.longest:,} to which texts are cut"

    def prepare(self, network: Network) -> Network:
        """The ids in place of what the network takes of tokens, padded and masked by nodes."""
        how = self._made
        named = {"ids": how.ids, "mask": how.mask, "types": how.types}
        roles = {role: name for role, name in named.items() if name}
        dtypes = {each.name: each.dtype for each in network.inputs}
        lacking = [name for name in roles.values() if name not in dtypes]
        if lacking or "ids" not in roles:
            raise UsageError(f"the network has no input {', '.join(map(repr, lacking)) or 'ids'}.")
        inner = {name: f"{self.name}.{role}" for role, name in roles.items()}
        front = self._front({inner[name]: (role, dtypes[name]) for role, name in roles.items()})
        return chained(front, network.renamed(inner))

    def _front(self, outputs: Mapping[str, tuple[str, np.dtype]]) -> Network:
        """Ids to what a network takes: role and dtype by the name of each output."""
        builder = Builder(self.name)
        ids = builder.input(self.name, np.int32, self.value().shape or ())
        first = builder.constant(np.array(0, np.int32), f"{self.name}.first")
        padding = builder.constant(np.array(self.padding, np.int32), f"{self.name}.padding")
        there = builder.add("GreaterOrEqual", [ids, first], name=f"{self.name}.there")
        made = {
            "ids": builder.add("Where", [there, ids, padding], name=f"{self.name}.padded"),
            "mask": there,
        }
        if any(role == "types" for role, _ in outputs.values()):
            made["types"] = builder.add("Mul", [made["ids"], first], name=f"{self.name}.zeros")
        for name, (role, dtype) in outputs.items():
            attributes = {"to": int(np_dtype_to_tensor_dtype(dtype))}
            builder.output(builder.add("Cast", [made[role]], attributes, name=name))
        return builder.network()

    def read(self, argument: str) -> np.ndarray:
        """The tokens of the argument itself."""
        facts = self.facts()
        return side_by_side(list(ids_of(self._tokenizer(), [argument], facts)), facts)[0]

    def show(self, x: np.ndarray) -> Shown:
        """An excerpt, spelled as its tokens are."""
        ids = x[x >= 0].tolist()
        if self.how is None:
            return Shown(text=shown_text(" ".join(map(str, ids))))
        return Shown(text=shown_text(self._tokenizer().decode(ids)))

    def _tokenizer(self) -> Any:
        file = self._made.file
        return _opened(file, self.longest, file.stat().st_mtime_ns)

    @property
    def _made(self) -> Tokenizing:
        if self.how is None:
            raise UsageError(f"'{self.name}' takes tokens; no tokenizer was given.")
        return self.how


@lru_cache(maxsize=1)
def _opened(file: Path, longest: int, changed: int) -> Any:
    """The tokenizer in a file that has not changed since: a large one takes a second to read."""
    return opened(file, longest)
