"""How PyTorch makes products of float32 on CUDA devices: exactly, or of rounded numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Within: rounded to TensorFloat-32 (10 bits) for `tensorfloat32`, else as they are.

    Of matrices, convolutions and recurrent layers. By itself PyTorch rounds the latter two.
    """
    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    _say(kinds, ["tf32" if precision == "tensorfloat32" else "ieee"] * len(kinds))
    try:
        yield
    finally:
        _say(kinds, before)


def _say(kinds: tuple[object, ...], precisions: list[str]) -> None:
    for kind, precision in zip(kinds, precisions, strict=True):
        kind.fp32_precision = precision  # type: ignore[attr-defined]
