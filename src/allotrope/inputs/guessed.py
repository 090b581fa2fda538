"""What an input of a file that says nothing of it probably takes, by its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allotrope.network.graph import Value

SIDE = 224
"""Side in pixels of a picture whose size is free: what most networks for pictures were trained at.
"""
CHANNELS = (1, 3, 4)
TAKEN = f"pictures, taken as {SIDE}x{SIDE}"
FOUR_AXES = ("pictures", "0..255", "it has four dimensions")
"""What whole numbers of four axes are, their values, and why."""


def usual_sides(inputs: Sequence[Value], lengths: Mapping[str, int]) -> dict[str, int]:
    """Height and width of the only input that has the channels of pictures, first or last.

    `lengths` are those of free axes that are known, by name.
    """
    volumes = [value for value in inputs if len(value.shape or ()) == 4]
    if len(volumes) != 1:
        return {}
    _, *axes = volumes[0].shape or ()
    sizes = [lengths.get(n, n) if isinstance(n, str) else n for n in axes]
    for channels, height, width in ((0, 1, 2), (2, 0, 1)):
        sides = [axes[axis] for axis in (height, width) if isinstance(axes[axis], str)]
        if sizes[channels] in CHANNELS and len(sides) == 2:
            return {str(name): SIDE for name in sides}
    return {}
