"""Weights from a model hub, by name and revision: fetched if the user asks for them, and only then.

A revision has to be named: what a name alone stands for changes without a word.
"""

from __future__ import annotations

import re
from pathlib import Path

from allotrope.errors import MissingDependencyError, ModelError, UsageError

PREFIX = "hub:"
FILE = "model.safetensors"
NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
FORM = "hub:NAME@REVISION, such as hub:timm/resnet18.a1_in1k@main or with a commit for main"


def hub_name(text: str) -> tuple[str, str]:
    """Name and revision of `hub:NAME@REVISION`.

    Raises: UsageError for anything else, and if the revision is missing.
    """
    name, _, revision = text.removeprefix(PREFIX).partition("@")
    if not NAME.fullmatch(name):
        raise UsageError(f"--weights '{text}' names no model of the hub; expected {FORM}.")
    if not revision:
        raise UsageError(
            f"--weights '{text}' names no revision, and what a name stands for may change. Say "
            f"which: {text.removesuffix('@')}@REVISION, a commit or a tag."
        )
    return name, revision


def fetched(text: str, *, endpoint: str | None = None, cache: Path | None = None) -> Path:
    """The safetensors file that `hub:NAME@REVISION` stands for, in the hub's own cache.

    `endpoint` is the hub's address, None for what huggingface_hub takes (HF_ENDPOINT), `cache` the
    folder of its files, None for its own.

    Raises: UsageError, MissingDependencyError, ModelError if it cannot be fetched.
    """
    name, revision = hub_name(text)
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError:
        raise MissingDependencyError(
            "huggingface_hub is not installed. Install it with: pip install 'allotrope[hub]', or "
            "name a file: --weights FILE.safetensors"
        ) from None
    try:
        path = hf_hub_download(name, FILE, revision=revision, endpoint=endpoint, cache_dir=cache)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(
            f"'{FILE}' of '{name}' at revision '{revision}' could not be fetched: {reason} "
            "Fetch it elsewhere, and name the file: --weights FILE.safetensors"
        ) from error
    return Path(path)
