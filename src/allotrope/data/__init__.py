"""Labelled images from every accepted source, their augmentation, and the batches of a training."""

from __future__ import annotations

from allotrope.data.batches import Batches
from allotrope.data.images import ImageData, ImageSplit
from allotrope.data.sources import load_images

__all__ = ["Batches", "ImageData", "ImageSplit", "load_images"]
