"""Examples from every accepted source, and the batches of a training."""

from __future__ import annotations

from allotrope.data.batches import Batches
from allotrope.data.examples import SPLITS, Data, Examples
from allotrope.data.reader import read_data

__all__ = ["SPLITS", "Batches", "Data", "Examples", "read_data"]
