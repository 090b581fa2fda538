"""How texts become tokens for a network from a file, by what it takes and what lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from allotrope.config import DataOptions, Tokenizing
from allotrope.errors import AllotropeError, ModelError, UnsupportedError, UsageError
from allotrope.inputs.text.tokens.token_ids import NO_TOKEN, TOKENIZER
from allotrope.inputs.text.tokens.token_roles import TokenRoles, roles_of, rows_of_table
from allotrope.inputs.text.tokens.tokenizer_file import (
    PADDINGS,
    USUAL_LONGEST,
    TokenizerFile,
    padding_of,
    read_tokenizer,
)
from allotrope.inputs.text.tokens.tokens_input import Tokens
from allotrope.network.network import Network

Report = Callable[[str], None]
TRIED = 8
"""Tokens of the text by which it is found out whether padding changes answers."""
MOST_TRIED = 2048
"""Tokens of the longest text that is tried: its attention takes 0.5 GB in BERT."""
ALIKE = 1e-3
"""How far answers may differ, relative to the largest, if padding is hidden from the network."""


def tokenizing(
    network: Network, options: DataOptions, beside: Path, report: Report
) -> Tokenizing | None:
    """How a network from elsewhere takes texts; None if it takes no tokens.

    `beside` is the folder of its file, where tokenizer.json is looked for. What is guessed is
    reported.

    Raises: UsageError, ModelError, UnsupportedError for what does not fit together.
    """
    file = tokenizer_file(options, beside)
    asked = options.token_inputs
    roles = roles_of(network, asked, file is not None)
    if roles is None:
        _check_unasked(options, network)
        return None
    if file is None:
        raise UsageError(
            f"the network takes ids of tokens ('{roles.ids}'), and there is no {TOKENIZER} beside "
            f"it in {beside}. Put the one there that was published with it, or name it by "
            "--tokenizer FILE."
        )
    return _Fitting(network, roles, read_tokenizer(file), options, report).done()


def tokenizer_file(options: DataOptions, beside: Path) -> Path | None:
    """The tokenizer that was asked for, else the one in the folder, if there is one."""
    if options.tokenizer is not None:
        return options.tokenizer
    file = beside / TOKENIZER
    return file if file.is_file() else None


def again(network: Network, own: Tokens, options: DataOptions, beside: Path) -> Tokenizing:
    """How a network of our own takes texts, which says most of it itself.

    Raises: UsageError for what it cannot be asked for any more, or without its tokenizer;
    ModelError for the tokenizer of another one.
    """
    fixed = {"--padding-token": options.padding_token, "--token-inputs": options.token_inputs}
    asked = [name for name, value in fixed.items() if value is not None]
    if asked:
        raise UsageError(f"{', '.join(asked)}: the network has that inside. Leave it out.")
    longest = options.max_tokens or own.longest
    if longest > own.longest or (own.fixed and longest != own.longest):
        raise UsageError(
            f"--max-tokens is {longest}, and the network takes {own.longest} at the most. Leave it "
            "out."
        )
    file = tokenizer_file(options, beside)
    if file is None:
        raise UsageError(
            f"the network takes ids of tokens ('{own.name}'), and its {TOKENIZER} is gone from "
            f"{beside}. Put it back, or name it by --tokenizer FILE."
        )
    check_vocabulary(read_tokenizer(file), rows_of_table(network, own.name))
    return Tokenizing(file, longest, own.padding, own.fixed, own.special, own.masking)


def check_vocabulary(tokenizer: TokenizerFile, rows: int | None) -> None:
    """Raises: ModelError if it gives ids that a network with a table of so many rows lacks."""
    if rows is not None and tokenizer.count > rows:
        raise ModelError(
            f"{tokenizer.file}: has ids up to {tokenizer.count - 1:,}, and the network looks ids "
            f"up in a table of {rows:,} rows: another network's tokenizer. Expected ids below "
            f"{rows:,}; take the {TOKENIZER} that was published with the network."
        )


def _check_unasked(options: DataOptions, network: Network) -> None:
    """Raises: UsageError for options about tokens if the network takes none."""
    values = {
        "--tokenizer": options.tokenizer,
        "--max-tokens": options.max_tokens,
        "--padding-token": options.padding_token,
    }
    asked = [name for name, value in values.items() if value is not None]
    if asked:
        inputs = ", ".join(f"'{each.name}' {each.dtype}" for each in network.inputs)
        raise UsageError(
            f"{', '.join(asked)}: no input of the network is seen to take ids of tokens; it takes "
            f"{inputs or 'nothing'}. Say by --token-inputs ids=NAME which does, or leave it out."
        )


@dataclass
class _Fitting:
    """A network and a tokenizer, looked at together."""

    network: Network
    roles: TokenRoles
    tokenizer: TokenizerFile
    options: DataOptions
    report: Report

    def done(self) -> Tokenizing:
        """How texts become tokens, once all of it fits."""
        self._check_vocabulary()
        roles, tokenizer = self.roles, self.tokenizer
        if tokenizer.types and roles.types:
            raise UnsupportedError(
                f"{tokenizer.file}: numbers the parts of a single text otherwise than by 0, and "
                f"'{roles.types}' is given zeros. Such tokenizers are not read."
            )
        self.report(
            f"Its inputs take tokens as {roles.in_words}, by their names: --token-inputs says "
            "otherwise."
        )
        self.report(
            f"{tokenizer.file.name} ({tokenizer.described}) makes tokens of texts: --tokenizer "
            "takes another one."
        )
        made = Tokenizing(
            tokenizer.file,
            tokenizer.added + 1,
            self._padding(),
            special=tokenizer.special,
            masking=tokenizer.masking,
            ids=roles.ids,
            mask=roles.mask,
            types=roles.types,
        )
        made = replace(made, longest=self._longest(made))
        return self._filled_up(made)

    def _check_vocabulary(self) -> None:
        """Says if it gives far fewer ids than the network knows. Raises: ModelError for others."""
        rows, count = rows_of_table(self.network, self.roles.ids), self.tokenizer.count
        check_vocabulary(self.tokenizer, rows)
        if rows is not None and 2 * count < rows:
            self.report(
                f"The network knows {rows:,} tokens, and {self.tokenizer.file.name} has {count:,}: "
                "see to it that they belong together."
            )

    def _padding(self) -> int:
        """The id of what fills texts up. Raises: UsageError, ModelError if there is none."""
        asked, tokenizer = self.options.padding_token, self.tokenizer
        if asked is not None:
            return padding_of(tokenizer.file, asked)[0]
        if tokenizer.padding is None:
            raise UsageError(
                f"{tokenizer.file}: has no padding token; expected one of {', '.join(PADDINGS)}, "
                "or 'padding' in the file. Name what fills up short texts by --padding-token, "
                "such as the token that ends a text."
            )
        number, name = tokenizer.padding
        rows = rows_of_table(self.network, self.roles.ids)
        if not 0 <= number < (rows or self.tokenizer.count):
            raise ModelError(
                f"{tokenizer.file}: pads with id {number}, and the network knows ids from 0 to "
                f"{(rows or self.tokenizer.count) - 1}. Name another token by --padding-token."
            )
        self.report(f"Short texts are filled up with {name} ({number}): --padding-token.")
        return number

    def _longest(self, made: Tokenizing) -> int:
        """To how many tokens texts are cut. Raises: UsageError, UnsupportedError."""
        fixed, asked = self._fixed_length(), self.options.max_tokens
        least = self.tokenizer.added + 1
        if asked is not None and asked < least:
            raise UsageError(
                f"--max-tokens is {asked}; with what the tokenizer puts around it a text takes "
                f"{least} at the least."
            )
        if fixed is not None:
            if asked not in (None, fixed):
                raise UsageError(
                    f"--max-tokens is {asked}, and the network takes {fixed} only. Leave it out, "
                    "or export it with a free length."
                )
            self.report(f"Texts are cut or filled up to {fixed} tokens, which the network takes.")
            return fixed
        longest, why = self._asked_longest()
        most = self._computed(made, min(longest, MOST_TRIED))
        # Beyond what is tried the training itself will tell.
        most = longest if most == MOST_TRIED else most
        if most < longest and asked is not None:
            raise UsageError(
                f"--max-tokens is {asked}, and the network computes texts of {most} at the most. "
                f"Ask for --max-tokens {most}, or leave it out."
            )
        if most < longest:
            longest, why = most, "as the network computes no longer ones"
        self.report(f"Texts are cut to {longest} tokens, {why}: --max-tokens.")
        return longest

    def _asked_longest(self) -> tuple[int, str]:
        """To how many tokens texts are to be cut, and why. Raises: ModelError if that is no text.

        A tokenizer may allow far more than is worth its time and memory, which grow by the square.
        """
        asked, said, file = self.options.max_tokens, self.tokenizer.longest, self.tokenizer.file
        least = self.tokenizer.added + 1
        if asked is not None:
            return asked, "as asked for"
        if said is None:
            return USUAL_LONGEST, "as is usual"
        if said < least:
            raise ModelError(
                f"{file}: cuts texts to {said} tokens; with what it puts around it a text takes "
                f"{least} at the least. Say by --max-tokens how many there are to be."
            )
        if said > USUAL_LONGEST:
            return USUAL_LONGEST, f"as is usual, though {file.name} allows {said:,}"
        return said, f"as {file.name} says"

    def _fixed_length(self) -> int | None:
        (taken,) = (each for each in self.network.inputs if each.name == self.roles.ids)
        length = None if taken.shape is None else taken.shape[1]
        return length if isinstance(length, int) else None

    def _computed(self, made: Tokenizing, longest: int) -> int:
        """The longest text that it computes, up to `longest`. Raises: UnsupportedError if none."""
        if self._answers(made, longest) is not None:
            return longest
        least, most = made.longest, longest
        if self._answers(made, least) is None:
            self._refuse(made, least)
        while most - least > 1:
            middle = (least + most) // 2
            if self._answers(made, middle) is None:
                most = middle
            else:
                least = middle
        return least

    def _filled_up(self, made: Tokenizing) -> Tokenizing:
        """With all texts of one length if the network has no other, or sees what fills them up."""
        if self._fixed_length() is not None:
            self._check_computes(made)
            return replace(made, fixed=True)
        count = max(min(TRIED, made.longest // 2), 1)
        alone, padded = (self._answers(made, count, more) for more in (0, made.longest - count))
        if alone is None or padded is None:
            self._refuse(made, count)
        if _alike(alone or {}, padded or {}):
            return made
        self.report(
            f"It answers otherwise if more padding stands behind a text, so all are filled up to "
            f"{made.longest} tokens: --max-tokens makes that fewer."
        )
        return replace(made, fixed=True)

    def _check_computes(self, made: Tokenizing) -> None:
        if self._answers(replace(made, fixed=True), made.longest) is None:
            self._refuse(replace(made, fixed=True), made.longest)

    def _answers(self, made: Tokenizing, count: int, more: int = 0) -> dict[str, np.ndarray] | None:
        """What it gives for so many tokens and `more` padding; None if it cannot compute them."""
        try:
            return self._run(made, count, more)
        except AllotropeError:
            return None

    def _run(self, made: Tokenizing, count: int, more: int = 0) -> dict[str, np.ndarray]:
        ids = (np.arange(count) + self.tokenizer.count // 2) % self.tokenizer.count
        row = np.concatenate([ids, np.full(more, NO_TOKEN)]).astype(np.int32)
        name = "tokens"
        return Tokens.of(name, made).prepare(self.network).run({name: row[None]})

    def _refuse(self, made: Tokenizing, count: int) -> None:
        try:
            self._run(made, count)
        except AllotropeError as error:
            raise UnsupportedError(
                f"the network cannot compute a text of {count} tokens: {error} Do its inputs take "
                f"{self.roles.in_words}? If not, say so by --token-inputs."
            ) from error


def _alike(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Whether outputs of the same shapes have nearly the same values."""
    for name, x in one.items():
        y = other[name]
        if x.shape == y.shape and x.size:
            scale = max(float(np.abs(x).max()), 1e-6)
            if not float(np.abs(x - y).max()) <= ALIKE * scale:
                return False
    return True
