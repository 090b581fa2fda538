"""For testing: a backend of ONNX's own test suite, the contracts, the comparer of `check`.

The contracts are classes of pytest tests; a test file inherits one and names its subject. Only they
need pytest. The comparer holds recorded arrays to expected ones and names what departs first.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from allotrope.measure.agreement.comparer import (
    Comparison,
    Departure,
    compare_gradients,
    compare_losses,
    compare_outputs,
    compare_slopes,
    compare_steps,
)
from allotrope.testing.backend import Prepared, onnx_backend

if TYPE_CHECKING:
    from allotrope.testing.framework_contract import FrameworkContract
    from allotrope.testing.runtime_contract import RuntimeContract
    from allotrope.testing.task_contract import TaskContract

__all__ = [
    "Comparison",
    "Departure",
    "FrameworkContract",
    "Prepared",
    "RuntimeContract",
    "TaskContract",
    "compare_gradients",
    "compare_losses",
    "compare_outputs",
    "compare_slopes",
    "compare_steps",
    "onnx_backend",
]

_CONTRACTS = {
    "FrameworkContract": "allotrope.testing.framework_contract",
    "RuntimeContract": "allotrope.testing.runtime_contract",
    "TaskContract": "allotrope.testing.task_contract",
}


def __getattr__(name: str) -> Any:
    """A contract, whose failing assertions pytest then explains.

    Raises: AttributeError for a name that is not public here.
    """
    if name not in _CONTRACTS:
        raise AttributeError(f"module 'allotrope.testing' has no attribute '{name}'")
    import pytest

    pytest.register_assert_rewrite(_CONTRACTS[name])
    return getattr(importlib.import_module(_CONTRACTS[name]), name)
