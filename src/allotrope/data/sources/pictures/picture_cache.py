"""Keeps decoded pictures on disk, so that a folder is decoded once.

A cache that cannot be used is said, never fatal.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from allotrope.errors import DataError

FORMAT = 2


def cache_folder() -> Path:
    """`$ALLOTROPE_CACHE`, or `~/.cache/allotrope`.

    Raises: DataError where there is no home folder.
    """
    try:
        return Path(os.environ.get("ALLOTROPE_CACHE") or "~/.cache/allotrope").expanduser()
    except RuntimeError:
        raise DataError(
            "there is no home folder to cache decoded pictures in. Set ALLOTROPE_CACHE to a "
            "folder for them."
        ) from None


def cache_file(root: Path, files: Iterable[Path], *options: object) -> Path:
    """The cache file of these pictures.

    It is named by a hash of every path, its times and size, and of `options` such as the size.
    """
    key = hashlib.blake2b(repr((FORMAT, str(root.resolve()), options)).encode(), digest_size=16)
    for path in files:
        key.update(os.fsencode(path.relative_to(root)) + repr(_state(path)).encode())
    return cache_folder() / f"pictures-{key.hexdigest()}.npz"


def _state(path: Path) -> tuple[int, ...]:
    if not path.exists():  # a link that leads nowhere
        return ()
    status = path.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


def load_cache(
    path: Path, report: Callable[[str], None]
) -> tuple[np.ndarray, dict[str, Any]] | None:
    """Pixels and facts as they were stored.

    None where there are none, or (said) where they are damaged: each array has a checksum.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            facts = json.loads(bytes(stored["facts"]))
            pixels = stored["pixels"]
            if pixels.dtype != np.uint8 or pixels.ndim != 4 or not isinstance(facts, dict):
                raise ValueError(f"unexpected contents {pixels.dtype} {pixels.shape}")
            return pixels, facts
    except (FileNotFoundError, NotADirectoryError):
        return None
    # On a broken file zipfile and numpy may raise anything.
    except Exception as error:  # noqa: BLE001
        report(f"the cache {path} cannot be used ({error}); decoding the pictures again")
        return None


def store_cache(
    path: Path, pixels: np.ndarray, facts: dict[str, Any], report: Callable[[str], None]
) -> None:
    """Stores pixels [n, h, w, c] and facts under a temporary name, then renames.

    Says where it cannot.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=".unfinished-", suffix=".npz", delete=False
        ) as file:
            temporary = Path(file.name)
            np.savez(file, pixels=pixels, facts=np.frombuffer(json.dumps(facts).encode(), np.uint8))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        report(
            f"decoded pictures are not cached: {error}. Set ALLOTROPE_CACHE to a folder with room "
            "that may be written."
        )
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
