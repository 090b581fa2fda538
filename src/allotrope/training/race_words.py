"""What a race of settings says: settings in words, a row for each, why one was chosen."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from allotrope.config import Settings
from allotrope.errors import AllotropeError
from allotrope.training.race_entrant import Entrant

ONE_SETTING = "There was one setting to choose from."
NOT_HELD = "The budget is too short for a race, so the framework's defaults are used."


def described(settings: Settings) -> str:
    """Settings in words: `bfloat16, channels-last, compiled on cpu`."""
    words = [settings.precision]
    if settings.layout != "default":
        words.append(settings.layout)
    if settings.compiled:
        words.append("compiled")
    return f"{', '.join(words)} on {settings.device}"


def why_chosen(chosen: Entrant, defaults: Entrant, rounding: Entrant | None = None) -> str:
    """Why this setting is used, in a sentence; `rounding`: a faster one that is not needed."""
    if rounding is not None:
        faster = chosen.median / rounding.median
        return (
            f"{described(chosen.settings)} is the fastest that does not round, and makes all "
            f"epochs within the budget; {described(rounding.settings)} would be {faster:.2f} times "
            "as fast."
        )
    if chosen is defaults:
        return "The framework's defaults are the fastest, or as fast as the fastest."
    faster = defaults.median / chosen.median
    return (
        f"{described(chosen.settings)} is {faster:.2f} times as fast as the defaults, "
        "and its loss agrees with theirs."
    )


def row_of(entrant: Entrant, chosen: Entrant, size: int) -> dict[str, Any]:
    """What was measured of a setting, with steps of `size` examples."""
    settings = asdict(entrant.settings)
    del settings["threads"]
    return {
        **settings,
        **_timed(entrant.times, size),
        "compile_seconds": entrant.compile_seconds,
        "loss_difference": entrant.difference,
        "agrees": entrant.agrees,
        "chosen": entrant is chosen,
        "reason": entrant.reason or _place(entrant, chosen),
    }


def _timed(times: list[float], size: int) -> dict[str, Any]:
    speed = milliseconds = batch = None
    if times:
        median = float(np.median(times))
        speed, batch = size / median, size
        milliseconds = {"median": 1e3 * median, "p90": 1e3 * float(np.quantile(times, 0.9))}
    return {
        "examples_per_second": speed,
        "milliseconds": milliseconds,
        "batch": batch,
        "rounds": len(times),
    }


def _place(entrant: Entrant, chosen: Entrant) -> str:
    if entrant is chosen:
        return "chosen"
    if entrant.median >= chosen.median:
        return "slower"
    return "faster by too little to leave what is nearer to the defaults"


def first_line(error: Exception) -> str:
    """What an error says, on one line, with its kind unless it is one of ours."""
    text = str(error).strip() or type(error).__name__
    prefix = "" if isinstance(error, AllotropeError) else f"{type(error).__name__}: "
    return (prefix + text.splitlines()[0])[:300]
