"""The batches of a training: a function of (seed, epoch, step), made ahead by a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from dataclasses import replace

import numpy as np

from allotrope.config import Recipe
from allotrope.data.balanced_order import balanced_labels, balanced_order
from allotrope.data.examples import Data
from allotrope.data.labelled_order import LabelledOrder
from allotrope.data.like_lengths import by_length, cut, lengths_of
from allotrope.data.mixtures import Mixing
from allotrope.data.store.stored_rows import foresee
from allotrope.errors import UsageError
from allotrope.frameworks.contract import Arrays, Batch
from allotrope.inputs.augmentation import WEAK, Augmentation, augmentation_of
from allotrope.tasks.several import encoded, gappy, trained_by

AHEAD = 2
FORESEEN = 4
"""So many batches before one is made the disk is told of its examples, so that nothing waits."""
ORDER, CHANGE, SIDE, CLEAN = range(4)  # which random stream a seed sequence is for


class Batches:
    """Shuffled, augmented batches of the training examples, with encoded targets.

    An incomplete last batch is left out, except that a split smaller than a batch is one batch. If
    the recipe flips, each example is mirrored in every other epoch (the alternating flip of
    cifar10-airbench, Jordan 2024), from a side drawn by seed, all of its pictures alike. Each input
    but the first changes by a stream of its own; all are mixed as one draws it, which can be cut.
    What cannot be mixed as it is the network mixes, told how by further columns (`Mixing`).
    """

    def __init__(self, data: Data, recipe: Recipe, clean: bool = False) -> None:
        """With `clean` ones, batches hold their inputs as light augmentation leaves them too.

        Raises: UsageError for a batch size below 1, an unknown augmentation, or no examples.
        """
        count = len(data.train)
        if recipe.batch_size < 1:
            raise UsageError(f"batch size {recipe.batch_size}: expected at least 1.")
        if not count:
            raise UsageError("there are no examples to make batches of.")
        self.batch_size = min(recipe.batch_size, count)
        self.steps_per_epoch = count // self.batch_size
        self._shared = LabelledOrder.of(
            data.tasks, data.train, recipe.labelled_share, self.batch_size
        )
        if self._shared is not None:
            self.batch_size, self.steps_per_epoch = self._shared.size, self._shared.steps
        self._train = data.train
        self._taught, self._clean = data.taught, clean
        self._inputs = data.inputs
        self._mixing = Mixing(data.inputs, recipe)
        self._tasks = trained_by(data.tasks, recipe, data.train.columns)
        self._gaps = gappy(data.tasks, data.train.columns)
        self._augmentation = augmentation_of(recipe)
        self._seed = recipe.seed
        self._balanced = balanced_labels(recipe.sampling, data.tasks, data.train.columns)
        self._side = self._stream(SIDE).integers(0, 2, count)
        self._lengths = lengths_of(data.inputs, data.train.columns)

    def epoch(self, epoch: int, start: int = 0) -> Generator[Batch, None, None]:
        """The batches of an epoch from step `start` on; leaving the loop early ends the thread."""
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
            while not ready.empty():  # makes room for a put that waits: the thread then sees `stop`
                ready.get_nowait()
            thread.join()

    def order(self, epoch: int) -> np.ndarray:
        """The rows of the training examples in the order of this epoch: [n].

        With balanced sampling some come several times, and others in another epoch. If examples
        have lengths, those of a batch are alike.
        """
        stream = self._stream(ORDER, epoch)
        if self._shared is not None:
            return self._shared.rows(stream)
        if self._balanced is not None:
            rows = balanced_order(self._balanced, stream)
        else:
            rows = stream.permutation(len(self._train))
        if self._lengths is None:
            return rows
        return by_length(rows, self._lengths, self.batch_size, stream)

    @property
    def shapes_at_most(self) -> int:
        """How many shapes batches may have, for each of which a network is compiled."""
        return 1 if self._lengths is None else len(np.unique(self._lengths))

    def alike(self, count: int) -> list[Batch]:
        """Up to so many batches of the first epoch, all of one shape: that in the middle of all.

        What is compiled for one is compiled for all of them.
        """
        # Shapes are known once a batch is made, as augmentation may shorten its examples.
        order = self.order(0)
        first, *others = self._middle_first(order)
        batches = [self.batch(0, first, order)]
        for step in others:
            if len(batches) == count:
                break
            batch = self.batch(0, step, order)
            if shapes(batch) == shapes(batches[0]):
                batches.append(batch)
        return batches

    def _middle_first(self, order: np.ndarray) -> list[int]:
        """The steps of an epoch, those first whose examples are as long as in most steps."""
        steps = np.arange(self.steps_per_epoch)
        if self._lengths is not None:
            whole = order[: len(steps) * self.batch_size]
            longest = self._lengths[whole].reshape(len(steps), -1).max(axis=1)
            middle = np.sort(longest)[len(steps) // 2]
            steps = np.argsort(abs(longest - middle), kind="stable")
        return steps.tolist()

    def batch(self, epoch: int, step: int, order: np.ndarray | None = None) -> Batch:
        """One batch; `order` spares drawing the order of the epoch again."""
        order = self.order(epoch) if order is None else order
        rows = order[step * self.batch_size : (step + 1) * self.batch_size]
        mirrored = (self._side[rows] + epoch) % 2 == 1
        stream = self._stream(CHANGE, epoch, step)
        raw = {each.name: self._train[each.name][rows] for each in self._inputs}
        changed = self._changed(raw, self._augmentation, mirrored, (CHANGE, epoch, step), stream)
        batch = Batch(changed, *self._encoded(rows))
        if self._clean:
            key = (CLEAN, epoch, step)
            weak = replace(WEAK, flip=self._augmentation.flip)
            clean = self._changed(raw, weak, mirrored, key, self._stream(*key))
            batch = replace(batch, clean=clean)
        mixture = self._mixing.drawn(len(rows), stream)
        return batch if mixture is None else self._mixing.mixed(batch, mixture)

    def _changed(
        self,
        raw: Arrays,
        strength: Augmentation,
        mirrored: np.ndarray,
        key: tuple[int, ...],
        stream: np.random.Generator,
    ) -> dict[str, np.ndarray]:
        """What the network takes of examples, changed; `stream` changes the first input."""
        streams = [stream, *(self._stream(*key, n) for n in range(1, len(self._inputs)))]
        changed = {
            each.name: each.augment(raw[each.name], own, strength, mirrored)
            for each, own in zip(self._inputs, streams, strict=True)
        }
        return cut(self._inputs, changed)

    def _encoded(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Targets and weights of training examples, by task."""
        labels = {task.name: self._train[task.name][rows] for task in self._tasks}
        targets, weights = encoded(self._tasks, labels, self._gaps)
        for name, taught in self._taught.items():
            targets[name] = taught.targets[rows]
            if taught.weights is not None:
                weights[name] = taught.weights[rows]
        return targets, weights

    def _foresee(self, order: np.ndarray, step: int) -> None:
        """Tell the disk of a batch, if its examples lie there."""
        rows = order[step * self.batch_size : (step + 1) * self.batch_size]
        foresee([self._train[each.name] for each in self._inputs], rows)

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
            for step in range(start, start + FORESEEN):
                self._foresee(order, step)
            for step in range(start, self.steps_per_epoch):
                self._foresee(order, step + FORESEEN)
                batch = self.batch(epoch, step, order)
                if stop.is_set():
                    return
                ready.put(batch)
        except BaseException as error:  # noqa: BLE001 - raised again, by what takes batches
            ready.put(error)


def shapes(batch: Batch) -> dict[str, tuple[int, ...]]:
    """The shape of each input."""
    return {name: x.shape for name, x in batch.inputs.items()}
