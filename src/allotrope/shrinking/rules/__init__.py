"""How operators relate the axes of what they take and make: a file a family.

Importing this fills the tables.
"""

from allotrope.shrinking.rules import (  # noqa: F401
    attention,
    convolution,
    counting,
    element_lookups,
    elementwise,
    filling,
    indexing,
    linear,
    normalization,
    padding,
    pooling,
    quantizing,
    recurrent,
    reductions,
    reshaping,
    shaping,
    slicing,
)
