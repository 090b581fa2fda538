"""`doctor`: what this machine has, and the command that installs what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allotrope.wording import counted

NOTABLE = ("AVX-512", "AMX_BF16", "AMX_INT8")
"""Features of x86 processors worth a word where they are missing: matrix work is several times
faster with them."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found, in `json`; printed, it is a line a thing."""

    json: dict[str, Any]

    def __str__(self) -> str:
        machine = self.json["machine"]
        rows = [
            (
                "allotrope",
                f"{self.json['allotrope']} on Python {machine['python']}, {machine['platform']}",
            ),
            ("processor", _processor(machine)),
            ("features", _features(machine["features"])),
            ("accelerator", self.json["accelerator"] or "none that PyTorch sees"),
        ]
        for kind in ("framework", "runtime"):
            rows += [
                (f"{kind} {row['name']}", row["version"] or row["reason"])
                for row in self.json[f"{kind}s"]
            ]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {line}" for name, line in rows)


def doctor() -> Diagnosis:
    """Say what this machine has, and the command that installs each thing that is missing.

    Example: allotrope doctor
    """
    from allotrope import __version__
    from allotrope.frameworks import FRAMEWORKS, missing
    from allotrope.measure.machine import accelerator, machine, version
    from allotrope.runtimes import RUNTIMES, runtime

    frameworks = [
        _row(name, version(package), missing(name)) for name, package in FRAMEWORKS.items()
    ]
    runtimes = [_row(name, runtime(name).version(), runtime(name).available()) for name in RUNTIMES]
    facts = {
        "machine": machine(),
        "accelerator": accelerator(),
        "frameworks": frameworks,
        "runtimes": runtimes,
    }
    return Diagnosis({"allotrope": __version__, **facts})


def _row(name: str, version: str | None, reason: str | None) -> dict[str, str | None]:
    """A framework or runtime that is there, or why it is not."""
    return {"name": name, "version": version if reason is None else None, "reason": reason}


def _processor(machine: dict[str, Any]) -> str:
    memory = ""
    if machine["memory"]:
        memory = f", {machine['memory'] / 2**30:.0f} GiB of memory"
    return f"{machine['cpu']}, {counted(machine['cores'], 'core')}{memory}"


def _features(features: list[str]) -> str:
    lacking = []
    if "AVX2" in features:
        lacking = [name for name in NOTABLE if name not in features]
    present = ", ".join(features) or "none known"
    if not lacking:
        return present
    return f"{present} (not {', not '.join(lacking)})"
