"""Which examples of a batch are mixed with which others, and how much of each is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allotrope.network.rewriting.blending import OTHER, SHARE


@dataclass(frozen=True)
class Mixture:
    """How the examples of a batch are mixed, drawn once for all of its inputs and targets.

    Example i keeps the share `share[i]` of itself, and takes the rest of example `other[i]`.
    `boxes` [n, 4] are top, bottom, left and right of what comes from the other one, in parts of
    the height and width; None if everything is blended.
    """

    other: np.ndarray
    share: np.ndarray
    boxes: np.ndarray | None = None

    @classmethod
    def none(cls, count: int) -> Mixture:
        """So many examples that stay themselves."""
        return cls(np.arange(count), np.ones(count, np.float32))

    def columns(self) -> dict[str, np.ndarray]:
        """What a network takes of it that blends examples itself, by name [n]."""
        return {OTHER: self.other.astype(np.int64), SHARE: self.share.astype(np.float32)}

    def blended(self, values: np.ndarray) -> np.ndarray:
        """float32 [n, k], each row blended with that of the other example."""
        share = self.share[:, None]
        return values * share + values[self.other] * (1 - share)

    def targets(self, targets: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Targets [n, k] of mixed examples; one that an example lacks takes no part in it.

        `weights` [n] or [n, k] say what each counts. With those of `weights` the loss of a mixture
        is then the mixture of losses, if it is linear in the target.
        """
        if weights is None:
            return self.blended(targets)
        own = weights.reshape(len(weights), -1)
        total = self.blended(own)
        return self.blended(targets * own) / np.where(total > 0, total, 1)

    def weights(self, weights: np.ndarray) -> np.ndarray:
        """What the targets of mixed examples count: float32 of the shape of `weights`."""
        return self.blended(weights.reshape(len(weights), -1)).reshape(weights.shape)


@dataclass(frozen=True, kw_only=True)
class Patchwork(Mixture):
    """Each example is made of parts of four: itself and `others` [n, 3], by `shares` [n, 4].

    The parts meet at `crossing` [n, 2], row and column in parts of the height and width: from above
    left by rows. Each begins at `corners` [n, 4, 2] of its own example, in parts of what is left
    beside it. `other` and `share` are the first of these.
    """

    others: np.ndarray
    shares: np.ndarray
    crossing: np.ndarray
    corners: np.ndarray

    def blended(self, values: np.ndarray) -> np.ndarray:
        """float32 [n, k], each row blended with those of the three others."""
        total = values * self.shares[:, :1]
        for place, other in enumerate(self.others.T, 1):
            total += values[other] * self.shares[:, place, None]
        return total


@dataclass(frozen=True, kw_only=True)
class MixedColumns(Mixture):
    """Each row takes the columns `taken` [n, columns] of another one."""

    taken: np.ndarray


def mixup(count: int, rng: np.random.Generator, alpha: float) -> Mixture:
    """Each example is blended with another one: its share is from Beta(alpha, alpha), in 1/256.

    Zhang et al. 2018 (https://arxiv.org/abs/1710.09412).
    """
    other = rng.permutation(count)
    share = np.rint(rng.beta(alpha, alpha, count) * 256).astype(np.float32) / 256
    return Mixture(other, share)


def mixed_columns(count: int, columns: int, rng: np.random.Generator, alpha: float) -> Mixture:
    """Each row takes columns of another one; its share is of the columns that are left.

    Cutmix (Yun et al. 2019) of rows, as in SAINT (Somepalli et al. 2021,
    https://arxiv.org/abs/2106.01342, section 4.1); what is not taken is from Beta(alpha, alpha).
    """
    other = rng.permutation(count)
    taken = rng.random((count, columns)) >= rng.beta(alpha, alpha, count)[:, None]
    share = 1 - taken.mean(axis=1, dtype=np.float32)
    return MixedColumns(other, share, taken=taken)
