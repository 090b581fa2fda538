"""The worst examples of an account with what there is to see of them, for the report."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from allotrope.inputs.contract import Input

CELLS = 8
"""So many numbers of a row are shown."""
LISTED = ("mistakes", "worst")
"""Where an account lists examples, by `index`."""


def with_examples(
    accounts: Mapping[str, dict[str, Any]], inputs: Sequence[Input], examples: Any
) -> tuple[dict[str, dict[str, Any]], dict[str, bytes]]:
    """The accounts by task, with `file`, `picture` and `cells` in each listed example; and the pictures' files by name.

    `examples` are those that the indices are about.
    """
    files: dict[str, bytes] = {}

    def walked(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        walks = {name: walked(part) for name, part in value.items()}
        for name in LISTED:
            if name in value:
                walks[name] = [_shown(row, inputs, examples, files) for row in value[name]]
        return walks

    return {name: walked(account) for name, account in accounts.items()}, files


def _shown(
    row: Mapping[str, Any], inputs: Sequence[Input], examples: Any, files: dict[str, bytes]
) -> dict[str, Any]:
    """One listed example; its pictures become a file."""
    index = row["index"]
    facts = dict(row)
    if examples.origin is not None:
        facts["file"] = examples.origin[index]
    parts = [each.show(examples.columns[each.name][index]) for each in inputs]
    pictures = [part.picture for part in parts if part.picture is not None]
    if pictures:
        name = f"pictures/mistake-{len(files):02}.png"
        files[name] = _png(pictures)
        facts["picture"] = name
    named = zip(inputs, parts, strict=True)
    texts = [{"name": each.name, "value": part.text} for each, part in named if part.text]
    cells = [{"name": name, "value": value} for part in parts for name, value in part.cells]
    if texts or cells:
        facts["cells"] = [*texts, *cells][:CELLS]
    return facts


def _png(pictures: Sequence[np.ndarray]) -> bytes:
    """Pictures uint8 [h, w] or [h, w, 3] beside each other; one alone as it is."""
    from PIL import Image

    parts = [Image.fromarray(picture) for picture in pictures]
    whole = parts[0]
    if len(parts) > 1:
        whole = Image.new("RGB", (sum(one.width for one in parts), max(one.height for one in parts)))
        left = 0
        for one in parts:
            whole.paste(one.convert("RGB"), (left, 0))
            left += one.width
    file = io.BytesIO()
    whole.save(file, "PNG")
    return file.getvalue()
