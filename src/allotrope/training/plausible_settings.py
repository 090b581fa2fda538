"""Which settings a training may use here: all of the framework's, less what was fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from allotrope.config import FixedSettings, Settings
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Framework

OPTIONS = {
    "device": "device",
    "precision": "precision",
    "layout": "memory-layout",
    "compiled": "compile",
}
"""The fields of `Settings` that can be fixed, and how a user calls them."""


def plausible(framework: Framework, fixed: FixedSettings) -> list[Settings]:
    """The framework's settings on this machine, in its order, that are as `fixed` says.

    Raises: UsageError if the framework has none such; it lists those that it has.
    """
    every = framework.settings()
    asked = _asked(fixed)
    _check_device(framework, every, asked)
    fitting = [
        settings
        for settings in every
        if all(getattr(settings, field) == value for field, value in asked.items())
    ]
    if not fitting:
        wanted = ", ".join(_option(field, value) for field, value in asked.items())
        there = "; ".join(_options(settings) for settings in every)
        raise UsageError(
            f"{framework.name} has no setting with {wanted}. It has here: {there}. "
            "Leave out what it lacks, and it is raced."
        )
    return [replace(settings, threads=fixed.threads) for settings in fitting]


def fixed_by(settings: Settings) -> FixedSettings:
    """What has to be asked for to get these settings again."""
    return FixedSettings(
        settings.device, settings.precision, settings.layout, settings.compiled, settings.threads
    )


def _asked(fixed: FixedSettings) -> dict[str, object]:
    asked = {
        "device": None if fixed.device == "auto" else fixed.device,
        "precision": fixed.precision,
        "layout": fixed.memory_layout,
        "compiled": fixed.compile,
    }
    return {field: value for field, value in asked.items() if value is not None}


def _check_device(
    framework: Framework, every: Sequence[Settings], asked: dict[str, object]
) -> None:
    devices = dict.fromkeys(settings.device for settings in every)
    if "device" in asked and asked["device"] not in devices:
        raise UsageError(
            f"device '{asked['device']}' is not there for {framework.name}. "
            f"Found: auto, {', '.join(devices)}."
        )


def _options(settings: Settings) -> str:
    return " ".join(_option(field, getattr(settings, field)) for field in OPTIONS)


def _option(field: str, value: object) -> str:
    name = OPTIONS[field]
    if isinstance(value, bool):
        if value:
            return f"--{name}"
        return f"--no-{name}"
    return f"--{name} {value}"
