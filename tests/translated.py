"""Whether a page says in another language what it says in English: every figure, flag and code."""

from __future__ import annotations

import re
from collections import Counter

FENCE = "```"
TOKENS = re.compile(
    r"`[^`]+`"  # code
    r"|\]\([^)]+\)"  # where a link leads
    r"|--[a-z][a-z0-9-]*"  # a flag
    r"|(?<![A-Za-z_\d])[−+-]?\d+(?:,\d{3})*(?:\.\d+)?"  # a number, thousands apart
)


def units(page: str) -> list[str]:
    """What stands in both pages in the same order: rows, points of a list, code, paragraphs."""
    parts: list[str] = []
    fenced = False
    for line in page.splitlines():
        if line.startswith(FENCE):
            fenced = not fenced
        alone = line.startswith(("|", "- ", "#", FENCE, "!["))
        if fenced:
            parts.append(f"{FENCE} {line}")
        elif not line.strip():
            parts.append("")
        elif alone or not parts or not parts[-1] or parts[-1].startswith(("|", "- ", "#", FENCE)):
            parts.append(line)
        else:
            parts[-1] += "\n" + line
    return [part for part in parts if part.strip()]


def told(unit: str) -> Counter[str]:
    """The figures, flags, codes and addresses of a unit, each as often as it stands there."""
    text = unit.replace(".zh-CN.md", ".md")
    if text.startswith(FENCE):
        # Of a line of code all counts but its comment, in which flags and figures stay.
        code, _, comment = text.partition("  #")
        return Counter([code.rstrip(), *TOKENS.findall(comment)])
    return Counter(token.strip("`") for token in TOKENS.findall(text))


def differences(english: str, other: str) -> list[str]:
    """Where the two say different things: a line for each unit; empty if they agree."""
    pairs = units(english), units(other)
    if len(pairs[0]) != len(pairs[1]):
        return [f"{len(pairs[0])} parts in English, {len(pairs[1])} in the other language"]
    return [
        f"{one[:60]!r}: only in English {sorted((told(one) - told(two)).elements())}, "
        f"only in the other {sorted((told(two) - told(one)).elements())}"
        for one, two in zip(*pairs, strict=True)
        if told(one) != told(two)
    ]
