"""What each kind of input supplies: its raw form, its augmentation, its pre-processing as nodes."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from allotrope.network.graph import Value
from allotrope.network.network import Network


@dataclass(frozen=True)
class Shown:
    """An example of an input for people: an excerpt in words, a picture, or rows of cells.

    `picture`: uint8 [h, w] or [h, w, 3]. `cells` are (name, value).
    """

    text: str = ""
    picture: np.ndarray | None = None
    cells: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Augmentation:
    """How strongly each kind of augmentation acts; 0 or False leaves it out.

    `shift` and `cutout` are fractions of the shorter side. `rotation` is in degrees and `scale` a
    fraction (0.1: 0.9 to 1.1), both applied to the fraction `warped` of the examples.
    `brightness`, `contrast` and `saturation` are fractions of change.
    `mixup` and `cutmix` are the alpha of their Beta distribution; if both are on, each batch uses
    one of them.
    """

    flip: bool = False
    shift: float = 0.0
    cutout: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    warped: float = 0.5
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


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

    def blended(self, values: np.ndarray) -> np.ndarray:
        """float32 [n, k], each row blended with that of the other example."""
        share = self.share[:, None]
        return values * share + values[self.other] * (1 - share)


@dataclass(frozen=True)
class Input(abc.ABC):
    """A named column of examples that a network takes."""

    kind: ClassVar[str]
    name: str

    @abc.abstractmethod
    def value(self) -> Value:
        """Name, dtype and shape ["n", …], as the delivered file takes it: raw."""

    def augment(
        self,
        x: np.ndarray,
        rng: np.random.Generator,
        strength: Augmentation,
        mirrored: np.ndarray | None = None,
    ) -> np.ndarray:
        """Training examples x [n, …] changed so that they keep their meaning; x stays as it is.

        `mirrored` [n] says which examples to mirror if `strength.flip` is on, for all inputs alike.
        """
        return x

    def mixed(self, x: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Training examples x [n, …], each mixed with another one, if this kind can be mixed."""
        return x

    @abc.abstractmethod
    def prepare(self, network: Network) -> Network:
        """The network with pre-processing as nodes in front of its input of this name.

        Raises: UsageError if the network has no such input, or takes something else there.
        """

    @abc.abstractmethod
    def read(self, argument: str) -> np.ndarray:
        """One raw example, without the axis of examples, from a command's argument.

        Raises: DataError if it cannot be read.
        """

    @abc.abstractmethod
    def show(self, x: np.ndarray) -> Shown:
        """One raw example for people."""
