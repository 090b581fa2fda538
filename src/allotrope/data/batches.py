"""The batches of a training: a function of (seed, epoch, step), made one step ahead by a background thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator

import numpy as np

from allotrope.config import Recipe
from allotrope.data.examples import INPUT, TASK, Examples
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Batch
from allotrope.inputs.augmentation import Augmentation, augmentation_of
from allotrope.inputs.image.image import Image

AHEAD = 2
ORDER, CHANGE, SIDE = range(3)  # which random stream a seed sequence is for


class Batches:
    """Shuffled, augmented batches of one split: images uint8 [n, h, w, c] and target float32 [n, k].

    An incomplete last batch is left out, except that a split smaller than a batch is one batch. If
    the recipe flips, each image is flipped in every other epoch (the alternating flip of
    cifar10-airbench, Jordan 2024), from a side drawn by seed.
    """

    def __init__(self, split: Examples, classes: int, recipe: Recipe) -> None:
        """Raises: UsageError for a batch size below 1, an unknown augmentation, or an empty split."""
        if recipe.batch_size < 1:
            raise UsageError(f"batch size {recipe.batch_size}: expected at least 1.")
        if not len(split):
            raise UsageError("there are no images to make batches of.")
        self.batch_size = min(recipe.batch_size, len(split))
        self.steps_per_epoch = len(split) // self.batch_size
        self._split = split
        self._one_hot = np.eye(classes, dtype=np.float32)
        self._augmentation = augmentation_of(recipe)
        self._seed = recipe.seed
        self._side = self._stream(SIDE).integers(0, 2, len(split))

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from step `start` on; leaving the loop early ends the background thread."""
        ready: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
        stop = threading.Event()
        arguments = (ready, stop, epoch, start)
        thread = threading.Thread(target=self._fill, args=arguments, name="batches", daemon=True)
        thread.start()
        try:
            for _ in range(start, self.steps_per_epoch):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            while not ready.empty():  # makes room for a put that waits, so that the thread sees `stop`
                ready.get_nowait()
            thread.join()

    def order(self, epoch: int) -> np.ndarray:
        """The rows of the split in the order of this epoch: [n]."""
        return self._stream(ORDER, epoch).permutation(len(self._split))

    def batch(self, epoch: int, step: int, order: np.ndarray | None = None) -> Batch:
        """One batch; `order` spares drawing the order of the epoch again."""
        order = self.order(epoch) if order is None else order
        rows = order[step * self.batch_size : (step + 1) * self.batch_size]
        flipped = (self._side[rows] + epoch) % 2 == 1
        images, target = self._split.images[rows], self._one_hot[self._split.labels[rows]]
        stream = self._stream(CHANGE, epoch, step)
        images, target = augment(images, target, self._augmentation, stream, flipped)
        return Batch({INPUT: images}, {TASK: target})

    def _stream(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self._seed, spawn_key=key))

    def _fill(
        self,
        ready: queue.Queue[Batch | BaseException],
        stop: threading.Event,
        epoch: int,
        start: int,
    ) -> None:
        try:
            order = self.order(epoch)
            for step in range(start, self.steps_per_epoch):
                batch = self.batch(epoch, step, order)
                if stop.is_set():
                    return
                ready.put(batch)
        except BaseException as error:  # noqa: BLE001 - raised again, with its traceback, by what takes batches
            ready.put(error)


def augment(
    images: np.ndarray,
    target: np.ndarray,
    strength: Augmentation,
    rng: np.random.Generator,
    mirrored: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Augmented images uint8 [n, h, w, c], and the targets float32 [n, k] that they have then."""
    image = Image.of("image", images)
    images = image.augment(images, rng, strength, mirrored)
    mixture = image.draw_mixture(len(images), rng, strength)
    if mixture is None:
        return images, target
    return image.mixed(images, mixture), mixture.blended(target)
