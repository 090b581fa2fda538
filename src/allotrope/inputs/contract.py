"""What each kind of input supplies: its raw form, its augmentation, its pre-processing as nodes."""

from __future__ import annotations

import abc
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from allotrope.inputs.augmentation import Augmentation
from allotrope.inputs.mixture import Mixture, mixup
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
class Input(abc.ABC):
    """A named column of examples that a network takes."""

    kind: ClassVar[str]
    cuts: ClassVar[bool] = False
    """Whether boxes can be cut out of its examples, as cutmix does."""
    blends: ClassVar[bool] = False
    """Whether raw examples can be blended with each other, as mixup does; if not, the network
    blends what it makes of them."""
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

    def draw_mixture(
        self, count: int, rng: np.random.Generator, strength: Augmentation
    ) -> Mixture | None:
        """How so many training examples are mixed with each other, if the strength says so.

        Asked of one input, for all inputs and targets: of the first that can be cut, if any can.
        By mixup, unless boxes can be cut.
        """
        return mixup(count, rng, strength.mixup) if strength.mixup else None

    def mixed(self, x: np.ndarray, mixture: Mixture) -> np.ndarray:
        """Training examples x [n, …], each mixed with another one, if this kind can be mixed."""
        return x

    def lengths(self, x: np.ndarray) -> np.ndarray | None:
        """The length int [n] to which each example of x [n, …] could be cut; None if all are alike.

        Few different ones, because a compiled network is compiled for each.
        """
        return None

    def cut(self, x: np.ndarray) -> np.ndarray:
        """Examples x [n, …] without what is padding in all of them: as long as the longest."""
        return x

    def fitted(self, x: np.ndarray) -> Self:
        """The input with what its pre-processing takes from training examples x [n, …]."""
        return self

    def blank(self, x: np.ndarray) -> np.ndarray:
        """The rows of x [n, …] that show nothing, so that nothing can be learned from them."""
        return np.empty(0, np.int64)

    @abc.abstractmethod
    def described(self, x: np.ndarray) -> str:
        """What training examples x [n, …] are, in a line for people."""

    @abc.abstractmethod
    def prepare(self, network: Network) -> Network:
        """The network with pre-processing as nodes in front of its input of this name.

        Raises: UsageError if the network has no such input, or takes something else there.
        """

    def shortened(self, network: Network) -> Network:
        """The prepared network in a form that leaves out what is padding in all examples asked.

        For files that answer: lengths may be computed in it.
        """
        return network

    @abc.abstractmethod
    def read(self, argument: str) -> np.ndarray:
        """One raw example, without the axis of examples, from a command's argument.

        Raises: DataError if it cannot be read.
        """

    def facts(self) -> dict[str, Any]:
        """What run.json and the delivered file say: kind, name, and whatever is not as usual."""
        own = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if getattr(self, each.name) != each.default
        }
        return {"kind": self.kind, **own}

    @abc.abstractmethod
    def show(self, x: np.ndarray) -> Shown:
        """One raw example for people."""

    @property
    def mirror_axis(self) -> int | None:
        """The axis of raw examples [n, …] from left to right; None if there is no such."""
        return None

    @property
    def parts(self) -> tuple[str, ...]:
        """What an example consists of that can be exchanged alone; a row, of its columns."""
        return (self.name,)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Those of the `parts` that are numbers, of which more and less can be said."""
        return ()

    def part_of(self, x: np.ndarray, part: str) -> np.ndarray:
        """A part of examples x [n, …]: [n, …]."""
        return x

    def with_part(self, x: np.ndarray, part: str, values: np.ndarray) -> np.ndarray:
        """Examples x [n, …] with other values [n, …] of a part; x stays as it is."""
        return values

    def under(self, x: np.ndarray, heat: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """A picture of one raw example, and of a map [...] over its places what lies over that.

        uint8 [h, w] or [h, w, 3], and [h, w]; None for a kind of which there are no pictures.
        """
        return None
