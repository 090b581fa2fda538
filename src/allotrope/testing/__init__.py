"""For testing: any framework as a backend of ONNX's own test suite, and the contracts that a framework and a runtime must fulfil.

The contracts are classes of pytest tests; a test file inherits one and names its subject. Only they need pytest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from allotrope.testing.backend import Prepared, onnx_backend

if TYPE_CHECKING:
    from allotrope.testing.framework_contract import FrameworkContract
    from allotrope.testing.runtime_contract import RuntimeContract

__all__ = ["FrameworkContract", "Prepared", "RuntimeContract", "onnx_backend"]

_CONTRACTS = {"FrameworkContract": "allotrope.testing.framework_contract", "RuntimeContract": "allotrope.testing.runtime_contract"}


def __getattr__(name: str) -> Any:
    """A contract, whose failing assertions pytest then explains. Raises: AttributeError for a name that is not public here."""
    if name not in _CONTRACTS:
        raise AttributeError(f"module 'allotrope.testing' has no attribute '{name}'")
    import pytest

    pytest.register_assert_rewrite(_CONTRACTS[name])
    return getattr(importlib.import_module(_CONTRACTS[name]), name)
