"""The worst examples of an account with what there is to see of them, for the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allotrope.inputs.contract import Input
from allotrope.inputs.seen import Seen, seen

LISTED = ("mistakes", "worst")
"""Where an account lists examples, by `index`."""


def with_examples(
    accounts: Mapping[str, dict[str, Any]],
    inputs: Sequence[Input],
    examples: Any,
    called: str = "mistake",
) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """The accounts by task, with `file`, `picture` and `cells` in each listed example.

    And the pictures' files by name.

    `examples` are those that the indices are about, with `columns` and `origin`; `called` is what
    names of files begin with.
    """
    files: dict[str, bytes] = {}

    def walked(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        walks = {name: walked(part) for name, part in value.items()}
        for name in LISTED:
            if name in value:
                walks[name] = [shown(row) for row in value[name]]
        return walks

    def shown(row: Mapping[str, Any]) -> dict[str, Any]:
        index, facts = row["index"], dict(row)
        if examples.origin is not None:
            facts["file"] = examples.origin[index]
        one, stem = seen(inputs, examples.columns, index), f"{called}-{len(files):02}"
        if one.file is not None:
            files[Seen.path(stem)] = one.file
        return facts | one.facts(stem)

    return {name: walked(account) for name, account in accounts.items()}, files


def with_maps(
    rows: Sequence[Mapping[str, Any]],
    files: Sequence[bytes],
    examples: Any,
    number: int,
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The rows with `picture` and `file`, and the files of their maps by name.

    `number` is that of the first file.
    """
    named = {}
    listed = []
    for place, (row, file) in enumerate(zip(rows, files, strict=True), number):
        name = Seen.path(f"saliency-{place:02}")
        named[name] = file
        facts = {**row, "picture": name}
        if examples.origin is not None:
            facts["file"] = examples.origin[row["index"]]
        listed.append(facts)
    return listed, named
