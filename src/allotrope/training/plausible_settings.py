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
        raise UsageError(
            f"{_lacking(framework.name, every, asked)}. Leave out what it lacks, and it is raced."
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


def _lacking(name: str, every: Sequence[Settings], asked: dict[str, object]) -> str:
    """Which options the framework does not have, with those it has; or has, but not together."""
    lacks = []
    for field, value in asked.items():
        there = dict.fromkeys(getattr(settings, field) for settings in every)
        if value not in there:
            options = " and ".join(_option(field, one) for one in there)
            lacks.append(f"{name} has no {_option(field, value)} here: it has {options}")
    if lacks:
        return "; ".join(lacks)
    wanted = ", ".join(_option(field, value) for field, value in asked.items())
    settings = "; ".join(_options(each) for each in every)
    return f"{name} has no setting with {wanted} together. It has here: {settings}"


def _options(settings: Settings) -> str:
    return " ".join(_option(field, getattr(settings, field)) for field in OPTIONS)


def _option(field: str, value: object) -> str:
    name = OPTIONS[field]
    if isinstance(value, bool):
        if value:
            return f"--{name}"
        return f"--no-{name}"
    return f"--{name} {value}"
