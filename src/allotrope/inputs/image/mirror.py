"""Whether images keep their meaning when mirrored left to right, judged on the data itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ENOUGH = 0.5
"""Measured: digits keep 0.23, PneumoniaMNIST 0.64, Fashion-MNIST 0.66, CIFAR-10 0.95."""
ALIKE = 0.65
"""Measured: mirrored ones of CIFAR-10 are told in 0.51 to 0.54 of all cases, of Fashion-MNIST in
0.78, of digits in 0.76 to 0.81, of PneumoniaMNIST in 0.91."""
SURE = 2.0
"""What differs by fewer standard errors may be chance."""
FEW = 100
"""Of fewer images it is not asked whether mirrored ones are told from others."""
SIDE, IMAGES, FEATURES, RIDGE = 14, 6000, 1000, 0.1
AT_ONCE = 500

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kept:
    """How much is kept when images are mirrored, and the standard error of that."""

    share: float
    error: float

    @property
    def is_enough(self) -> bool:
        """Whether mirrored images keep their meaning."""
        return self.share >= ENOUGH

    @property
    def is_too_little(self) -> bool:
        """Whether it is more than chance that they do not."""
        return self.share + SURE * self.error < ENOUGH


def kept_when_mirrored(
    images: NDArray[np.uint8], labels: np.ndarray, classes: int, seed: int = 0
) -> Kept | None:
    """How much a simple classifier keeps of what it knows if images are mirrored.

    That is the share of its accuracy above the most frequent class's that is left on mirrored
    images it did not train on. `images` [n, h, w, c], `labels` [n]. The classifier is a ridge
    regression on random cosine features of small copies of the images (Rahimi and Recht 2007). None
    if it learns nothing, so that nothing can be said.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(labels))[:IMAGES]
    x, labels = _small(images, rows), labels[rows]
    fitted = len(rows) * 2 // 3
    if fitted < 2 or fitted == len(rows):
        return None
    answer = _classifier(x[:fitted], np.eye(classes)[labels[:fitted]], rng)
    upright = float(np.mean(answer(x[fitted:]) == labels[fitted:]))
    mirrored = float(np.mean(answer(x[fitted:, :, ::-1]) == labels[fitted:]))
    most_frequent = float(np.bincount(labels[fitted:]).max()) / (len(rows) - fitted)
    learned = upright - most_frequent
    if learned > 0.05:
        # Of the two accuracies, as if they were of different images.
        error = np.hypot(_error(upright, len(rows) - fitted), _error(mirrored, len(rows) - fitted))
        return Kept((mirrored - most_frequent) / learned, float(error) / learned)
    return None


def told_when_mirrored(images: Sequence[NDArray[np.uint8]], seed: int = 0) -> float | None:
    """In how many of all cases a simple classifier tells mirrored images from others, at the most.

    That is two standard errors above what it was right in on images that it did not train on, of
    which half are mirrored; `images` [n, h, w, c] of any classes. None of few images.
    """
    rng = np.random.default_rng(seed)
    parts = [_small(one, rng.permutation(len(one))[:IMAGES]) for one in images if len(one)]
    x = np.concatenate(parts)
    x = x[rng.permutation(len(x))[:IMAGES]]
    if len(x) < FEW:
        return None
    turned = rng.permutation(len(x)) % 2
    x = np.where(turned[:, None, None, None], x[:, :, ::-1], x)
    fitted = len(x) * 2 // 3
    answer = _classifier(x[:fitted], np.eye(2)[turned[:fitted]], rng)
    right = float(np.mean(answer(x[fitted:]) == turned[fitted:]))
    return right + SURE * _error(right, len(x) - fitted)


def _error(share: float, count: int) -> float:
    """The standard error of a share of so many."""
    return float(np.sqrt(share * (1 - share) / count))


def _classifier(
    x: Floats, target: Floats, rng: np.random.Generator
) -> Callable[[Floats], NDArray[np.int64]]:
    flat = x.reshape(len(x), -1)
    center, scale = flat.mean(axis=0), np.sqrt(flat.var(axis=0).sum()) + 1e-12
    directions, phases = (
        rng.normal(size=(flat.shape[1], FEATURES)),
        rng.uniform(0, 2 * np.pi, FEATURES),
    )

    def features(images: Floats) -> Floats:
        return np.asarray(
            np.cos(2 * (images.reshape(len(images), -1) - center) @ directions / scale + phases)
        )

    known = features(x)
    weights = np.linalg.solve(
        known.T @ known + RIDGE * np.eye(FEATURES), known.T @ (target - target.mean(axis=0))
    )
    return lambda images: np.asarray(
        (features(images) @ weights + target.mean(axis=0)).argmax(axis=1)
    )


def _small(images: NDArray[np.uint8], rows: np.ndarray) -> Floats:
    """These rows of images [n, h, w, c] as means of blocks, at most `SIDE` a side, from 0 to 1."""
    return np.concatenate([_means_of_blocks(images[part]) for part in _parts(rows)])


def _parts(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows a few at a time: images may lie on disk."""
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _means_of_blocks(images: NDArray[np.uint8]) -> Floats:
    n, height, width, channels = images.shape
    block = -(-max(height, width) // SIDE)
    block = min(block, height, width)
    rows, columns = height // block, width // block
    whole = images[:, : rows * block, : columns * block]
    return np.asarray(
        whole.reshape(n, rows, block, columns, block, channels).mean(axis=(2, 4)) / 255.0
    )
