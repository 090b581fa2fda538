"""`convert`: a network as a model of one framework, that opens without Allotrope."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from allotrope.config import Repair
from allotrope.errors import MissingDependencyError, UsageError
from allotrope.network.network import Network
from allotrope.option import Option, check_values
from allotrope.storage import sync_folder, writing
from allotrope.verbs.declaring import takes
from allotrope.wording import agreeing

TARGETS = {
    "pytorch": ("torch",),
    "keras": ("keras", "tensorflow"),
    "tensorflow": ("keras", "tensorflow"),
    "jax": ("jax", "flax"),
}
"""Each framework that a network can be converted to, and the packages that the proof needs."""

CONVERT = (
    Option("network", "an ONNX file, or a network."),
    Option("out", "the folder to write, which must be new or empty."),
    Option(
        "to",
        "the framework: pytorch, keras, tensorflow or jax.",
        choices=tuple(TARGETS),
        noun="framework to convert to",
    ),
)


@dataclass(frozen=True)
class Conversion:
    """Where the folder is, what is in it and the figures of the proof, in `json`.

    Printed, a few lines.
    """

    json: dict[str, Any]

    @property
    def folder(self) -> Path:
        """The folder that was written."""
        return Path(self.json["folder"])

    def __str__(self) -> str:
        proof = self.json["proof"]
        worst = max(proof["differences"].values(), default=0.0)
        lines = [f"{self.json['folder']}: {', '.join(self.json['files'])}"]
        lines.append(f"outputs equal the reference's within {worst:.1e} of their largest")
        if proof["loss"]:
            (before, after), learning = proof["loss"], proof["learning"]
            lines.append(
                f"{learning} {agreeing(learning, 'array learns', 'arrays learn')}; one gradient "
                f"step took the loss from {before:.4g} to {after:.4g}"
            )
        return "\n".join(
            [*lines, "proved in a fresh process without Allotrope; README.md says how to open it"]
        )


@takes(CONVERT)
def convert(network: str | Path | Network, out: str | Path, *, to: str) -> Conversion:
    """Write a network as a model of one framework, into a folder that opens without Allotrope.

    Example: allotrope convert model.onnx --to pytorch converted/

    Raises: UsageError for an unknown framework or a folder that is not empty,
        MissingDependencyError, UnsupportedError that lists all nodes without an ordinary form,
        RunFolderError if the folder cannot be written. In each case nothing is written.
    """
    from allotrope.conversion.core.attention import spelled_out
    from allotrope.conversion.core.proof import proof_script, prove
    from allotrope.network.reading.read import load

    check_values(CONVERT, {"to": to})
    _check_installed(to)
    folder = Path(out)
    _check_free(folder)
    # Of these frameworks only PyTorch has a function of ONNX's attention; the others are written as
    # the file spells it out, or as we do.
    whole = to == "pytorch"
    if not isinstance(network, Network):
        network = load(network, repair=Repair() if whole else Repair.without(["attention"]))
    if not whole:
        network = spelled_out(network)
    write: Callable[[Network, Path], None] = import_module(
        f"allotrope.conversion.{to}.target"
    ).write
    with _temporary_beside(folder) as temporary:
        write(network, temporary)
        proof = prove(network, temporary, proof_script(to))
        files = sorted(
            path.relative_to(temporary).as_posix()
            for path in temporary.rglob("*")
            if path.is_file()
        )
        for path in temporary.iterdir():
            path.chmod(path.stat().st_mode | 0o044)
        os.replace(temporary, folder)
        sync_folder(folder.parent)
    figures = {
        "differences": dict(proof.differences),
        "loss": list(proof.loss),
        "learning": proof.learning,
    }
    return Conversion({"to": to, "folder": str(folder), "files": files, "proof": figures})


def _check_installed(to: str) -> None:
    absent = [package for package in TARGETS[to] if find_spec(package) is None]
    if absent:
        if to in ("keras", "tensorflow"):
            extras = "keras,tensorflow"
        else:
            extras = to
        raise MissingDependencyError(
            f"{', '.join(absent)} is not installed, and what is converted to {to} is proved in it; "
            f"install it with: pip install 'allotrope[{extras}]'"
        )


def _check_free(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        problem = "is no folder"
        if folder.is_dir():
            problem = "is not empty"
        raise UsageError(f"'{folder}' {problem}, and nothing is overwritten. Name a new folder.")


@contextmanager
def _temporary_beside(folder: Path) -> Iterator[Path]:
    """A new folder beside the one that is asked for, gone afterwards if it was not renamed.

    Raises: RunFolderError.
    """
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
        try:
            temporary.chmod(0o755)
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
