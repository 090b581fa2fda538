"""What networks for photographs do with pictures that are much smaller."""

from __future__ import annotations

import math
from collections.abc import Sequence

PHOTOGRAPH = 64
"""The shorter side, in pixels, from which a picture is taken as the networks' authors take it."""
PLACES = 4
"""How many places a side the last feature map of a smaller picture has at the least."""
LEAST = 8
"""The shortest side that such networks take."""


def strides_for(image: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """The strides of a network from its first layer on, for pictures `image` (c, h, w).

    Of a picture whose shorter side is below `PHOTOGRAPH`, the first ones are left out (1 stands in
    their place) until `PLACES` a side remain. Weights keep their shapes: published ones still load.
    """
    side = min(image[1:], default=PHOTOGRAPH)
    left = list(strides)
    if side >= PHOTOGRAPH:
        return tuple(left)
    for index in range(len(left)):
        if math.ceil(side / math.prod(left)) >= PLACES:
            break
        left[index] = 1
    return tuple(left)
