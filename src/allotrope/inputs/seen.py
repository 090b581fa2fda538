"""What there is to see of one example, over all of its inputs: a picture as a file, and cells."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from allotrope.inputs.contract import Input

CELLS = 8
"""So many numbers of a row are shown."""
FOLDER = "pictures"


@dataclass(frozen=True)
class Seen:
    """A PNG file, if an input is a picture, and (name, value) of what stands beside it."""

    file: bytes | None
    cells: tuple[tuple[str, str], ...]

    def facts(self, stem: str) -> dict[str, Any]:
        """What run.json says of it, if its file is called so."""
        facts: dict[str, Any] = {}
        if self.cells:
            facts["cells"] = [{"name": name, "value": value} for name, value in self.cells]
        if self.file is not None:
            facts["picture"] = self.path(stem)
        return facts

    @staticmethod
    def path(stem: str) -> str:
        """Where the file is put in the run's folder."""
        return f"{FOLDER}/{stem}.png"


def seen(inputs: Sequence[Input], columns: Mapping[str, np.ndarray], row: int) -> Seen:
    """The example of a row: its pictures beside each other, its texts, the first of its cells."""
    shown = {each.name: each.show(columns[each.name][row]) for each in inputs}
    pictures = [each.picture for each in shown.values() if each.picture is not None]
    texts = [(name, each.text) for name, each in shown.items() if each.text]
    cells = [cell for each in shown.values() for cell in each.cells]
    return Seen(_png(pictures) if pictures else None, tuple((texts + cells)[:CELLS]))


def _png(pictures: Sequence[np.ndarray]) -> bytes:
    """Pictures uint8 [h, w] or [h, w, 3] beside each other; one alone as it is."""
    whole = Image.fromarray(pictures[0])
    if len(pictures) > 1:
        parts = [Image.fromarray(picture).convert("RGB") for picture in pictures]
        size = sum(part.width for part in parts), max(part.height for part in parts)
        whole, left = Image.new("RGB", size), 0
        for part in parts:
            whole.paste(part, (left, 0))
            left += part.width
    file = io.BytesIO()
    whole.save(file, "PNG")
    return file.getvalue()
