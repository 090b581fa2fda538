"""Labelled images from every accepted source, their augmentation, and the batches of a training."""

from __future__ import annotations

from allotrope.data.batches import Batch, Batches
from allotrope.data.images import ImageData, ImageSplit
from allotrope.data.sources import load_images
from allotrope.inputs.contract import Augmentation
from allotrope.inputs.image.augment import augment

__all__ = ["Augmentation", "Batch", "Batches", "ImageData", "ImageSplit", "augment", "load_images"]
