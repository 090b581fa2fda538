"""`doctor`: what this machine has, and the command that installs what is missing."""

from __future__ import annotations

import importlib.metadata
import sys
from dataclasses import dataclass
from typing import Any

KINDS = ("frameworks", "runtimes")


@dataclass(frozen=True)
class Diagnosis:
    """What was found, in `json`; printed, it is a line a thing."""

    json: dict[str, Any]

    def __str__(self) -> str:
        rows = [("allotrope", self.json["allotrope"]), ("python", self.json["python"]), *_machine_rows(self.json["machine"])]
        rows += [(f"{kind.removesuffix('s')} {row['name']}", _described(row)) for kind in KINDS for row in self.json[kind]]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {line}" for name, line in rows)


def doctor() -> Diagnosis:
    """Say what this machine has: processor, frameworks and runtimes, and the command that installs each that is missing.

    Example: allotrope doctor
    """
    from allotrope import __version__
    from allotrope.measure.machine import describe

    return Diagnosis(
        {
            "allotrope": __version__,
            "python": sys.version.split()[0],
            "machine": describe()["machine"],
            "frameworks": _frameworks(),
            "runtimes": _runtimes(),
        }
    )


def _frameworks() -> list[dict[str, Any]]:
    from allotrope.frameworks import FRAMEWORKS, missing

    rows = []
    for name, package in FRAMEWORKS.items():
        reason = missing(name)
        rows.append({"name": name, "version": importlib.metadata.version(package) if reason is None else None, "reason": reason})
    return rows


def _runtimes() -> list[dict[str, Any]]:
    from allotrope.runtimes import RUNTIMES, runtime

    rows = []
    for name in RUNTIMES:
        found = runtime(name)
        reason = found.available()
        facts = {"version": found.version(), "precisions": list(found.precisions())} if reason is None else {"version": None}
        rows.append({"name": name, **facts, "reason": reason})
    return rows


def _machine_rows(machine: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name, ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)) for name, value in machine.items()]


def _described(row: dict[str, Any]) -> str:
    if row["reason"]:
        return str(row["reason"])
    return f"{row['version']}" + (f" ({', '.join(row['precisions'])})" if "precisions" in row else "")
