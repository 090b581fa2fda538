"""The picture of `which_framework.py`: how fast each framework trains, against the fastest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from framework_page import TITLES, measured

COLOURS = {"pytorch": "#c8500f", "tensorflow": "#b08900", "keras": "#8c2d82", "jax": "#1f6fb2"}
LEAST = 0.05
"""The smallest share of the fastest that has a place of its own."""
WIDTH, LEFT, RIGHT, ROW, TOP = 760, 200, 30, 34, 46


def picture(results: Mapping[str, Any]) -> str:
    """An SVG: a row a problem, a dot a framework; further to the right is faster in training."""
    problems = [one for one in results["problems"] if measured(one)]
    height = TOP + ROW * len(problems) + 30
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *legend(),
    ]
    for share in (0.05, 0.1, 0.25, 0.5, 1.0):
        lines.append(
            f'<path d="M{across(share):.1f} {TOP - 8}V{height - 24}" stroke="#ddd"/>'
            f'<text x="{across(share):.1f}" y="{height - 8}" fill="#555" text-anchor="middle">'
            f"{share:g}</text>"
        )
    for place, one in enumerate(problems):
        y = TOP + ROW * place + ROW / 2
        lines.append(
            f'<text x="{LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(one["title"])}</text>'
        )
        own = {row["framework"]: row["training"]["examples_per_second"] for row in measured(one)}
        best = max(own.values())
        lines += [dot(key, own[key] / best, y) for key in own]
    return "\n".join([*lines, "</svg>"]) + "\n"


def legend() -> list[str]:
    lines, x = [], LEFT
    for key, colour in COLOURS.items():
        lines.append(f'<circle cx="{x}" cy="18" r="6" fill="{colour}"/>')
        lines.append(f'<text x="{x + 11}" y="22">{TITLES[key]}</text>')
        x += 110
    return lines


def across(share: float) -> float:
    """Where a share of the fastest stands, on a scale of factors."""
    part = math.log(max(share, LEAST) / LEAST) / math.log(1 / LEAST)
    return LEFT + part * (WIDTH - LEFT - RIGHT)


def dot(framework: str, share: float, y: float) -> str:
    colour, title = COLOURS.get(framework, "#333"), TITLES.get(framework, framework)
    return (
        f'<circle cx="{across(share):.1f}" cy="{y:.1f}" r="7" fill="{colour}" fill-opacity="0.85">'
        f"<title>{title}: {share:.2f} of the fastest</title></circle>"
    )
