"""What reading a source of data says: its notes, and the error that ends it."""

from __future__ import annotations

from typing import Any

import pytest

import allotrope
from allotrope.data.examples import Data
from allotrope.errors import DataError


def notes(data: Data) -> str:
    """All that was said of the data."""
    return "\n".join(data.summary["notes"])


def error_of(source: Any, kind: type[Exception] = DataError, **options: Any) -> str:
    """What is said of a source that cannot be read."""
    with pytest.raises(kind) as caught:
        allotrope.read(source, **options)
    return str(caught.value)
