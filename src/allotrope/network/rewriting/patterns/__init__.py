"""Operators that exporters take apart, recognized by what they compute; one function a pattern.

Each begins at the node that gives the pattern away, such as Erf, and compares polynomials, so that
it does not matter in which order a file multiplies or adds.
"""

from allotrope.network.rewriting.patterns import (  # noqa: F401 - they fill the table
    activation_patterns,
    attention_pattern,
    normalization_pattern,
    softmax_pattern,
)
