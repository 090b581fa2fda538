"""How long the examples are that times are measured with, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from allotrope.wording import counted

Arrays = Mapping[str, np.ndarray]


def cut_in_words(inputs: Arrays, timed: Mapping[int, Arrays]) -> list[str]:
    """How long the examples are that times are measured with, of inputs that were cut."""
    lines = []
    for name, x in inputs.items():
        lengths = {size: arrays[name].shape[1:] for size, arrays in timed.items()}
        if any(shape != x.shape[1:] for shape in lengths.values()):
            places = ", ".join(
                f"{counted(size, 'example')} of {shape[0]}" for size, shape in lengths.items()
            )
            lines.append(f"times are measured with {name} without its padding: {places}")
    return lines
