"""`compare` that measures speeds briefly, of races whose speeds nobody reads."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from allotrope import cli
from allotrope.verbs.compare import compare as whole_compare
from allotrope.verbs.compare import compare_in
from allotrope.verbs.compared import ComparedRun
from quick import BRIEF


@functools.wraps(whole_compare)
def compare(*arguments: Any, **options: Any) -> ComparedRun:
    """`allotrope.compare` with short rounds."""
    bound = inspect.signature(whole_compare).bind(*arguments, **options)
    bound.apply_defaults()
    return compare_in(bound.arguments, BRIEF)


def main(words: list[str]) -> int:
    """A command line of `compare`."""
    return cli.main(words, {**cli.VERBS, "compare": (compare, "Race.")})
