"""Processes that tests kill: forks of one that has imported PyTorch and Optuna, once for all."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any


def started(function: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """A process of its own that calls a function of a module; it begins at once.

    The process that is forked has computed nothing and has no threads.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["searched"])
    # It looks for what it imports beforehand only there, and inherits the rest.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    try:
        process = context.Process(target=function, args=arguments, daemon=True)
        process.start()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before
    return process
